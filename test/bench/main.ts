// npm run bench [-- name …] [--scale n] [--rates n,n…] [--edges real] [--sick s,s…|--apart s,s…] [--pairs n]: measures on this
// machine and prints a table; writes bench-results.json.
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import type { Row } from './table.ts';

const args = process.argv.slice(2);
const scale = Number(option('--scale') ?? 1);
/** Objects each second, of those that can be asked for several. */
const rates = option('--rates')?.split(',').map(Number) ?? [];
const edges = option('--edges') === 'real' ? 'real' : 'thin';
const wanted = args.filter((arg, index) => !arg.startsWith('--') && !args[index - 1]?.startsWith('--'));

// Each is loaded when its turn comes: one that measures in this process starts with a clean heap.
const benches: { readonly [name: string]: () => Promise<Row[]> } = {
  level: async () => (await import('./bare-level.ts')).benchBareLevel(),
  stages: async () => (await import('./stages.ts')).benchStages(),
  start: async () => (await import('./start-up.ts')).benchStartUp(),
  requests: async () => (await import('./requests.ts')).benchRequests(scale),
  features: async () => (await import('./features.ts')).benchFeatures(scale),
  etcd: async () => (await import('./etcd.ts')).benchEtcd(scale),
  watch: async () => (await import('./watch-fanout.ts')).benchWatchFanout(),
  workspaces: async () => (await import('./workspaces.ts')).benchWorkspaces(Math.round(10_000 * scale)),
  decisions: async () => (await import('./decisions.ts')).benchDecisions(),
  latency: async () => (await import('./latency.ts')).benchLatency(),
  cells: async () => (await import('./cells.ts')).benchCells(scale, { rates, edges }),
  batches: async () => (await import('./batches.ts')).benchBatches(scale),
  commits: async () => (await import('./commits.ts')).benchCommits(scale),
  flood: async () => (await import('./flood.ts')).benchFlood(Number(option('--pairs') ?? 3)),
  steady: async () => (await import('./steady.ts')).benchSteady(scale),
  bulkheads: async () =>
    (await import('./bulkheads.ts')).benchBulkheads(Math.round(100 * scale), {
      pairs: Number(option('--pairs') ?? 5),
      perSecond: rates[0] ?? 100,
      sick: (option('--apart') ?? option('--sick'))?.split(','),
      apart: option('--apart') !== undefined,
    }),
  stall: async () => (await import('./stall.ts')).benchStall(Math.round(1_000_000 * scale)),
};

if (args.includes('--help') || args.includes('-h')) {
  const usage =
    'npm run bench [-- name … --scale n --rates n,n… --edges real --sick s,s…|--apart all --pairs n]';
  process.stdout.write(`${usage}\nnames: ${Object.keys(benches).join(', ')}\n`);
  process.exit(0);
}
const unknown = wanted.filter((name) => benches[name] === undefined);
if (unknown.length > 0)
  throw new Error(`no benchmark ${unknown.join(', ')}; there are: ${Object.keys(benches).join(', ')}`);

const rows: Row[] = [];
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stdout.write(`\n${name}\n`);
  rows.push(...(await bench()));
}
const machine = {
  node: process.version,
  cpus: os.cpus().length,
  cpu: os.cpus()[0]?.model ?? '',
  memoryBytes: os.totalmem(),
};
await writeFile(
  'bench-results.json',
  `${JSON.stringify({ at: new Date().toISOString(), scale, machine, rows }, null, 2)}\n`,
);
process.stdout.write('\nwritten: bench-results.json\n');

function option(name: string): string | undefined {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
}
