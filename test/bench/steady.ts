import { setTimeout } from 'node:timers/promises';
import { systemClock } from '#apimachinery/clock.ts';
import { silentLogger } from '#client/logger.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import type { CellLimits } from '#federator/cell/cell-limits.ts';
import { FederatorProcess } from '#federator/federator.ts';
import { CopyWriter } from '../harness/copies.ts';
import { RequestTap } from '../harness/request-tap.ts';
import { until } from '../harness/until.ts';
import { cellsReady, inParallel, type ManyCells, startManyCells } from './many-cells.ts';
import { type Row, row } from './table.ts';

const federatorName = 'bench';
const observedMs = 20_000;
const writersAtOnce = 32;
/** What follows each connecting once, a minute later, is over before rest is measured. */
const earlySweepMs = 1_000;

/**
 * A federator whose copies are all in sync: what it asks of the edges while nothing happens, what it remembers of each copy,
 * and how soon a new one finds that there is nothing to do. It runs in this process, everything else in others. `scale` 1: 5
 * cells with 2,000 copies; 50: 100 cells with 100,000, as the goals are set.
 */
export async function benchSteady(scale: number): Promise<Row[]> {
  const copies = Math.max(100, Math.round(2_000 * scale));
  const count = Math.min(100, Math.max(2, Math.round(5 * scale)));
  await using many = await startManyCells(count, { federator: federatorName });
  const { cells } = many;
  const tap = new RequestTap();
  const first = await startFederator(many, tap, { sweepDelayMs: earlySweepMs });
  await cellsReady(many);
  // The first tenth brings what each cell costs whatever it holds, connections before all; the bound is of the copies.
  const tenth = Math.round(copies / 10);
  await fill(many, 0, tenth);
  await inSync(first.process, cells, tenth);
  const bytesBefore = heapBytes();
  await fill(many, tenth, copies);
  await inSync(first.process, cells, copies);
  // What was just written is believed against the watch for ten seconds, then looked at once more.
  await until('nothing waits', () => cells.every((name) => first.process.cell(name)?.settled === true), {
    timeoutMs: 120_000,
    everyMs: 100,
  });
  await until('the edges have been looked through', () => listsNothing(tap), { timeoutMs: 120_000 });
  tap.clear();
  await setTimeout(observedMs);
  const perMinute = (tap.requests.length * 60_000) / observedMs;
  const perCopy = (heapBytes() - bytesBefore) / (copies - tenth);
  const what = `${copies} copies over ${count} cells`;
  const rows = [
    row(`requests to all edges, ${what}`, perMinute, '/min', `goal: watches and leases only; ${byVerb(tap)}`),
    row('federator memory of each copy', perCopy / 1_024, 'KiB', 'goal 3'),
  ];
  await first.stop();
  tap.clear();
  const startedMs = performance.now();
  const second = await startFederator(many, tap);
  await inSync(second.process, cells, copies);
  const restartedMs = performance.now() - startedMs;
  rows.push(
    row(`restart in sync, ${what}`, restartedMs / 1_000, 's', 'goal 20 s at 100,000'),
    row('writes to the edges at the restart', tap.writes.length, '', 'goal 0'),
  );
  await second.stop();
  return rows;
}

/** Whether no list is asked for in a while. */
async function listsNothing(tap: RequestTap): Promise<boolean> {
  const before = tap.count('list');
  await setTimeout(3_000);
  return tap.count('list') === before;
}

/** `get 30, watch 4` in the time observed. */
function byVerb({ requests }: RequestTap): string {
  const counts = new Map<string, number>();
  for (const { verb } of requests) counts.set(verb, (counts.get(verb) ?? 0) + 1);
  return [...counts].map(([verb, count]) => `${verb} ${count}`).join(', ');
}

/** Copies of all cells, as a scheduler would have written them. */
async function fill({ admin, cells }: ManyCells, from: number, to: number): Promise<void> {
  const writers = cells.map((cell) => new CopyWriter(admin, cell));
  await Promise.all(writers.map((writer) => writer.namespace()));
  await inParallel(to - from, writersAtOnce, async (offset) => {
    const index = from + offset;
    const writer = writers[index % writers.length];
    await writer?.put({ name: `object-${index}`, content: { data: { text: 'x'.repeat(200) } } });
  });
}

async function inSync(process: FederatorProcess, cells: readonly string[], copies: number): Promise<void> {
  const areSynced = () => {
    let synced = 0;
    for (const name of cells) {
      const sync = process.cell(name);
      if (sync === undefined || !sync.idle) return false;
      synced += sync.tally.counts.synced;
    }
    return synced >= copies;
  };
  await until('every copy is in sync', areSynced, { timeoutMs: 600_000, everyMs: 20 });
}

/** `limits`: other than the usual ones, of its cells. */
async function startFederator(
  { federation }: ManyCells,
  tap: RequestTap,
  limits: Partial<CellLimits> = {},
): Promise<{ readonly process: FederatorProcess; stop(): Promise<void> }> {
  const userAgent = 'cellplane-bench';
  const federationClient = new RemoteClient(federation, { userAgent });
  const process = new FederatorProcess({
    name: federatorName,
    federationClient,
    connectEdge: (connection, limits) => tap.wrap(new RemoteClient(connection, { userAgent, limits })),
    clock: systemClock,
    logger: silentLogger,
    version: 'bench',
    cellLimits: limits,
  });
  await process.start(new AbortController().signal);
  return {
    process,
    async stop() {
      await process.stop();
      await federationClient.close();
    },
  };
}

function heapBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
