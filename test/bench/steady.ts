import { setTimeout } from 'node:timers/promises';
import { copyAnnotations, copyLabels, edgeFinalizer } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { sha256Hex } from '#apimachinery/hash.ts';
import { silentLogger } from '#client/logger.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import type { CellLimits } from '#federator/cell/cell-limits.ts';
import { FederatorProcess } from '#federator/federator.ts';
import { CopyWriter } from '../harness/copies.ts';
import { RequestTap } from '../harness/request-tap.ts';
import { cellsReady, inParallel, type ManyCells, startManyCells } from './many-cells.ts';
import { turnMark } from './paced-job.ts';
import { type PacedLoad, pacedName, startPacedLoad } from './paced-load.ts';
import { reached } from './progress.ts';
import { type Row, row } from './table.ts';

const federatorName = 'bench';
const observedMs = 20_000;
/** What follows each connecting once, a minute later, is over before rest is measured. */
const earlySweepMs = 1_000;
const copiesOfLot = 2_000;
/** Copies that may wait for the federator while further ones are written: it gets all of them whole with their events. */
const backlogMax = 4_000;
const writerConnections = 32;
const namespace = 'ns';

/**
 * A federator whose copies are all in sync: what it asks of the edges while nothing happens, what it remembers of each copy,
 * and how soon a new one finds that there is nothing to do. It runs in this process, everything else in others; copies are
 * written as ready bytes, and each is brought to its edge by the federator. `scale` 1: 5 cells with 2,000 copies; 50: 100 cells
 * with 100,000, as the goals are set. Each wait ends 120 s after the last progress, or after half an hour.
 */
export async function benchSteady(scale: number): Promise<Row[]> {
  const copies = Math.max(100, Math.round(2_000 * scale));
  const count = Math.min(100, Math.max(2, Math.round(5 * scale)));
  await using many = await startManyCells(count, { edges: 'thin', federator: federatorName });
  const { cells } = many;
  const tap = new RequestTap();
  const first = await startFederator(many, tap, { sweepDelayMs: earlySweepMs });
  await cellsReady(many);
  const writers = cells.map((cell) => new CopyWriter(many.admin, cell));
  await inParallel(count, 8, (index) => writers[index]?.namespace(namespace) ?? Promise.resolve());
  const load = await startCopyLoad(many);
  // The first tenth brings what each cell costs whatever it holds, connections before all; the bound is of the copies.
  const tenth = Math.round(copies / 10);
  const rows: Row[] = [];
  const what = `${copies} copies over ${count} cells`;
  try {
    await fill(load, first.process, cells, 0, tenth);
    const bytesBefore = heapBytes();
    const cpuBefore = process.cpuUsage();
    const startedMs = performance.now();
    await fill(load, first.process, cells, tenth, copies);
    const cpuMs = cpuMsSince(cpuBefore);
    const perSecond = ((copies - tenth) * 1_000) / (performance.now() - startedMs);
    rows.push(
      row('federator CPU of each new copy', cpuMs / (copies - tenth), 'ms', `${perSecond.toFixed(0)}/s`),
    );
    // What was just written is believed against the watch for ten seconds, then looked at once more.
    const settled = () => cells.filter((name) => first.process.cell(name)?.settled === true).length;
    await reached('cells in which nothing waits', settled, count);
    await reached('the edges have been looked through', async () => Number(await listsNothing(tap)), 1);
    const perCopy = (heapBytes() - bytesBefore) / (copies - tenth);
    tap.clear();
    await setTimeout(observedMs);
    const perMinute = (tap.requests.length * 60_000) / observedMs;
    rows.push(
      row(
        `requests to all edges, ${what}`,
        perMinute,
        '/min',
        `goal: watches and leases only; ${byVerb(tap)}`,
      ),
      row('federator memory of each copy', perCopy / 1_024, 'KiB', 'heap after collection; goal 3'),
    );
  } finally {
    load.end();
  }
  await first.stop();
  tap.clear();
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const second = await startFederator(many, tap);
  // Each cell's namespace is a copy too.
  await inSync(second.process, cells, copies + count);
  const restartedMs = performance.now() - startedMs;
  const cpuMs = cpuMsSince(cpuBefore);
  rows.push(
    row(`restart in sync, ${what}`, restartedMs / 1_000, 's', 'goal 20 s at 100,000'),
    row('  CPU of the federator for it', cpuMs / 1_000, 's'),
    row('writes to the edges at the restart', tap.writes.length, '', 'goal 0'),
  );
  await second.stop();
  return rows;
}

