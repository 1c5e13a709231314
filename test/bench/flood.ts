import { startFloodScene } from './flood-scene.ts';
import { type Row, row } from './table.ts';

const seconds = 5;
const warmMs = 1_500;
const floodConnections = 400;
/** Each of the quiet tenant's connections asks fifty times a second. */
const quietly = { tenant: 'quiet', connections: 4, intervalMs: 20 } as const;

/**
 * A tenant that keeps hundreds of connections busy and does not heed 429 against one that reads and writes now and then
 * (KUBERNETES.md O2): the quiet one's p99 with and without the flood.
 */
export async function benchFlood(): Promise<Row[]> {
  await using scene = await startFloodScene();
  const rows: Row[] = [];
  for (const method of ['GET', 'POST'] as const) {
    const quiet = { ...quietly, method };
    const [alone] = await scene.measure([quiet], warmMs, seconds * 1_000);
    const p50 = `p50 ${alone!.p50Ms.toFixed(1)} ms`;
    rows.push(row(`quiet tenant's ${method}, p99 alone`, alone!.p99Ms, 'ms', p50));
    for (const flood of ['GET', 'POST'] as const) {
      const noisy = { tenant: 'noisy', method: flood, connections: floodConnections, intervalMs: 0 } as const;
      const [beside, flooding] = await scene.measure([quiet, noisy], warmMs, seconds * 1_000);
      const told = Object.entries(flooding!.counts)
        .map(([code, count]) => `${Math.round(count / seconds)}/s ${code}`)
        .join(', ');
      const note = [
        `p50 ${beside!.p50Ms.toFixed(1)} ms`,
        `${(beside!.p99Ms / alone!.p99Ms).toFixed(1)} times, goal 2`,
        `flood: ${told}`,
        `quiet: ${JSON.stringify(beside!.counts)}`,
      ];
      const name = `the same beside ${floodConnections} connections flooding ${flood}`;
      rows.push(row(name, beside!.p99Ms, 'ms', note.join('; ')));
    }
  }
  return rows;
}
