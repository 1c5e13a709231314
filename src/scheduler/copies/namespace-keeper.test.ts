import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { silentLogger } from '#client/logger.ts';
import { keyOf } from '../object-key.ts';
import type { CellNamespaces } from './cell-namespaces.ts';
import { CopyIndex, type CopyRecord, placeKeyOf } from './copy-index.ts';
import type { CopyWriter } from './copy-writer.ts';
import { NamespaceKeeper } from './namespace-keeper.ts';

const emptyMs = 60_000;

function record(resource: string, namespace: string, name: string): CopyRecord {
  const object = { group: '', resource, namespace: '', name };
  return {
    key: keyOf({ ...object, cluster: 'project' }),
    cellId: 'cell',
    ...object,
    namespace,
    version: 'v1',
    uid: 'u1',
    resourceVersion: '1',
    generation: 1,
    deleting: false,
    contentHash: 'h1',
    syncedHash: undefined,
    syncError: undefined,
    origin: { ...object, cluster: 'project', controlPlane: 'cp', path: 'root', uid: 'o1' },
  };
}

it('a mapped namespace that was filled meanwhile stays for the whole time once it is empty again', async () => {
  const clock = new ManualClock();
  const index = new CopyIndex();
  const withdrawn: string[] = [];
  const keeper = new NamespaceKeeper({
    clock,
    logger: silentLogger,
    index,
    writer: { withdraw: async ({ name }: CopyRecord) => void withdrawn.push(name) } as unknown as CopyWriter,
    namespaces: { isEmpty: async () => true } as unknown as CellNamespaces,
    isDecided: () => false,
    owns: () => true,
    mayWithdrawFrom: () => true,
    refresh: async () => {},
    emptyMs,
  });
  const copy = record('configmaps', 'mapped', 'web');
  const settle = async () => {
    for (let turn = 0; turn < 5; turn++) await setImmediate();
  };
  const pass = async (ms: number) => {
    await settle();
    clock.advance(ms);
    await settle();
  };
  index.put(record('namespaces', '', 'mapped'));
  keeper.start();
  keeper.look('cell', 'mapped');
  await pass(emptyMs / 2);
  index.put(copy);
  keeper.fill('cell', 'mapped');
  await pass(emptyMs / 4);
  index.remove(placeKeyOf(copy));
  keeper.look('cell', 'mapped');
  await pass(emptyMs / 2);
  assert.deepEqual(withdrawn, [], 'it has been empty for half of the time');
  await pass(emptyMs);
  assert.deepEqual(withdrawn, ['mapped']);
  await keeper.stop();
});
