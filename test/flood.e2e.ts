// A tenant that floods the server and does not heed 429 beside one that asks now and then (KUBERNETES.md O2). How much
// the quiet one waits is for the benchmark (`npm run bench -- flood`) to tell: here it is served at all, and in time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type FloodClient, type FloodScene, startFloodScene } from './bench/flood-scene.ts';

const quietMs = 20;
/** Of the median: without fair sharing the quiet one's requests stay behind the flood for as long as that goes on. */
const waitMsMax = 10_000;
const floodRoundsMax = 10;

describe('a flood in one workspace', { timeout: 600_000 }, () => {
  let scene: FloodScene;
  before(async () => {
    scene = await startFloodScene();
  });
  after(() => scene?.[Symbol.asyncDispose]());

  for (const [flood, protocol, connections, streams] of [
    ['GET', 'http/1', 450, 1],
    ['POST', 'http/1', 450, 1],
    ['GET', 'http/2', 200, 4],
  ] as const) {
    test(`of ${flood} over ${protocol} is told 429; another's requests are all served (O2)`, async () => {
      const quietly = { tenant: 'quiet', protocol, connections: 2, intervalMs: quietMs } as const;
      const clients: readonly FloodClient[] = [
        { ...quietly, method: 'GET' },
        { ...quietly, method: 'POST' },
        { tenant: 'noisy', method: flood, protocol, connections, streams, intervalMs: 0 },
      ];
      let figures = await scene.measure(clients, 1_000, 2_500);
      // Where all cores are taken the flood, which is nice, may hardly have begun.
      for (let rounds = 1; rounds < floodRoundsMax && figures[2]?.counts['429'] === undefined; rounds++) {
        figures = await scene.measure(clients, 2_000 * rounds, 2_500);
      }
      const [reader, writer, noisy] = figures;
      assert.ok((noisy!.counts['429'] ?? 0) > 0, JSON.stringify(noisy));
      assert.deepEqual(Object.keys(reader!.counts), ['200'], JSON.stringify(reader));
      assert.deepEqual(Object.keys(writer!.counts), ['201'], JSON.stringify(writer));
      for (const { p50Ms } of [reader!, writer!]) assert.ok(p50Ms < waitMsMax, `${p50Ms} ms`);
    });
  }
});
