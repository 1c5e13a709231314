import { cellsGvr } from '#api/federation/cell.ts';
import { cellTaints } from '#api/federation/cell-taints.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { resourceBindingsGvr } from '#api/work/group.ts';
import type { CollectionRef } from '#client/client.ts';
import { until } from '../harness/until.ts';
import {
  benchProject,
  configMapsGvr,
  inParallel,
  type ManyCells,
  makeNamespace,
  placeNamespace,
  startManyCells,
} from './many-cells.ts';
import { cpuOf, type ProcessCpu } from './raw-load.ts';
import { sampleConfigMap } from './samples.ts';
import { type Row, row } from './table.ts';

const namespace = 'bench';
const warmUpCount = 2_000;
/**
 * Namespaces with a policy each that are decided before anything is counted. Cold processes need several times what warm ones
 * do, and V8 compiles anew what it took for constant when a second policy and a third come.
 */
const warmUps = 3;
const writersAtOnce = 32;
/** Ends what is measured by so much too late, and costs it less than a hundredth. */
const looks = { everyMs: 25 };

/**
 * Decisions with their writes: objects that wait for a policy are decided and bound, one write each, and their copies
 * written; then the cell that holds them all is drained. `scale` 10: the 10,000 bindings of the goals. The processes are warm:
 * other objects were decided before, a row of their own.
 */
export async function benchCommits(scale: number): Promise<Row[]> {
  const count = Math.max(100, Math.round(1_000 * scale));
  // Nobody syncs these cells: what is measured ends at the copies.
  await using many = await startManyCells(4, { edges: false });
  const rows: Row[] = [];
  const [first = '', second = '', ...others] = many.cells;
  rows.push(await warmUp(many, others));
  await createObjects(many, namespace, count);
  const bindings = sizeOf(many, { cluster: benchProject, gvr: resourceBindingsGvr, namespace });
  const copiesIn = (cell: string) =>
    sizeOf(many, { cluster: `${cellsWorkspacePath}:${cell}`, gvr: configMapsGvr });
  const [inFirst, inSecond] = await Promise.all([addedTo(copiesIn(first)), addedTo(copiesIn(second))]);
  const cpuBefore = await cpuNow(many);
  const startedMs = performance.now();
  await placeNamespace(many, namespace, [first, second], 1);
  await until('every object is bound', async () => (await bindings()) >= count, looks);
  const decidedMs = performance.now() - startedMs;
  rows.push(row(`decisions committed, ${count} bindings`, (count / decidedMs) * 1_000, '/s', 'goal 2,000'));
  await until('every copy is written', async () => (await inFirst()) + (await inSecond()) >= count, looks);
  const placedMs = performance.now() - startedMs;
  rows.push(row(`decisions with their copies, ${count} objects`, (count / placedMs) * 1_000, '/s'));
  rows.push(...cpuRows('decision with its copy', cpuBefore, await cpuNow(many), count));
  const isFirst = (await inFirst()) >= (await inSecond());
  const [drained, target] = isFirst ? [first, inSecond] : [second, inFirst];
  const cpuPlaced = await cpuNow(many);
  const evacuatedMs = await evacuate(many, drained, target, count);
  const goal = 'goal 30 s at 10,000';
  rows.push(row(`evacuation of a cell, ${count} bindings`, evacuatedMs / 1_000, 's', goal));
  rows.push(...cpuRows('evacuated binding', cpuPlaced, await cpuNow(many), count));
  return rows;
}

async function createObjects(many: ManyCells, into: string, count: number): Promise<void> {
  await makeNamespace(many, into);
  await inParallel(count, writersAtOnce, (index) =>
    many.admin.create(
      { cluster: benchProject, gvr: configMapsGvr, namespace: into },
      sampleConfigMap(`object-${index}`, 1_000, into),
      { metadataOnly: true },
    ),
  );
}

/** As what is measured, and in cells of their own, so that they have no part in it. Returns what the first took. */
async function warmUp(many: ManyCells, cells: readonly string[]): Promise<Row> {
  let firstSeconds: number | undefined;
  for (let at = 0; at < warmUps; at++) {
    const into = `warm-up-${at}`;
    await createObjects(many, into, warmUpCount);
    const collection = { cluster: benchProject, gvr: resourceBindingsGvr, namespace: into };
    const bindings = sizeOf(many, collection);
    const startedMs = performance.now();
    await placeNamespace(many, into, cells, 1);
    await until('all are bound', async () => (await bindings()) >= warmUpCount, looks);
    firstSeconds ??= (performance.now() - startedMs) / 1_000;
  }
  return row(
    `the first ${warmUpCount} decisions, processes cold`,
    warmUpCount / (firstSeconds ?? Number.NaN),
    '/s',
  );
}

const measured = ['apiserver', 'scheduler'] as const;
/** The load itself, which takes of the same cores. */
const load = 'load';

type Cpu = { readonly [process: string]: ProcessCpu };

async function cpuNow({ constellation }: ManyCells): Promise<Cpu> {
  const pids = { ...(await constellation.processIds()), [load]: process.pid };
  const entries = Object.entries(pids).map(async ([name, pid]) => [name, await cpuOf(pid)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** What each process spent on one: tells more than rates do on a machine that others use too. */
function cpuRows(what: string, before: Cpu, after: Cpu, count: number): Row[] {
  const spent = (name: string, which: keyof ProcessCpu) =>
    ((after[name]?.[which] ?? 0) - (before[name]?.[which] ?? 0)) / count;
  const rows = measured.map((name) =>
    row(
      `CPU of the ${name}, each ${what}`,
      spent(name, 'mainUs'),
      'µs',
      `all threads ${spent(name, 'allUs').toFixed(0)}; main thread waited for a core ${spent(name, 'mainWaitedUs').toFixed(0)}`,
    ),
  );
  const all = Object.keys(before).reduce((sum, name) => sum + spent(name, 'allUs'), 0);
  const note = `the load ${spent(load, 'allUs').toFixed(0)} of them`;
  return [...rows, row(`CPU of all processes, each ${what}`, all, 'µs', note)];
}

/** Until everything has its copy elsewhere. */
async function evacuate({ admin }: ManyCells, cell: string, target: Size, count: number): Promise<number> {
  const startedMs = performance.now();
  await admin.patch(
    { cluster: cellsWorkspacePath, gvr: cellsGvr, name: cell },
    { type: 'merge', body: { spec: { taints: [{ key: cellTaints.drain, effect: 'NoExecute' }] } } },
  );
  const isMoved = async () => (await target()) >= count;
  await until('everything has moved', isMoved, { ...looks, timeoutMs: 300_000 });
  return performance.now() - startedMs;
}

type Size = () => Promise<number>;

/**
 * How many objects a collection has, by a list of one and what it says remains. A watch of them would take a tenth of what
 * the measured processes take for a decision, of the same two cores.
 */
function sizeOf({ admin }: ManyCells, collection: CollectionRef): Size {
  return async () => {
    const { items, metadata } = await admin.list(collection, { limit: 1, metadataOnly: true });
    return items.length + (metadata.remainingItemCount ?? 0);
  };
}

/** How many more there are than now. */
async function addedTo(size: Size): Promise<Size> {
  const before = await size();
  return async () => (await size()) - before;
}