/** Whether no list is asked for in a while. */
async function listsNothing(tap: RequestTap): Promise<boolean> {
  // Looking whether an edge lives is a list of one name.
  const lists = () => tap.requests.filter(({ verb, name }) => verb === 'list' && name === '').length;
  const before = lists();
  await setTimeout(3_000);
  return lists() === before;
}

/** `list 30, watch 4` in the time observed. */
function byVerb({ requests }: RequestTap): string {
  const counts = new Map<string, number>();
  for (const { verb } of requests) counts.set(verb, (counts.get(verb) ?? 0) + 1);
  return [...counts].map(([verb, count]) => `${verb} ${count}`).join(', ');
}

/** CREATEs copies of all cells in turn, as a scheduler would have rendered them. */
function startCopyLoad({ federation, cells }: ManyCells): Promise<PacedLoad> {
  const labels = { [copyLabels.originCluster]: 'project1', [copyLabels.originControlPlane]: 'upstream' };
  const annotations = {
    [copyAnnotations.originPath]: 'root:acme:shop',
    [copyAnnotations.originGroup]: '',
    [copyAnnotations.originResource]: 'configmaps',
    [copyAnnotations.originNamespace]: namespace,
    [copyAnnotations.originName]: pacedName,
    [copyAnnotations.contentHash]: sha256Hex(pacedName).slice(0, 16),
  };
  const metadata = { name: pacedName, namespace, labels, annotations, finalizers: [edgeFinalizer] };
  const data = { text: 'x'.repeat(200) };
  return startPacedLoad(federation, {
    path: `/clusters/${cellsWorkspacePath}:${turnMark}/api/v1/namespaces/${namespace}/configmaps`,
    body: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }),
    turns: cells,
    connections: writerConnections,
  });
}

/** As fast as they are taken, yet never far ahead of the federator; resolves when all are at their edges. */
async function fill(
  load: PacedLoad,
  federator: FederatorProcess,
  cells: readonly string[],
  from: number,
  to: number,
): Promise<void> {
  for (let next = from; next < to; next += copiesOfLot) {
    const count = Math.min(copiesOfLot, to - next);
    await load.connect();
    await load.run({ from: next, count, perSecond: 1_000_000 });
    await inSync(federator, cells, next + count + cells.length - backlogMax, { everyMs: 20 });
  }
  await inSync(federator, cells, to + cells.length, { everyMs: 20, idle: true });
}

/** Resolves when so many are in sync; `idle`: and nothing goes on. */
async function inSync(
  federator: FederatorProcess,
  cells: readonly string[],
  copies: number,
  { everyMs = 50, idle = false }: { readonly everyMs?: number; readonly idle?: boolean } = {},
): Promise<void> {
  const synced = () => {
    const syncs = cells.map((name) => federator.cell(name));
    const sum = syncs.reduce((total, sync) => total + (sync?.tally.counts.synced ?? 0), 0);
    return idle && sum >= copies && !syncs.every((sync) => sync?.idle === true) ? copies - 1 : sum;
  };
  await reached('copies in sync', synced, copies, { everyMs });
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** `limits`: other than the usual ones, of its cells. */
async function startFederator(
  { federation }: ManyCells,
  tap: RequestTap,
  limits: Partial<CellLimits> = {},
): Promise<{ readonly process: FederatorProcess; stop(): Promise<void> }> {
  const userAgent = 'cellplane-bench';
  // As `cellplane federator` makes it.
  const federationClient = new RemoteClient(federation, {
    userAgent,
    limits: { connectionsMax: 64 },
    batches: true,
    leanMetadata: true,
  });
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
