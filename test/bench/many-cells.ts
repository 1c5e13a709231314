import { conditionOf } from '#api/conditions.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath, federationGroup, federationVersion } from '#api/federation/group.ts';
import { loadKubeconfig } from '#client/kubeconfig.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { type StartedConstellation, startConstellation } from '../harness/started.ts';
import { type EdgeMake, startEdgeFarm } from './edge-farm-process.ts';
import { reached } from './progress.ts';

export const namespacesGvr = { group: '', version: 'v1', resource: 'namespaces' } as const;
export const configMapsGvr = { group: '', version: 'v1', resource: 'configmaps' } as const;
export const benchProject = 'root:acme:shop';
const credentialsNamespace = 'bench-credentials';
const policiesGvr = {
  group: 'policy.karmada.io',
  version: 'v1alpha1',
  resource: 'propagationpolicies',
} as const;

/** What `cellplane start` starts, and as many more cells as wanted, whose edges share one process. */
export interface ManyCells extends AsyncDisposable {
  readonly constellation: StartedConstellation;
  /** The platform's administrator; refs name workspaces. */
  readonly admin: RemoteClient;
  /** To the federation API server, as the administrator. */
  readonly federation: ServerConnection;
  readonly cells: readonly string[];
  /** Beside `cells`: the administrator's way to each edge; none for cells without edges. */
  readonly edges: readonly ServerConnection[];
  /** Names of all processes, and their ids. */
  processIds(): Promise<ReadonlyMap<string, number>>;
  /** Calls back when an edge has stored a ConfigMap or Deployment, for all from now on; `atMs` by `sharedNowMs`. Once. */
  onArrival(callback: (name: string, atMs: number, namespace: string) => void): void;
}

/**
 * `edges: false`: cells that nobody syncs, told ready by hand, for measuring what comes before the edges. `federator` pins
 * all cells to one; default: they are spread over those that there are.
 */
export async function startManyCells(
  count: number,
  options: { readonly edges?: EdgeMake | false; readonly federator?: string } = {},
): Promise<ManyCells> {
  const constellation = await startConstellation();
  const farm = options.edges === false ? undefined : await startEdgeFarm(count, options.edges ?? 'real');
  const context = await loadKubeconfig(constellation.kubeconfig, 'root');
  const federation = { ...context, server: new URL(context.server).origin };
  // Lean, as the scheduler's: what it watches is rendered once for both, and costs the load's own share less.
  const admin = new RemoteClient(federation, { userAgent: 'cellplane-bench', leanMetadata: true });
  const cells = Array.from({ length: count }, (_, index) => `bench-${String(index).padStart(4, '0')}`);
  const edges = farm?.connections ?? [];
  await admin.create(
    { cluster: cellsWorkspacePath, gvr: namespacesGvr },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: credentialsNamespace } },
  );
  const federator = options.edges === false ? 'nobody' : options.federator;
  await Promise.all(cells.map((name, index) => addCell(admin, name, edges[index], federator)));
  return {
    constellation,
    admin,
    federation,
    cells,
    edges,
    async processIds() {
      const ids = new Map(Object.entries(await constellation.processIds()));
      if (farm !== undefined) ids.set('edges', farm.pid);
      return ids;
    },
    onArrival: (callback) => farm?.onArrival(callback),
    async [Symbol.asyncDispose]() {
      await admin.close();
      await constellation[Symbol.asyncDispose]();
      farm?.end();
    },
  };
}

/** Resolves when every cell says that its edge is ready. */
export async function cellsReady({ admin, cells }: ManyCells): Promise<void> {
  const areReady = async () => {
    const { items } = await admin.list({ cluster: cellsWorkspacePath, gvr: cellsGvr });
    const ready = new Set<string>();
    for (const cell of items as Cell[]) {
      if (conditionOf(cell.status?.conditions, 'Ready')?.status === 'True')
        ready.add(cell.metadata.name ?? '');
    }
    return cells.filter((name) => ready.has(name)).length;
  };
  await reached('cells that are ready', areReady, cells.length, { everyMs: 500 });
}

/** A policy that sends the ConfigMaps of a namespace of the project to these cells, each object to `each` of them. */
export async function placeNamespace(
  { admin }: ManyCells,
  namespace: string,
  clusterNames: readonly string[],
  each = clusterNames.length,
  kinds: readonly (readonly [apiVersion: string, kind: string])[] = [['v1', 'ConfigMap']],
): Promise<void> {
  await admin.create(
    { cluster: benchProject, gvr: policiesGvr, namespace },
    {
      apiVersion: 'policy.karmada.io/v1alpha1',
      kind: 'PropagationPolicy',
      metadata: { name: 'bench', namespace },
      spec: {
        resourceSelectors: kinds.map(([apiVersion, kind]) => ({ apiVersion, kind })),
        placement: {
          clusterAffinity: { clusterNames: [...clusterNames] },
          ...(each === clusterNames.length
            ? {}
            : { spreadConstraints: [{ spreadByField: 'cluster', minGroups: each, maxGroups: each }] }),
        },
      },
    },
  );
}

export async function makeNamespace({ admin }: ManyCells, name: string): Promise<void> {
  await admin.create(
    { cluster: benchProject, gvr: namespacesGvr },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
  );
}

/** Runs `work` for 0 … count − 1, `width` at a time. */
export async function inParallel(
  count: number,
  width: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

async function addCell(
  admin: RemoteClient,
  name: string,
  edge: ServerConnection | undefined,
  federator: string | undefined,
): Promise<void> {
  const base64 = (text = '') => Buffer.from(text, 'utf8').toString('base64');
  await admin.create(
    {
      cluster: cellsWorkspacePath,
      gvr: { group: '', version: 'v1', resource: 'secrets' },
      namespace: credentialsNamespace,
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: credentialsNamespace },
      type: 'Opaque',
      data: {
        caBundle: base64(edge?.caPem),
        'tls.crt': base64(edge?.certificatePem),
        'tls.key': base64(edge?.keyPem),
      },
    },
  );
  const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr };
  await admin.create(ref, {
    apiVersion: `${federationGroup}/${federationVersion}`,
    kind: 'Cell',
    metadata: { name },
    spec: {
      apiEndpoint: edge?.server ?? 'https://127.0.0.1:1',
      secretRef: { namespace: credentialsNamespace, name },
      ...(federator === undefined ? {} : { federator: { name: federator } }),
    },
  });
  if (edge !== undefined) return;
  const lastTransitionTime = new Date().toISOString().replace(/\.\d+/, '');
  const ready = { type: 'Ready', status: 'True', reason: 'Bench', message: '', lastTransitionTime };
  await admin.patch(
    { ...ref, name },
    { type: 'merge', body: { status: { conditions: [ready] } } },
    { subresource: 'status' },
  );
}
