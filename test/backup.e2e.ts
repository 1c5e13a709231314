// `cellplane backup` of a running server, `cellplane restore` into a folder and into etcd, and servers started on both.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { EtcdServer, skipWithoutEtcd } from './harness/etcd-server.ts';
import { patient } from './harness/patient.ts';
import { adminConnection, startCellplane, temporaryFolder } from './harness/processes.ts';
import { until } from './harness/until.ts';

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

/** Runs one command into another. */
async function through(from: readonly string[], to: readonly string[]): Promise<void> {
  const program = path.resolve('bin/cellplane.js');
  const first = spawn(process.execPath, [program, ...from], { stdio: ['ignore', 'pipe', 'inherit'] });
  const second = spawn(process.execPath, [program, ...to], { stdio: [first.stdout, 'ignore', 'inherit'] });
  const codes = await Promise.all([first, second].map((child) => once(child, 'exit')));
  assert.deepEqual(
    codes.map(([code]) => code),
    [0, 0],
  );
}

async function controlPlaneIdOf(dataDirectory: string): Promise<string> {
  const marker = await readFile(path.join(dataDirectory, 'store', 'cellplane-store.json'), 'utf8');
  return JSON.parse(marker).controlPlaneId;
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
  const client = new RemoteClient(await adminConnection(dataDirectory), {
    userAgent: 'cellplane-test',
    limits: patient,
  });
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
      const client = new RemoteClient(await adminConnection(at('origin')), {
        userAgent: 'cellplane-test',
        limits: patient,
      });
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
    await cp(at('one.backup'), at('torn.backup'));
    await truncate(at('torn.backup'), (await stat(at('one.backup'))).size - 20);
    await writeFile(at('foreign.backup'), 'nothing of ours');
    for (const [name, said] of [
      ['torn', /cut short/],
      ['foreign', /not a backup/],
    ] as const) {
      await assert.rejects(cellplane('restore', at(`${name}.backup`), '--data-dir', at(name)), said);
    }
    // What the torn one has left is refused, and removed when that is asked for.
    await assert.rejects(
      startCellplane(['apiserver', '--data-dir', at('torn'), '--port', '0']),
      /unfinished/,
    );
    await assert.rejects(cellplane('restore', at('one.backup'), '--data-dir', at('torn')), /unfinished/);
    await cellplane('restore', at('one.backup'), '--data-dir', at('torn'), '--discard-unfinished');
    await cellplane('restore', at('one.backup'), '--data-dir', at('copy'));
    await assert.rejects(
      cellplane('restore', at('one.backup'), '--data-dir', at('copy')),
      /holds a store already/,
    );
    await cp(path.join(at('origin'), 'pki'), path.join(at('copy'), 'pki'), { recursive: true });
    assert.equal(await readBack(at('copy'), []), uid);

    await t.test('by standard output and input', async () => {
      await through(['backup', '-', '--data-dir', at('copy')], ['restore', '-', '--data-dir', at('piped')]);
      await cp(path.join(at('origin'), 'pki'), path.join(at('piped'), 'pki'), { recursive: true });
      assert.equal(await readBack(at('piped'), []), uid);
    });

    await t.test('a file that is there is replaced when that is asked for', async () => {
      const same = ['backup', at('kept.backup'), '--data-dir', at('copy')];
      await cellplane(...same);
      const before = await stat(at('kept.backup'));
      await assert.rejects(cellplane(...same), /is there already: give another name, or --overwrite/);
      assert.equal((await stat(at('kept.backup'))).ino, before.ino, 'it is left as it is');
      assert.match(await cellplane(...same, '--overwrite'), /\d+ objects/);
      assert.notEqual((await stat(at('kept.backup'))).ino, before.ino);
      assert.deepEqual(
        (await readdir(at('.'))).filter((name) => name.endsWith('.partial')),
        [],
      );
      await assert.rejects(
        cellplane('backup', at('copy'), '--data-dir', at('copy'), '--overwrite'),
        /is no file/,
      );
    });

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

        const toEtcd = ['--etcd-servers', etcd.endpoint, '--etcd-prefix', '/moved'];
        const move = (from: string, to: string, data: string, ...more: string[]) =>
          cellplane(
            'migrate-storage',
            '--from',
            from,
            '--to',
            to,
            '--data-dir',
            at(data),
            ...toEtcd,
            ...more,
          );
        assert.match(await move('level', 'etcd', 'copy'), /copied and compared \d+ objects/);
        // As if it had been cut short before the comparison: what is there already is compared.
        assert.match(await move('level', 'etcd', 'copy'), /compared \d+ objects, \d+ of them by an earlier/);
        const moved = ['--storage', 'etcd', ...toEtcd];
        assert.equal(await readBack(at('copy'), moved), uid);
        await cp(path.join(at('origin'), 'pki'), path.join(at('back'), 'pki'), { recursive: true });
        assert.match(await move('etcd', 'level', 'back'), /copied and compared \d+ objects/);
        assert.equal(await readBack(at('back'), []), uid);
        const ids = await Promise.all([at('copy'), at('back')].map(controlPlaneIdOf));
        assert.equal(ids[0], ids[1], 'it is the same control plane');
        {
          await using _running = await startCellplane([
            ...['apiserver', '--data-dir', at('copy'), '--port', '0'],
            ...moved,
          ]);
          // It shows by the Lease that it renews every few seconds; one that the machine keeps from it is not noticed.
          const refusal = await until('the move is refused', async () => {
            const told: unknown = await move('etcd', 'level', 'late').then(
              () => undefined,
              (error: unknown) => error,
            );
            await rm(at('late'), { recursive: true, force: true });
            return told;
          });
          assert.match(String(refusal), /a server still runs/);
        }
        await assert.rejects(
          move('etcd', 'level', 'back'),
          /holds a store already, and not what the source holds/,
        );
      } finally {
        await etcd.dispose();
      }
    });
  });
});
