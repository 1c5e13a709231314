import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { keyOf } from '../object-key.ts';
import { CellNamespaces } from './cell-namespaces.ts';
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
    wantedAgain: undefined,
    origin: { ...object, cluster: 'project', controlPlane: 'cp', path: 'root', uid: 'o1' },
  };
}

/** A keeper of one index, on a clock that a test turns; `isEmpty`: what the cell's workspace says when it is asked. */
function world(isEmpty: () => boolean | Promise<boolean> = () => true) {
  const clock = new ManualClock();
  const index = new CopyIndex();
  const withdrawn: string[] = [];
  const mine = { is: true, isKept: false, isDecided: false };
  const client: KubeClient = {
    ...new ScriptedClient().client,
    list: async () => {
      const items = (await isEmpty()) ? [] : [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: {} }];
      return { apiVersion: 'v1', kind: 'List', metadata: {}, items };
    },
  };
  const writer = { withdraw: async ({ name }: CopyRecord) => void withdrawn.push(name) };
  const namespaces = new CellNamespaces(client, writer as unknown as CopyWriter, index);
  const keeper = new NamespaceKeeper({
    clock,
    logger: silentLogger,
    index,
    namespaces,
    isDecided: () => mine.isDecided,
    owns: () => mine.is,
    mayWithdrawFrom: () => !mine.isKept,
    refresh: async () => {},
    emptyMs,
  });
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
  return { index, keeper, namespaces, mine, withdrawn, pass };
}

it('a mapped namespace that was filled meanwhile stays for the whole time once it is empty again', async () => {
  const { index, keeper, withdrawn, pass } = world();
  const copy = record('configmaps', 'mapped', 'web');
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

it('a mapped namespace that is empty by what is known, and not by what its cell says, stays', async () => {
  let isEmpty = false;
  const { keeper, withdrawn, pass } = world(() => isEmpty);
  for (let times = 0; times < 4; times++) await pass(emptyMs);
  assert.deepEqual(withdrawn, []);
  isEmpty = true;
  await pass(emptyMs);
  assert.deepEqual(withdrawn, ['mapped']);
  await keeper.stop();
});

it('a copy that is decided for a mapped namespace while its cell is asked keeps it', async () => {
  const copy = record('configmaps', 'mapped', 'web');
  const { index, keeper, withdrawn, pass } = world(() => {
    index.put(copy);
    return true;
  });
  for (let times = 0; times < 3; times++) await pass(emptyMs);
  assert.deepEqual(withdrawn, []);
  await keeper.stop();
});

const place = placeKeyOf(record('namespaces', '', 'mapped'));

it('a mapped namespace that a copy is just being written into stays, though nothing lies in it yet', async () => {
  const { keeper, namespaces, withdrawn, pass } = world();
  let written: () => void = () => {};
  const writing = namespaces.fill(
    place,
    () => new Promise<undefined>((resolve) => (written = () => resolve(undefined))),
  );
  for (let times = 0; times < 3; times++) await pass(emptyMs);
  assert.deepEqual(withdrawn, []);
  written();
  await writing;
  await pass(emptyMs);
  assert.deepEqual(withdrawn, ['mapped'], 'it failed: there is nothing after all');
  await keeper.stop();
});

it('nothing is written into a mapped namespace while it is being taken away', async () => {
  let answer: (isEmpty: boolean) => void = () => {};
  const { keeper, namespaces, withdrawn, pass } = world(() => new Promise((resolve) => (answer = resolve)));
  await pass(emptyMs);
  await pass(0);
  const write = () => Promise.resolve('written');
  assert.deepEqual(await namespaces.fill(place, write), { type: 'leaving' });
  answer(false);
  await pass(0);
  assert.equal(await namespaces.fill(place, write), 'written', 'it stays');
  assert.deepEqual(withdrawn, []);
  await keeper.stop();
});

it('a mapped namespace of a project that is another scheduler’s is left to that one', async () => {
  const { keeper, mine, withdrawn, pass } = world();
  mine.is = false;
  for (let times = 0; times < 3; times++) await pass(emptyMs);
  assert.deepEqual(withdrawn, []);
  mine.is = true;
  keeper.look('cell', 'mapped');
  await pass(emptyMs / 2);
  assert.deepEqual(withdrawn, [], 'what was known of it before counts no more');
  await pass(emptyMs);
  assert.deepEqual(withdrawn, ['mapped']);
  await keeper.stop();
});

it('a mapped namespace in a cell that nothing may be withdrawn from stays', async () => {
  const { keeper, mine, withdrawn, pass } = world();
  mine.isKept = true;
  for (let times = 0; times < 3; times++) await pass(emptyMs);
  assert.deepEqual(withdrawn, []);
  mine.isKept = false;
  keeper.look('cell', 'mapped');
  await pass(0);
  assert.deepEqual(withdrawn, ['mapped']);
  await keeper.stop();
});

it('a mapped namespace that a decision keeps since it was asked whether it is empty stays', async () => {
  const { keeper, mine, withdrawn, pass } = world(() => {
    mine.isDecided = true;
    return true;
  });
  await pass(emptyMs);
  await pass(emptyMs);
  assert.deepEqual(withdrawn, []);
  await keeper.stop();
});
