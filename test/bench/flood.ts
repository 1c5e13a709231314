import { type FloodFigures, startFloodScene } from './flood-scene.ts';
import { median, type Row, row } from './table.ts';

const seconds = 5;
const warmMs = 1_500;
const counting = { awaitsAnswers: true };
const floods = ['GET', 'POST'] as const;
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
 * and then (KUBERNETES.md O2): the quiet one's p99 with and without the flood, over HTTP/1 and over HTTP/2. Alone, beside
 * each flood, and again, `rounds` times; told are medians: one p99 is that of a thousand requests, and one collection of
 * garbage more or less in them doubles it, alone as well as beside a flood.
 */
export async function benchFlood(rounds: number): Promise<Row[]> {
  await using scene = await startFloodScene();
  const rows: Row[] = [];
  for (const protocol of ['http/1', 'http/2'] as const) {
    const { quiet, noisy, told } = clients[protocol];
    for (const method of ['GET', 'POST'] as const) {
      const asking = { tenant: 'quiet', method, protocol, intervalMs: 20, ...quiet } as const;
      const alone: FloodFigures[] = [];
      const beside = { GET: [] as FloodFigures[], POST: [] as FloodFigures[] };
      const flooding = { GET: [] as FloodFigures[], POST: [] as FloodFigures[] };
      for (let round = 0; round < rounds; round++) {
        const [quietFigures] = await scene.measure([asking], warmMs, seconds * 1_000, counting);
        alone.push(quietFigures!);
        for (const flood of floods) {
          const noise = { tenant: 'noisy', method: flood, protocol, intervalMs: 0, ...noisy } as const;
          const [besideFlood, ofFlood] = await scene.measure(
            [asking, noise],
            warmMs,
            seconds * 1_000,
            counting,
          );
          beside[flood].push(besideFlood!);
          flooding[flood].push(ofFlood!);
        }
      }
      rows.push(row(`${protocol}: quiet tenant's ${method}, p99 alone`, p99Ms(alone), 'ms', spread(alone)));
      for (const flood of floods) {
        const ratios = beside[flood].map((figures, round) => figures.p99Ms / alone[round]!.p99Ms);
        const note = [
          `${median(ratios).toFixed(1)} times (${ratios.map((ratio) => ratio.toFixed(1)).join(', ')}), goal 2`,
          spread(beside[flood]),
          `flood: ${answers(flooding[flood])}`,
          `quiet: ${answers(beside[flood])}`,
        ];
        const name = `the same beside ${told} flooding ${flood}`;
        rows.push(row(name, p99Ms(beside[flood]), 'ms', note.join('; ')));
      }
    }
  }
  return rows;
}

function p99Ms(figures: readonly FloodFigures[]): number {
  return median(figures.map((one) => one.p99Ms));
}

function spread(figures: readonly FloodFigures[]): string {
  const p50Ms = median(figures.map((one) => one.p50Ms));
  return `p50 ${p50Ms.toFixed(1)} ms, p99 ${figures.map((one) => one.p99Ms.toFixed(1)).join(', ')}`;
}

/** Rates by status code, over all rounds. */
function answers(figures: readonly FloodFigures[]): string {
  const counts = new Map<string, number>();
  for (const one of figures) {
    for (const [code, count] of Object.entries(one.counts)) counts.set(code, (counts.get(code) ?? 0) + count);
  }
  const perSecond = (count: number) => Math.round(count / (seconds * figures.length));
  return [...counts].map(([code, count]) => `${perSecond(count)}/s ${code}`).join(', ');
}
