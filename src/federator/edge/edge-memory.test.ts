// What one edge may take of its federator's memory, however much it tells (docs/federation-contract.md: FB1).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { copyAnnotations, copyLabels, edgeAnnotations } from '#api/federation/copy-contract.ts';
import { systemClock } from '#apimachinery/clock.ts';
import type { KubeList, KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, WatchEvent } from '#client/client.ts';
import { TooManyObjects } from '#client/informer.ts';
import { silentLogger } from '#client/logger.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { until } from '#test/harness/until.ts';
import { CellMetrics } from '../cell/cell-metrics.ts';
import { CellWorkspace } from '../cell/cell-workspace.ts';
import { copyKeyOf } from '../cell/copy-keys.ts';
import { Upsync } from '../upsync/upsync.ts';
import { EdgeMirror } from './edge-mirror.ts';
import { servedDeployments as kind } from './testing/served-deployments.ts';
import { TokenBucket } from './token-bucket.ts';

const objectsMax = 4_000;
const pageSize = 250;
const pendingStatusBytesMax = 1024 * 1024;
const mib = 1024 * 1024;
/** As docs/federators.md has it: of each object, twice while they are listed anew; statuses; some answers under way. */
const bytesMax = 2 * objectsMax * 4 * 1024 + pendingStatusBytesMax + 4 * mib;
/** With these a page of a list is as long as one answer may be. */
const longTextLength = 3_000;
const measurementsMin = 3;

/** An object that looks like ours, as no other before it, with texts as long as an answer may be. */
function invented(serial: number, textLength: number): KubeObject {
  // A string of its own each, as an answer brings it.
  const text = (what: string) => Buffer.alloc(textLength, `${serial} ${what} `).toString('latin1');
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: `invented-${serial}`,
      namespace: `ns-${serial}`,
      uid: `uid-${serial}`,
      resourceVersion: String(serial),
      labels: { [copyLabels.originCluster]: text('cluster') },
      annotations: {
        [copyAnnotations.contentHash]: text('hash'),
        [copyAnnotations.deletionPolicy]: text('policy'),
        [copyAnnotations.originName]: text('name'),
        [edgeAnnotations.cellUid]: text('cell'),
      },
    },
    status: { message: text('status') },
  };
}

interface Invention {
  /** Pages of one list; as many as are asked for where it is infinite. */
  readonly pages: number;
  readonly textLength: number;
}

/** An edge without end, beside what a federator keeps of it. */
function worldOf({ pages, textLength }: Invention) {
  /** `fullest`: called when as much is remembered as ever is. */
  const told = { objects: 0, lists: 0, fullest: () => {} };
  const next = () => invented(++told.objects, textLength);
  const edgeClient: KubeClient = {
    ...new ScriptedClient().client,
    list: async (_collection, { continue: page = '0' } = {}): Promise<KubeList> => {
      if (page === '0') told.lists++;
      // Other work has its turn, as it has over a connection.
      await new Promise((resolve) => setImmediate(resolve));
      const following = Number(page) + 1;
      if (following === objectsMax / pageSize) told.fullest();
      const items = Array.from({ length: pageSize }, next);
      const metadata = {
        resourceVersion: '1',
        ...(following < pages ? { continue: String(following) } : {}),
      };
      return { apiVersion: 'v1', kind: 'List', metadata, items };
    },
    async *watch(): AsyncGenerator<WatchEvent> {
      for (;;) {
        yield { type: 'ADDED', object: next() };
        if (told.objects % objectsMax === objectsMax - 1) told.fullest();
        if (told.objects % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
  const upsync: Upsync = new Upsync({
    edgeClient,
    workspace: new CellWorkspace(new ScriptedClient().client, 'root:cells:cell-a'),
    mirror: () => mirror,
    pendingStatusBytesMax,
    pace: new TokenBucket({ clock: systemClock, perSecond: 1, burst: 1 }),
    metrics: new CellMetrics(),
  });
  const mirror = new EdgeMirror({
    edgeClient,
    clock: systemClock,
    logger: silentLogger,
    timeoutMs: 120_000,
    objectsMax,
    onOverfull: (overfull) => upsync.forgetUnknown(overfull),
    onChange: (changed, key, isGone) => {
      assert.equal(changed.resource, kind.resource);
      if (isGone) upsync.goneAtEdge(key);
    },
    onStatus: (key, status) => upsync.learn(key, status),
  });
  return { mirror, upsync, told };
}

/** Bytes of the heap that are in use once all that is dropped was collected. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  assert.ok(typeof collect === 'function');
  collect();
  return process.memoryUsage().heapUsed;
}

for (const [what, invention] of Object.entries<Invention>({
  'a list without end': { pages: Number.POSITIVE_INFINITY, textLength: 100 },
  'a list without end of objects with long texts': {
    pages: Number.POSITIVE_INFINITY,
    textLength: longTextLength,
  },
  'a watch that tells of ever other objects': { pages: 1, textLength: 100 },
  'a watch that tells of ever other objects with long texts': { pages: 1, textLength: longTextLength },
})) {
  test(`${what} keeps to what is stated of one edge`, { timeout: 300_000 }, async () => {
    const before = heapBytes();
    const { mirror, upsync, told } = worldOf(invention);
    let takenBytes = 0;
    let measured = 0;
    told.fullest = () => {
      measured++;
      takenBytes = Math.max(takenBytes, heapBytes() - before);
    };
    await mirror.ensure(kind)?.catch((error: unknown) => assert.ok(error instanceof TooManyObjects));
    await until('it was measured', () => measured >= measurementsMin && told.lists > 2, {
      timeoutMs: 120_000,
    });
    assert.ok(mirror.objectCount <= objectsMax + 1, `${mirror.objectCount} are remembered`);
    assert.ok(told.objects > 2 * objectsMax, `${told.objects} were told of`);
    const broken = await until('it says so', () => mirror.brokenWatch(0));
    assert.ok(broken.error instanceof TooManyObjects, String(broken.error));
    await mirror.stop();
    assert.ok(
      takenBytes < bytesMax,
      `${(takenBytes / mib).toFixed(1)} of ${(bytesMax / mib).toFixed(1)} MiB`,
    );
    assert.ok(upsync.pendingCount <= objectsMax + 2 * pageSize, `${upsync.pendingCount} statuses wait`);
  });
}

test('statuses of objects that are not remembered do not gather; those of others stay', async () => {
  const { mirror, upsync } = worldOf({ pages: Number.POSITIVE_INFINITY, textLength: 100 });
  const other = copyKeyOf({ group: 'batch', resource: 'jobs', namespace: 'ns', name: 'other' });
  const unknown = copyKeyOf({ ...kind, namespace: 'ns', name: 'unknown' });
  upsync.learn(other, { active: 1 });
  upsync.learn(unknown, { replicas: 1 });
  assert.equal(upsync.pendingCount, 2);
  upsync.forgetUnknown(kind);
  assert.equal(upsync.pendingCount, 1);
  await mirror.stop();
});
