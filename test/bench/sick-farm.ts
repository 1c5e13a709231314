// Child process: edges that can fall ill, each in front of an API server's workspace. What they do when they are ill (floods,
// endless answers) takes CPU time that must not be that of the process which takes the times, nor be taken from those that are
// measured: edges have machines of their own in earnest, so this process comes behind the others. What
// it floods with waits for its reader all the same (TCP's windows).
import os from 'node:os';
import { ensurePki } from '#apiserver/pki/pki.ts';
import { hugeAnswer, SickEdge } from '../harness/sick-edge.ts';
import type { SickAnswer, SickCounts, SickOrder } from './sick-order.ts';

os.setPriority(os.constants.priority.PRIORITY_BELOW_NORMAL);

// Takes some hundred milliseconds, which are not to be those of the first run.
hugeAnswer();

const edges: SickEdge[] = [];
/** Of each edge, when it last fell ill or was cured. */
let before: SickCounts[] = [];

process.on('message', (order: SickOrder) => {
  obey(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ error: String(error) } satisfies SickAnswer),
  );
});
process.once('disconnect', () => process.exit());

async function obey({ start, sicknesses }: SickOrder): Promise<SickAnswer> {
  if (start !== undefined) {
    const pki = await ensurePki({ directory: start.pkiDirectory, hosts: [], now: new Date() });
    for (const target of start.targets) edges.push(await SickEdge.start({ pki, target }));
  }
  if (sicknesses !== undefined) {
    before = edges.map(countsOf);
    for (const [index, edge] of edges.entries()) edge.set(sicknesses[index] ?? 'none');
  }
  return {
    connections: edges.map(({ connection }) => connection),
    counts: edges.map((edge, index) => {
      const { requests, connections, bytesSent } = countsOf(edge);
      const then = before[index] ?? { requests: 0, connections: 0, bytesSent: 0 };
      return {
        requests: requests - then.requests,
        connections: connections - then.connections,
        bytesSent: bytesSent - then.bytesSent,
      };
    }),
  };
}

function countsOf({ requests, connections, bytesSent }: SickEdge): SickCounts {
  return { requests, connections, bytesSent };
}
