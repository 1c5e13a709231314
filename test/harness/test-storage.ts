import { EtcdServer, limitFlags } from './etcd-server.ts';

/**
 * What federation API servers of end-to-end tests keep their data in: each suite's default, or an etcd of their own with
 * `CELLPLANE_TEST_STORAGE=etcd`. Edges keep theirs: they stand for somebody else's cluster.
 */
export const testStorage: 'default' | 'etcd' = storageOf(process.env['CELLPLANE_TEST_STORAGE'] ?? '');

function storageOf(text: string): 'default' | 'etcd' {
  if (text === '' || text === 'default') return 'default';
  if (text === 'etcd') return 'etcd';
  throw new Error(`CELLPLANE_TEST_STORAGE=${text}: must be "etcd" or "default"`);
}

/** Flags for a `cellplane` process, and what they name, which is to be disposed after it has ended. */
export async function storageOfProcess(): Promise<{ readonly args: readonly string[] } & AsyncDisposable> {
  if (testStorage === 'default') return { args: [], [Symbol.asyncDispose]: async () => {} };
  const etcd = await EtcdServer.start({ flags: limitFlags });
  return {
    args: ['--storage', 'etcd', '--etcd-servers', etcd.endpoint],
    [Symbol.asyncDispose]: () => etcd.dispose(),
  };
}
