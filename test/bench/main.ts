// npm run bench [-- name …] [--scale n]: measures on this machine and prints a table; writes bench-results.json.
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { benchBareLevel } from './bare-level.ts';
import { benchDecisions } from './decisions.ts';
import { benchLatency } from './latency.ts';
import { benchRequests } from './requests.ts';
import { benchStall } from './stall.ts';
import { benchStartUp } from './start-up.ts';
import type { Row } from './table.ts';
import { benchWatchFanout } from './watch-fanout.ts';
import { benchWorkspaces } from './workspaces.ts';

const args = process.argv.slice(2);
const scaleAt = args.indexOf('--scale');
const scale = scaleAt < 0 ? 1 : Number(args[scaleAt + 1]);
const wanted = args.filter((arg, index) => !arg.startsWith('--') && args[index - 1] !== '--scale');

const benches: { readonly [name: string]: () => Promise<Row[]> } = {
  level: benchBareLevel,
  start: benchStartUp,
  requests: () => benchRequests(scale),
  watch: benchWatchFanout,
  workspaces: () => benchWorkspaces(Math.round(10_000 * scale)),
  decisions: benchDecisions,
  latency: benchLatency,
  stall: () => benchStall(Math.round(1_000_000 * scale)),
};

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
