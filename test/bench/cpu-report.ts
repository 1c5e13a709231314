import { cpuOf, type ProcessCpu } from './raw-load.ts';
import { median, type Row, row } from './table.ts';

/** CPU time of processes, by the name that they are given. */
export type ProcessCpus = ReadonlyMap<string, ProcessCpu>;

/** Processes that a deployment has elsewhere, or not at all: load, measuring, edges. The rest is Cellplane. */
const ownNames: ReadonlySet<string> = new Set(['edges', 'sick edges', 'load generator', 'benchmark']);

export async function cpusOf(processes: ReadonlyMap<string, number>): Promise<ProcessCpus> {
  const cpus = new Map<string, ProcessCpu>();
  for (const [name, pid] of [...processes, ['benchmark', process.pid] as const]) {
    const cpu = await cpuOf(pid).catch((cause: unknown) => {
      throw new Error(`${name}, process ${pid}, has ended`, { cause });
    });
    cpus.set(name, cpu);
  }
  return cpus;
}

export function spentBetween(before: ProcessCpus, after: ProcessCpus): ProcessCpus {
  const none: ProcessCpu = { allUs: 0, mainUs: 0, mainWaitedUs: 0 };
  return new Map(
    [...after].map(([name, then]) => {
      const { allUs, mainUs, mainWaitedUs } = before.get(name) ?? none;
      const spent = {
        allUs: then.allUs - allUs,
        mainUs: then.mainUs - mainUs,
        mainWaitedUs: then.mainWaitedUs - mainWaitedUs,
      };
      return [name, spent] as const;
    }),
  );
}

/** Of several runs of the same, each figure for itself. */
export function medianOf(runs: readonly ProcessCpus[]): ProcessCpus {
  const [first = new Map<string, ProcessCpu>()] = runs;
  return new Map(
    [...first.keys()].map((name) => {
      const of = (which: keyof ProcessCpu) => median(runs.map((run) => run.get(name)?.[which] ?? 0));
      return [name, { allUs: of('allUs'), mainUs: of('mainUs'), mainWaitedUs: of('mainWaitedUs') }] as const;
    }),
  );
}

/** What one object took: of Cellplane's processes, and of what is there to measure them. */
export function cpuRows(spent: ProcessCpus, objects: number): Row[] {
  const part = (title: string, isOwn: boolean): Row => {
    const chosen = [...spent].filter(([name]) => ownNames.has(name) === isOwn);
    const eachMs = (us: number) => us / 1_000 / objects;
    const totalMs = chosen.reduce((sum, [, { allUs }]) => sum + eachMs(allUs), 0);
    const told = chosen.flatMap(([name, { allUs, mainUs, mainWaitedUs }]) => {
      if (eachMs(allUs) < 0.01) return [];
      const main = `main thread ${eachMs(mainUs).toFixed(2)}, which waited ${eachMs(mainWaitedUs).toFixed(2)} for a core`;
      return [`${name} ${eachMs(allUs).toFixed(2)}${isOwn ? '' : ` (${main})`}`];
    });
    return row(title, totalMs, 'ms', told.join(', '));
  };
  return [
    part('  CPU of each object, Cellplane', false),
    part("  CPU of each object, the benchmark's own", true),
  ];
}
