// Child process: edges that can fall ill, each in front of an API server's workspace. What they do when they are ill (floods,
// endless answers) takes CPU time that must not be that of the process which takes the times.
import { ensurePki } from '#apiserver/pki/pki.ts';
import { SickEdge } from '../harness/sick-edge.ts';
import type { SickAnswer, SickOrder } from './sick-order.ts';

const edges: SickEdge[] = [];

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
    for (const [index, edge] of edges.entries()) {
      edge.requests = 0;
      edge.set(sicknesses[index] ?? 'none');
    }
  }
  return {
    connections: edges.map(({ connection }) => connection),
    requests: edges.map(({ requests }) => requests),
  };
}
