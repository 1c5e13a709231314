import { startFloodScene } from './flood-scene.ts';
import { type Row, row } from './table.ts';

const seconds = 5;
const warmMs = 1_500;
/** Each of the quiet tenant's connections, or streams, asks fifty times a second. */
const clients = {
  'http/1': { quiet: { connections: 4 }, noisy: { connections: 400 }, told: '400 connections' },
  'http/2': {
    quiet: { connections: 1, streams: 4 },
    noisy: { connections: 4, streams: 100 },
    told: '4 connections of 100 streams',
  },
} as const;

/**
 * A tenant that keeps hundreds of connections or streams busy and does not heed 429 against one that reads and writes now
 * and then (KUBERNETES.md O2): the quiet one's p99 with and without the flood, over HTTP/1 and over HTTP/2.
 */
export async function benchFlood(): Promise<Row[]> {
  await using scene = await startFloodScene();
  const rows: Row[] = [];
  for (const protocol of ['http/1', 'http/2'] as const) {
    const { quiet, noisy, told } = clients[protocol];
    for (const method of ['GET', 'POST'] as const) {
      const asking = { tenant: 'quiet', method, protocol, intervalMs: 20, ...quiet } as const;
      const [alone] = await scene.measure([asking], warmMs, seconds * 1_000);
      const p50 = `p50 ${alone!.p50Ms.toFixed(1)} ms`;
      rows.push(row(`${protocol}: quiet tenant's ${method}, p99 alone`, alone!.p99Ms, 'ms', p50));
      for (const flood of ['GET', 'POST'] as const) {
        const flooding = { tenant: 'noisy', method: flood, protocol, intervalMs: 0, ...noisy } as const;
        const [beside, counted] = await scene.measure([asking, flooding], warmMs, seconds * 1_000);
        const answers = Object.entries(counted!.counts)
          .map(([code, count]) => `${Math.round(count / seconds)}/s ${code}`)
          .join(', ');
        const note = [
          `p50 ${beside!.p50Ms.toFixed(1)} ms`,
          `${(beside!.p99Ms / alone!.p99Ms).toFixed(1)} times, goal 2`,
          `flood: ${answers}`,
          `quiet: ${JSON.stringify(beside!.counts)}`,
        ];
        rows.push(row(`the same beside ${told} flooding ${flood}`, beside!.p99Ms, 'ms', note.join('; ')));
      }
    }
  }
  return rows;
}
