import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { KubeClient } from '#client/client.ts';
import { LeaseHolder } from '#client/lease.ts';
import type { WorkQueueMetrics } from '#client/metrics/work-queue-metrics.ts';
import { CrdApiServices } from '../aggregation/crd-api-services.ts';
import { LeaderTerms, type TermControllers } from '../controllers/leader-terms.ts';
import { ServerControllers } from '../controllers/server-controllers.ts';
import type { StoreEvents } from '../controllers/store-events.ts';
import type { CrdCatalog } from '../crd/crd-catalog.ts';
import { CrdController } from '../crd/crd-controller.ts';
import type { SchemeCatalog } from '../workspace/scheme-catalog.ts';
import type { WorkspaceDirectory } from '../workspace/workspace-index.ts';
import type { ApiServerOptions } from './options.ts';

/** How long controllers may rest after the server that ran them died. */
const controllerLeaseMs = 10_000;

/** On a store of its own a server runs the controllers at once and always; of several on one store, one does. */
export function electedControllers(
  { storage, clock, logger, mode }: ApiServerOptions,
  client: KubeClient,
  make: () => TermControllers,
): TermControllers {
  if (storage.awaitSettled !== undefined) return make();
  const lease = new LeaseHolder({
    client,
    lease: {
      cluster: mode === 'edge' ? undefined : 'root',
      gvr: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
      namespace: 'kube-system',
      name: 'cellplane-apiserver',
    },
    identity: `${hostname()}_${randomUUID()}`,
    clock,
    logger,
    durationMs: controllerLeaseMs,
    renewIntervalMs: controllerLeaseMs / 5,
  });
  return new LeaderTerms({ lease, make, logger });
}

export interface ControllerParts {
  readonly options: ApiServerOptions;
  readonly crds: CrdCatalog;
  readonly schemes: SchemeCatalog;
  readonly events: StoreEvents;
  readonly directory: WorkspaceDirectory;
  readonly client: KubeClient;
  readonly rootCa: () => string;
  readonly queues: WorkQueueMetrics;
}

/** The controllers of one term, over all workspaces. */
export function termControllers(parts: ControllerParts): TermControllers {
  const { options, crds, schemes, events, directory, client, rootCa, queues } = parts;
  const { storage, clock, logger, mode } = options;
  const on = { storage, events, index: directory, client, clock, logger, queues };
  const server = new ServerControllers({ ...on, rootCa, workspaces: mode === 'federation' });
  const crd = new CrdController({
    catalog: crds,
    client,
    baseScheme: (clusterId) => {
      const record = directory.recordOf(clusterId);
      return record === undefined ? undefined : schemes.baseOf(record.kind);
    },
    clock,
    logger,
    queues,
  });
  const apiServices = new CrdApiServices(on, crds);
  return {
    start: () => {
      server.start();
      crd.start();
      apiServices.start();
    },
    stop: async () => {
      await Promise.all([server.stop(), crd.stop(), apiServices.stop()]);
    },
  };
}
