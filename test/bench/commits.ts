import { cellsGvr } from '#api/federation/cell.ts';
import { cellTaints } from '#api/federation/cell-taints.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { resourceBindingsGvr } from '#api/work/group.ts';
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
/** Decided before anything is counted: cold processes need several times what warm ones do. */
const warmUpNamespace = 'warm-up';
const warmUpCount = 2_000;
const writersAtOnce = 32;

/**
 * Decisions with their writes: objects that wait for a policy are decided and bound, one write each, and their copies
 * written; then the cell that holds them all is drained. `scale` 10: the 10,000 bindings of the goals. The processes are warm:
 * other objects were decided before, a row of their own.
 */
export async function benchCommits(scale: number): Promise<Row[]> {
  const count = Math.max(100, Math.round(1_000 * scale));
  // Nobody syncs these cells: what is measured ends at the copies.
  await using many = await startManyCells(3, { edges: false });
  const rows: Row[] = [];
  const [first = '', second = '', third = ''] = many.cells;
  rows.push(await warmUp(many, third));
  await createObjects(many, namespace, count);
  const bindings = new Count(many, { cluster: benchProject, gvr: resourceBindingsGvr, namespace });
  const isCounted = (name: string) => name.startsWith(objectPrefix);
  const copies = new Count(
    many,
    { cluster: `${cellsWorkspacePath}:${first}`, gvr: configMapsGvr },
    isCounted,
  );
  const moved = new Count(
    many,
    { cluster: `${cellsWorkspacePath}:${second}`, gvr: configMapsGvr },
    isCounted,
  );
  try {
    const cpuBefore = await cpuNow(many);
    const startedMs = performance.now();
    await placeNamespace(many, namespace, [first, second], 1);
    await until('every object is bound', () => bindings.size >= count, { timeoutMs: 120_000 });
    const decidedMs = performance.now() - startedMs;
    rows.push(row(`decisions committed, ${count} bindings`, (count / decidedMs) * 1_000, '/s', 'goal 2,000'));
    await until('every copy is written', () => copies.size + moved.size >= count, { timeoutMs: 120_000 });
    const placedMs = performance.now() - startedMs;
    rows.push(row(`decisions with their copies, ${count} objects`, (count / placedMs) * 1_000, '/s'));
    rows.push(...cpuRows('decision with its copy', cpuBefore, await cpuNow(many), count));
    const isFirst = copies.size >= moved.size;
    const [drained, target] = isFirst ? [first, moved] : [second, copies];
    const cpuPlaced = await cpuNow(many);
    const evacuatedMs = await evacuate(many, drained, target, count);
    const goal = 'goal 30 s at 10,000';
    rows.push(row(`evacuation of a cell, ${count} bindings`, evacuatedMs / 1_000, 's', goal));
    rows.push(...cpuRows('evacuated binding', cpuPlaced, await cpuNow(many), count));
  } finally {
    await Promise.all([bindings, copies, moved].map((one) => one.stop()));
  }
  return rows;
}

const objectPrefix = 'object-';

async function createObjects(
  many: ManyCells,
  into: string,
  count: number,
  prefix = objectPrefix,
): Promise<void> {
  await makeNamespace(many, into);
  await inParallel(count, writersAtOnce, (index) =>
    many.admin.create(
      { cluster: benchProject, gvr: configMapsGvr, namespace: into },
      sampleConfigMap(`${prefix}${index}`, 1_000, into),
      { metadataOnly: true },
    ),
  );
}

/** In a cell of its own, so that it has no part in what is measured afterwards. */
async function warmUp(many: ManyCells, cell: string): Promise<Row> {
  await createObjects(many, warmUpNamespace, warmUpCount, 'warm-');
  const collection = { cluster: benchProject, gvr: resourceBindingsGvr, namespace: warmUpNamespace };
  const bindings = new Count(many, collection);
  try {
    const startedMs = performance.now();
    await placeNamespace(many, warmUpNamespace, [cell]);
    await until('the first are bound', () => bindings.size >= warmUpCount, { timeoutMs: 120_000 });
    const seconds = (performance.now() - startedMs) / 1_000;
    return row(`the first ${warmUpCount} decisions, processes cold`, warmUpCount / seconds, '/s');
  } finally {
    await bindings.stop();
  }
}

const measured = ['apiserver', 'scheduler'] as const;

type Cpu = { readonly [process: string]: ProcessCpu };

async function cpuNow({ constellation }: ManyCells): Promise<Cpu> {
  const pids = await constellation.processIds();
  const entries = measured.map(async (name) => [name, await cpuOf(pids[name] ?? 0)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** What each process spent on one: tells more than rates do on a machine that others use too. */
function cpuRows(what: string, before: Cpu, after: Cpu, count: number): Row[] {
  return measured.map((name) => {
    const spent = (which: keyof ProcessCpu) =>
      ((after[name]?.[which] ?? 0) - (before[name]?.[which] ?? 0)) / count;
    return row(
      `CPU of the ${name}, each ${what}`,
      spent('mainUs'),
      'µs',
      `all threads ${spent('allUs').toFixed(0)}; main thread waited for a core ${spent('mainWaitedUs').toFixed(0)}`,
    );
  });
}

/** Until everything has its copy elsewhere. */
async function evacuate({ admin }: ManyCells, cell: string, target: Count, count: number): Promise<number> {
  const startedMs = performance.now();
  await admin.patch(
    { cluster: cellsWorkspacePath, gvr: cellsGvr, name: cell },
    { type: 'merge', body: { spec: { taints: [{ key: cellTaints.drain, effect: 'NoExecute' }] } } },
  );
  await until('everything has moved', () => target.size >= count, { timeoutMs: 300_000 });
  return performance.now() - startedMs;
}

/** How many objects a collection has had, by its watch. */
class Count {
  size = 0;
  readonly #isCounted: (name: string) => boolean;
  readonly #stopping = new AbortController();
  readonly #watching: Promise<void>;

  constructor(
    { admin }: ManyCells,
    collection: Parameters<ManyCells['admin']['watch']>[0],
    isCounted: (name: string) => boolean = () => true,
  ) {
    this.#isCounted = isCounted;
    this.#watching = this.#watch(admin, collection);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
  }

  async #watch(
    admin: ManyCells['admin'],
    collection: Parameters<ManyCells['admin']['watch']>[0],
  ): Promise<void> {
    const options = { resourceVersion: '0', metadataOnly: true, signal: this.#stopping.signal };
    for await (const event of admin.watch(collection, options)) {
      if (event.type === 'ADDED' && this.#isCounted(event.object.metadata.name ?? '')) this.size++;
    }
  }
}
