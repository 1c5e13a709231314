// Child process: as many edge API servers as its first argument says, in memory, `real` or `thin` as its second does, with
// certificates of the authority in the folder of its third. Tells its parent where they listen and how; once asked to, also
// when each ConfigMap and Deployment is stored: a client of the parent's for each edge would cost more than what is measured.

import type { KubeObject } from '#apimachinery/object.ts';
import { ensurePki } from '#apiserver/pki/pki.ts';
import type { CollectionRef, KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { InProcessServer } from '../harness/in-process-server.ts';
import { adminConnectionTo, createTestPki } from '../harness/test-pki.ts';
import type { Arrival, FarmMessage } from './farm-message.ts';
import { sharedNowMs } from './paced-job.ts';
import { ThinEdge } from './thin-edge.ts';
import { serveThinEdges } from './thin-edge-server.ts';

const tellEveryMs = 25;
const told = [
  { group: '', version: 'v1', resource: 'configmaps' },
  { group: 'apps', version: 'v1', resource: 'deployments' },
];

let isAsked = false;
let arrivals: Arrival[] = [];
const pkiDirectory = process.argv[4];
const pki =
  pkiDirectory === undefined
    ? await createTestPki()
    : await ensurePki({ directory: pkiDirectory, hosts: ['127.0.0.1'], now: new Date() });
const admin = adminConnectionTo(pki, 'https://127.0.0.1');
const count = Number(process.argv[2]);
tell({ connections: process.argv[3] === 'thin' ? await startThin() : await startReal() });
process.once('disconnect', () => process.exit());

async function startReal(): Promise<ServerConnection[]> {
  const servers = Array.from(
    { length: count },
    () => new InProcessServer({ mode: 'edge', pki, logger: silentLogger }),
  );
  for (const server of servers) await server.start();
  process.once('message', () => {
    isAsked = true;
    for (const { loopbackClient } of servers) for (const gvr of told) void watch(loopbackClient, gvr);
  });
  return servers.map(({ url }) => ({ ...admin, server: url }));
}

async function startThin(): Promise<ServerConnection[]> {
  const edges = Array.from(
    { length: count },
    () =>
      new ThinEdge(({ resource }, { metadata }) => {
        if (told.some((gvr) => gvr.resource === resource)) note(metadata);
      }),
  );
  const origin = await serveThinEdges(edges, pki);
  process.once('message', () => {
    isAsked = true;
  });
  return edges.map((_, index) => ({ ...admin, server: `${origin}/edges/${index}` }));
}

async function watch(client: KubeClient, gvr: CollectionRef['gvr']): Promise<void> {
  const options = { resourceVersion: '0', metadataOnly: true };
  for await (const event of client.watch({ cluster: undefined, gvr }, options)) {
    if (event.type === 'ADDED') note(event.object.metadata);
  }
}

function note({ name = '', namespace = '' }: KubeObject['metadata']): void {
  if (!isAsked) return;
  if (arrivals.length === 0) setTimeout(tellArrivals, tellEveryMs);
  arrivals.push([name, sharedNowMs(), namespace]);
}

function tellArrivals(): void {
  tell({ arrivals });
  arrivals = [];
}

function tell(message: FarmMessage): void {
  process.send?.(message);
}
