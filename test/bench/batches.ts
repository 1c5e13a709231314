import { RemoteClient } from '#client/remote/remote-client.ts';
import { startLoneServer } from '../harness/lone-server.ts';
import { inParallel } from './many-cells.ts';
import { cpuOf } from './raw-load.ts';
import { sampleConfigMap } from './samples.ts';
import { type Row, row } from './table.ts';

const atOnce = 64;
const rounds = 4;
const collection = {
  cluster: 'root',
  gvr: { group: '', version: 'v1', resource: 'configmaps' },
  namespace: 'default',
} as const;

/**
 * What a call of our own client costs both sides when it is sent by itself and in a batch (docs/batches.md): the same calls,
 * 64 at a time, both ways in turn. CPU times, the first round of each not counted.
 */
export async function benchBatches(scale: number): Promise<Row[]> {
  const count = Math.max(500, Math.round(2_000 * scale));
  await using server = await startLoneServer();
  const clients = [false, true].map((batches) => ({
    batches,
    client: new RemoteClient(server.connection, { userAgent: 'cellplane-bench', batches }),
  }));
  const rows: Row[] = [];
  try {
    for (const verb of ['create', 'get'] as const) {
      const spent = clients.map(() => ({ serverUs: 0, clientUs: 0 }));
      for (let round = 0; round < rounds; round++) {
        for (const [which, { client, batches }] of clients.entries()) {
          const before = (await cpuOf(server.process.pid)).allUs;
          const ownBefore = process.cpuUsage();
          await inParallel(count, atOnce, (index) => {
            const name = `${batches}-${round}-${index}`;
            return verb === 'create'
              ? client.create(collection, sampleConfigMap(name, 1_000), { metadataOnly: true })
              : client.get({ ...collection, name });
          });
          const own = process.cpuUsage(ownBefore);
          const sum = spent[which];
          if (round === 0 || sum === undefined) continue;
          sum.serverUs += ((await cpuOf(server.process.pid)).allUs - before) / count / (rounds - 1);
          sum.clientUs += (own.user + own.system) / count / (rounds - 1);
        }
      }
      for (const [which, { batches }] of clients.entries()) {
        const { serverUs = 0, clientUs = 0 } = spent[which] ?? {};
        const how = batches ? 'in batches' : 'by itself';
        rows.push(row(`CPU of a ${verb} sent ${how}`, serverUs, 'µs', `client ${clientUs.toFixed(0)} µs`));
      }
    }
  } finally {
    await Promise.all(clients.map(({ client }) => client.close()));
  }
  return rows;
}
