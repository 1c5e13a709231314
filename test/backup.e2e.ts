// `cellplane backup` of a running server, `cellplane restore` into a folder and into etcd, and servers started on both.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { EtcdServer, skipWithoutEtcd } from './harness/etcd-server.ts';
import { adminConnection, startCellplane, temporaryFolder } from './harness/processes.ts';

const inRoot = {
  cluster: 'root',
  gvr: { group: '', version: 'v1', resource: 'configmaps' },
  namespace: 'default',
} as const;

async function cellplane(...args: string[]): Promise<string> {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [path.resolve('bin/cellplane.js'), ...args], {
    env: { PATH: process.env['PATH'] },
  });
  return stdout;
}

/** Starts a server on what was restored and reads the object that the original wrote. */
async function readBack(dataDirectory: string, flags: readonly string[]): Promise<string | undefined> {
  await using server = await startCellplane([
    'apiserver',
    '--data-dir',
    dataDirectory,
    '--port',
    '0',
    ...flags,
  ]);
  assert.ok(server.port);
  const client = new RemoteClient(await adminConnection(dataDirectory), { userAgent: 'cellplane-test' });
  try {
    const object = await client.get({ ...inRoot, name: 'kept' });
    return object.metadata.uid;
  } finally {
    await client.close();
  }
}

describe('backup and restore', () => {
  test('of a running server, into a folder', async (t) => {
    await using folder = await temporaryFolder();
    const at = (name: string) => path.join(folder.path, name);
    let uid: string | undefined;
    {
      await using _server = await startCellplane(['apiserver', '--data-dir', at('origin'), '--port', '0']);
      const client = new RemoteClient(await adminConnection(at('origin')), { userAgent: 'cellplane-test' });
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' } };
      uid = (await client.create(inRoot, object)).metadata.uid;
      await client.close();
      const kubeconfig = path.join(at('origin'), 'admin.kubeconfig');
      assert.match(await cellplane('backup', at('one.backup'), '--kubeconfig', kubeconfig), /\d+ objects/);
      assert.equal((await stat(at('one.backup'))).mode & 0o777, 0o600);
      await assert.rejects(
        cellplane('backup', at('two.backup'), '--data-dir', at('origin')),
        /another process/,
      );
    }
    await cellplane('restore', at('one.backup'), '--data-dir', at('copy'));
    await assert.rejects(
      cellplane('restore', at('one.backup'), '--data-dir', at('copy')),
      /holds a store already/,
    );
    await cp(path.join(at('origin'), 'pki'), path.join(at('copy'), 'pki'), { recursive: true });
    assert.equal(await readBack(at('copy'), []), uid);

    await t.test('and from there into etcd', { skip: skipWithoutEtcd }, async () => {
      await cellplane('backup', at('three.backup'), '--data-dir', at('copy'));
      const etcd = await EtcdServer.start({ flags: ['--unsafe-no-fsync'] });
      try {
        const flags = ['--storage', 'etcd', '--etcd-servers', etcd.endpoint];
        await assert.rejects(cellplane('backup', at('four.backup'), ...flags), /holds no store/);
        await cellplane('restore', at('three.backup'), ...flags, '--as-clone');
        await cp(path.join(at('origin'), 'pki'), path.join(at('third'), 'pki'), { recursive: true });
        assert.equal(await readBack(at('third'), flags), uid);
        assert.match(await cellplane('backup', at('four.backup'), ...flags), /\d+ objects/);
      } finally {
        await etcd.dispose();
      }
    });
  });
});
