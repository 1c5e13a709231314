// Many cells are away at once and come back at once: how far behind they are is told, they catch up, and what others change
// meanwhile does not wait for them.
// docs/federation-contract.md: FO1
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Constellation } from '../harness/constellation.ts';
import { CopyWriter } from '../harness/copies.ts';
import { configMaps, edgeRef, find } from '../harness/edge-objects.ts';
import type { TcpGate } from '../harness/tcp-gate.ts';
import { until } from '../harness/until.ts';

const away = Array.from({ length: 5 }, (_, index) => `away-${index}`);
const changes = 20;

describe('cells that were away', { timeout: 600_000 }, () => {
  let constellation: Constellation;

  before(async () => {
    constellation = await Constellation.start({
      cells: [...away, 'steady'],
      scheduler: false,
      cellSpec: { healthCheck: { intervalSeconds: 1, timeoutSeconds: 1 } },
      cellLimits: { edgeTimeoutMs: 8_000, breakerOpenMaxMs: 1_000 },
    });
    for (const cell of [...away, 'steady']) {
      const copies = new CopyWriter(constellation.admin, cell);
      await copies.namespace();
      await copies.configMap('before', {});
      await until(`${cell} is synced`, () => atEdge(cell, 'before'));
    }
  });
  after(() => constellation?.[Symbol.asyncDispose]());

  const atEdge = (cell: string, name: string) =>
    find(constellation.edge(cell).client, edgeRef(configMaps, name, 'ns'));
  const gates = (mode: Parameters<TcpGate['set']>[0]) =>
    Promise.all(away.map((cell) => constellation.edge(cell).gate.set(mode)));

  test('how far behind each is, in objects and in time, can be read while it is away', async () => {
    await gates('closed');
    for (const cell of away) {
      const copies = new CopyWriter(constellation.admin, cell);
      await copies.configMap('before', { changed: 'yes' });
      for (let index = 1; index < changes; index++) await copies.configMap(`while-away-${index}`, {});
    }
    for (const cell of away) {
      await until(`${cell} tells what it lacks`, async () => {
        const { objects } = (await constellation.cell(cell)).status ?? {};
        // In sync is the namespace.
        if (objects?.pending === changes && objects.synced === 1) return true;
        throw new Error(JSON.stringify(objects));
      });
    }
    await until(
      'the lag grows although nothing happens',
      async () => Number.parseFloat((await constellation.cell('away-0')).status?.syncLag ?? '0') >= 10,
    );
    assert.ok(await atEdge('away-0', 'before'), 'the edge keeps what it has');
  });

  test('all come back at once: they catch up with one write an object, and a steady cell is not held up', async () => {
    const { edgeTap } = constellation.federator();
    edgeTap.clear();
    const openedMs = performance.now();
    await gates('open');
    const steady = new CopyWriter(constellation.admin, 'steady');
    let slowestMs = 0;
    for (let index = 0; index < 10; index++) {
      const startedMs = performance.now();
      await steady.configMap(`meanwhile-${index}`, {});
      await until('the steady cell has it', () => atEdge('steady', `meanwhile-${index}`));
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    }
    for (const cell of away) {
      await until(`${cell} has caught up`, async () => {
        const { status } = await constellation.cell(cell);
        return (
          status?.objects?.pending === 0 && status.objects.synced === changes + 1 && status.syncLag === '0s'
        );
      });
    }
    // Not behind all that the others had missed. On a machine that is busy with other things everything takes its time.
    const slowestMaxMs = Math.max(20_000, (performance.now() - openedMs) / 2);
    assert.ok(slowestMs < slowestMaxMs, `a change of the steady cell took ${slowestMs.toFixed(0)} ms`);
    const applied = edgeTap.requests.filter(
      ({ verb, name }) => verb === 'apply' && !name.startsWith('meanwhile'),
    );
    const objects = away.length * changes;
    // One that was not answered in time is sent again.
    const answered = applied.length - edgeTap.failedApplies;
    assert.ok(answered <= objects * 1.1, `${answered} writes for ${objects} objects`);
  });
});
