import { systemClock } from '#apimachinery/clock.ts';
import { isStorageError, type StorageError } from '#storage/errors.ts';
import { silentLogger } from '#storage/logger.ts';
import { etcdAccess, type StorageSettings } from './compose.ts';
import { UsageError } from './run-command.ts';

/** A member that answers does so at once; a person waits for this. */
const firstAnswerMs = 3_000;

/**
 * Finds out, before anything is begun, that a member of the etcd in the settings answers: a server waits for it, a command that a
 * person has given says soon where it looked in vain. Throws UsageError; resolves for other stores.
 */
export async function confirmEtcd(storage: StorageSettings): Promise<void> {
  if (storage.kind !== 'etcd') return;
  const [access, { EtcdConnection }, { KeySpace }, { rangeMethod }] = await Promise.all([
    etcdAccess(storage),
    import('#storage/etcd/etcd-connection.ts'),
    import('#storage/etcd/key-space.ts'),
    import('#storage/etcd/rpc.ts'),
  ]);
  const range = { key: new KeySpace(storage.prefix).fence, limit: 1, revision: 0 };
  const ask = async (endpoint: string): Promise<StorageError | undefined> => {
    const one = { ...access, endpoints: [endpoint], requestTimeoutMs: firstAnswerMs };
    const connection = new EtcdConnection(one, systemClock, silentLogger);
    try {
      await connection.call(rangeMethod, range, { repeatable: true });
      return undefined;
    } catch (error) {
      if (isStorageError(error)) return error;
      throw error;
    } finally {
      connection.close();
    }
  };
  const members = storage.endpoints;
  const asked = members.map(ask);
  // One of them is enough.
  const isAnswered = await Promise.race([
    Promise.all(asked).then((errors) => errors.includes(undefined)),
    ...asked.map(async (one) => (await one) === undefined || new Promise<never>(() => {})),
  ]);
  if (isAnswered) return;
  const why = (await Promise.all(asked)).map((error, at) => `${members[at]}: ${reasonOf(error)}`);
  throw new UsageError(
    `no etcd can be used at ${why.join('; ')}. See that it runs and can be reached from here, and that --etcd-servers, the ` +
      'certificates and the login are right',
  );
}

/** The system's own words for it, where there are any: gRPC wraps them into its own. */
function reasonOf(error: StorageError | undefined): string {
  const { message = '' } = error ?? {};
  const [, cause] = /caused by: (.*)\)$/.exec(message) ?? [];
  if (cause !== undefined) return cause;
  if (/deadline|timed? ?out/i.test(message)) return `no answer within ${firstAnswerMs / 1_000} s`;
  return message.replace(/^etcd: /, '');
}
