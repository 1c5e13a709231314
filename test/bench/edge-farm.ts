// Child process: as many edge API servers as its argument says, in memory. Tells its parent where they listen and how; once
// asked to, also when each ConfigMap is stored: a client of the parent's for each edge would cost more than what is measured.
import type { KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { InProcessServer } from '../harness/in-process-server.ts';
import { adminConnectionTo, createTestPki } from '../harness/test-pki.ts';
import type { Arrival, FarmMessage } from './farm-message.ts';
import { sharedNowMs } from './paced-job.ts';

const tellEveryMs = 25;
const configMaps = { cluster: undefined, gvr: { group: '', version: 'v1', resource: 'configmaps' } };

const pki = await createTestPki();
const servers = Array.from(
  { length: Number(process.argv[2]) },
  () => new InProcessServer({ mode: 'edge', pki, logger: silentLogger }),
);
for (const server of servers) await server.start();
const admin = adminConnectionTo(pki, 'https://127.0.0.1');
tell({ connections: servers.map(({ url }) => ({ ...admin, server: url })) });
process.once('disconnect', () => process.exit());
process.once('message', () => {
  for (const { loopbackClient } of servers) void watch(loopbackClient);
});

let arrivals: Arrival[] = [];
async function watch(client: KubeClient): Promise<void> {
  for await (const event of client.watch(configMaps, { resourceVersion: '0', metadataOnly: true })) {
    if (event.type !== 'ADDED') continue;
    if (arrivals.length === 0) setTimeout(tellArrivals, tellEveryMs);
    arrivals.push([event.object.metadata.name ?? '', sharedNowMs()]);
  }
}

function tellArrivals(): void {
  tell({ arrivals });
  arrivals = [];
}

function tell(message: FarmMessage): void {
  process.send?.(message);
}
