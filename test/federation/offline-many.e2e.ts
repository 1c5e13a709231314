// Fifty cells come back at once: they catch up so many objects at a time, with one write an object, and what others change
// meanwhile does not wait for them. The edges are whole API servers in this process, without sockets.
// docs/federation-contract.md: FO2
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { federatorGroup, federatorUserPrefix } from '#apiserver/authz/components.ts';
import { systemMasters } from '#apiserver/request/user.ts';
import type { KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { FederatorProcess } from '#federator/federator.ts';
import { Constellation } from '../harness/constellation.ts';
import { CopyWriter } from '../harness/copies.ts';
import { configMaps, edgeRef, find } from '../harness/edge-objects.ts';
import { InProcessServer } from '../harness/in-process-server.ts';
import { RequestTap } from '../harness/request-tap.ts';
import { connectionAs } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

const away = Array.from({ length: 50 }, (_, index) => `away-${index}`);
const steady = 'steady';
const changes = 12;
/** As CatchUp divides it: 64 at once over all cells, of each at least two. */
const catchingUpMax = Math.max(64, 2 * away.length);
/** Changes of the steady cell, and what cells that came a moment before the others still have under way. */
const othersMax = 30;

describe('fifty cells that were away', { timeout: 840_000 }, () => {
  let constellation: Constellation;
  let federator: FederatorProcess;
  const edges = new Map<string, InProcessServer>();
  const tap = new RequestTap();
  let isAway = false;
  let atOnce = new AbortController();

  /** A line to an edge that breaks, with all that is on it, when the cells go away. */
  const lineTo = (cell: string): KubeClient => {
    const client = edges
      .get(cell)
      ?.clientAs({ name: 'federator', groups: [systemMasters], extra: new Map() });
    if (client === undefined) throw new TypeError(`no edge ${cell}`);
    const refuse = () => {
      if (!isAway || cell === steady) return;
      const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      throw new ApiError('ServiceUnavailable', 'the edge is not reached', { cause });
    };
    const line = new Proxy(client, {
      get: (target, name, receiver) => {
        const value: unknown = Reflect.get(target, name, receiver);
        if (typeof value !== 'function') return value;
        if (name === 'close') return () => target.close();
        if (name === 'watch') {
          return async function* (...[collection, options]: Parameters<KubeClient['watch']>) {
            refuse();
            const signals = [cell === steady ? undefined : atOnce.signal, options?.signal];
            const signal = AbortSignal.any(signals.filter((one) => one !== undefined));
            yield* target.watch(collection, { ...options, signal });
            refuse();
          };
        }
        return async (...args: unknown[]) => {
          refuse();
          return Reflect.apply(value, target, args) as unknown;
        };
      },
    });
    return tap.wrap(line);
  };

  before(async () => {
    constellation = await Constellation.start({ cells: [], scheduler: false, federators: [] });
    const { pki } = constellation;
    const connection = constellation.server.url;
    for (const cell of [...away, steady]) {
      const server = new InProcessServer({
        mode: 'edge',
        pki,
        logger: silentLogger,
        serverOptions: { listens: false },
      });
      await server.start();
      edges.set(cell, server);
      await constellation.addCell(
        cell,
        { healthCheck: { intervalSeconds: 5, failureThreshold: 1 } },
        { server: `https://${cell}.invalid`, token: 'x' },
      );
    }
    const user = { name: `${federatorUserPrefix}federator-a`, groups: [federatorGroup] };
    const federationClient = new RemoteClient(connectionAs(pki, connection, user), {
      userAgent: 'cellplane-test',
    });
    federator = new FederatorProcess({
      name: 'federator-a',
      federationClient,
      connectEdge: ({ server }) => lineTo(new URL(server).hostname.replace('.invalid', '')),
      clock: systemClock,
      logger: silentLogger,
      version: 'test',
      // The sweep has its own time and pace; here it would only make noise.
      cellLimits: { breakerOpenMaxMs: 2_000, catchUpPending: 5, sweepDelayMs: 600_000 },
    });
    constellation.onEnd(async () => {
      await federator.stop();
      await federationClient.close();
      await Promise.all([...edges.values()].map((edge) => edge.dispose()));
    });
    await federator.start(new AbortController().signal);
    await writeToAll('before');
    await allSynced(2);
  });
  after(() => constellation?.[Symbol.asyncDispose]());

  const writeToAll = (...names: string[]) =>
    Promise.all(
      [...away, steady].map(async (cell) => {
        const copies = new CopyWriter(constellation.admin, cell);
        await copies.namespace();
        for (const name of names) await copies.configMap(name, {});
      }),
    );
  const tallies = () => away.map((cell) => federator.cell(cell)?.tally.counts);
  const allSynced = (objects: number) =>
    until(`all have ${objects} objects`, async () => {
      const behind = tallies().filter((counts) => counts?.synced !== objects || counts.pending > 0);
      if (behind.length === 0) return true;
      throw new Error(`${behind.length} are behind, first ${JSON.stringify(behind[0])}`);
    });

  test('they catch up with one write an object, so many at once, and a steady cell is not held up', async () => {
    isAway = true;
    atOnce.abort();
    await until('all are known to be away', async () =>
      away.every((cell) => federator.cell(cell)?.health.reachable === 'False'),
    );
    await writeToAll(...Array.from({ length: changes }, (_, index) => `while-away-${index}`));
    await until('all are known to be behind', async () =>
      tallies().every((counts) => counts?.pending === changes),
    );
    await until('the steady cell has them', async () => federator.cell(steady)?.idle === true);

    atOnce = new AbortController();
    tap.clear();
    isAway = false;
    const copies = new CopyWriter(constellation.admin, steady);
    const edge = edges.get(steady)?.loopbackClient;
    assert.ok(edge);
    for (let index = 0; index < 5; index++) {
      await copies.configMap(`meanwhile-${index}`, {});
      await until('the steady cell has it', () =>
        find(edge, edgeRef(configMaps, `meanwhile-${index}`, 'ns')),
      );
    }
    await allSynced(changes + 2);
    const applied = tap.requests.filter(
      ({ verb, name }) => verb === 'apply' && name.startsWith('while-away'),
    );
    const answered = applied.length - tap.failedApplies;
    assert.equal(answered, away.length * changes, 'one write an object');
    const peak = tap.appliesPeak;
    assert.ok(peak <= catchingUpMax + othersMax, `${peak} writes at once`);
    // Watches go on where they were; a list of no object tells that they may (`mayGoBack` of an informer).
    // Beside looking whether the edges live, which goes on for as long as this takes.
    const ofObjects = tap.requests.filter(({ verb, name }) => verb !== 'raw' && name !== 'cellplane-claim');
    const lists = ofObjects.filter(
      ({ verb, resource, name }) =>
        verb === 'list' && name === '' && ['configmaps', 'namespaces'].includes(resource),
    ).length;
    assert.ok(lists <= away.length, `${lists} lists`);
    const objects = away.length * changes;
    assert.ok(ofObjects.length <= 2 * objects, `${ofObjects.length} requests for ${objects} objects`);
  });
});
