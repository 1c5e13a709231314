import {
  kindAnnotation,
  logicalClusterDefinition,
  logicalClusterName,
  pathAnnotation,
  typeAnnotation,
} from '#api/core-kcp/logical-cluster.ts';
import { shardDefinition } from '#api/core-kcp/shard.ts';
import { cellsWorkspacePath, federatorLeaseNamespace } from '#api/federation/group.ts';
import {
  logicalClusterFinalizer,
  phaseLabel,
  shardAnnotation,
  tenancyGroup,
  workspaceDefinition,
} from '#api/tenancy/workspace.ts';
import { workspaceTypeDefinition } from '#api/tenancy/workspace-type.ts';
import { type Clock, systemClock } from '#apimachinery/clock.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { Revision } from '#storage/storage.ts';
import { builtInWorkspaceTypes, commonWorkspaceTypes } from './built-in-types.ts';
import { newClusterId, parentPathOf, rootClusterId, workspaceNameOf } from './cluster-ref.ts';
import type { SchemeCatalog } from './scheme-catalog.ts';
import { plantSeeds, type Seed, seedKey, seedOperation } from './seed.ts';
import type { WorkspaceKind } from './workspace.ts';
import { namespaceSeed, readyConditions } from './workspace-belongings.ts';
import type { WorkspaceIndex } from './workspace-index.ts';

export interface BootstrapOptions {
  readonly storage: CachedStorage;
  readonly schemes: SchemeCatalog;
  readonly index: WorkspaceIndex;
  /** As in WorkspaceLifecycleOptions. */
  readonly externalUrl: () => string;
  readonly clock?: Clock | undefined;
}

/**
 * Makes what a server must hold before it serves: root with its types and its Shard, and `root:cells`. What exists
 * stays as it is, so that it may be run at every start and by several servers at once.
 */
export async function bootstrapWorkspaces(options: BootstrapOptions): Promise<void> {
  const { storage, clock = systemClock } = options;
  const now = nowTime(clock.now());
  await storage.awaitFresh();
  await plantSeeds(storage, rootSeeds(options, now), now);
  await plantCellsWorkspace(options, now);
  const cells = options.index.find(cellsWorkspacePath);
  if (cells === undefined) throw new Error(`workspace ${cellsWorkspacePath} could not be made`);
  const namespaces = definitionOf(options, 'cells', '', 'namespaces');
  const lease = { ...namespaceSeed(federatorLeaseNamespace), definition: namespaces };
  await plantSeeds(storage, [{ ...lease, clusterId: cells.id, clusterAnnotation: true }], now);
}

function rootSeeds(options: BootstrapOptions, now: string): Seed[] {
  const url = options.externalUrl();
  const common = { clusterId: rootClusterId, clusterAnnotation: true };
  const seed = (definition: ResourceDefinition, name: string, content: JsonObject): Seed => ({
    ...common,
    definition,
    metadata: { name },
    content,
  });
  const rbac = (resource: string) => definitionOf(options, 'root', 'rbac.authorization.k8s.io', resource);
  const shard = seed(shardDefinition, 'root', {
    spec: { baseURL: url, externalURL: url, virtualWorkspaceURL: url },
  });
  return [
    logicalClusterSeed(options, { id: rootClusterId, path: 'root', kind: 'root', now }),
    { ...common, definition: definitionOf(options, 'root', '', 'namespaces'), ...namespaceSeed('default') },
    { ...shard, metadata: { name: 'root', labels: { name: 'root' } } },
    ...Object.entries(builtInWorkspaceTypes).map(([name, spec]) =>
      seed(workspaceTypeDefinition, name, { spec }),
    ),
    seed(rbac('clusterroles'), typeUserRole, {
      rules: [
        {
          apiGroups: [tenancyGroup],
          resources: ['workspacetypes'],
          resourceNames: [...commonWorkspaceTypes],
          verbs: ['use'],
        },
      ],
    }),
    seed(rbac('clusterrolebindings'), typeUserRole, {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: typeUserRole },
      subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'system:authenticated' }],
    }),
  ];
}

const typeUserRole = 'system:cellplane:workspacetype-user';

/** Its Workspace and LogicalCluster must be of one making: guarded by the Workspace's absence. */
async function plantCellsWorkspace(options: BootstrapOptions, now: string): Promise<void> {
  const { storage } = options;
  const id = newClusterId();
  const path = cellsWorkspacePath;
  const workspace: Seed = {
    definition: workspaceDefinition,
    clusterId: rootClusterId,
    clusterAnnotation: true,
    metadata: {
      name: workspaceNameOf(path),
      labels: { [phaseLabel]: 'Ready' },
      annotations: { [shardAnnotation]: 'root' },
      finalizers: [logicalClusterFinalizer],
    },
    content: {
      spec: {
        type: { name: 'cells', path: parentPathOf(path) },
        cluster: id,
        URL: `${options.externalUrl()}/clusters/${path}`,
      },
      status: { phase: 'Ready', conditions: readyConditions('Ready', now) },
    },
  };
  if (storage.peek(seedKey(workspace)) !== undefined) return;
  const namespaces = definitionOf(options, 'cells', '', 'namespaces');
  const operations = [
    workspace,
    logicalClusterSeed(options, { id, path, kind: 'cells', now }),
    { ...namespaceSeed('default'), definition: namespaces, clusterId: id, clusterAnnotation: true },
  ].map((seed) => seedOperation(seed, now));
  const guards = [{ key: seedKey(workspace), revision: 0 as Revision }];
  const result = await storage.transact({ guards, operations });
  // Another server was faster: wait until its writes are seen here.
  if (!result.committed) await storage.awaitFresh();
}

function logicalClusterSeed(
  { externalUrl }: BootstrapOptions,
  of: { readonly id: string; readonly path: string; readonly kind: WorkspaceKind; readonly now: string },
): Seed {
  return {
    definition: logicalClusterDefinition,
    clusterId: of.id,
    clusterAnnotation: true,
    metadata: {
      name: logicalClusterName,
      annotations: {
        [pathAnnotation]: of.path,
        [typeAnnotation]: `root:${of.kind}`,
        [kindAnnotation]: of.kind,
      },
      finalizers: [logicalClusterFinalizer],
    },
    content: {
      spec: { directlyDeletable: false },
      status: {
        phase: 'Ready',
        URL: `${externalUrl()}/clusters/${of.path}`,
        conditions: readyConditions('Ready', of.now).filter(({ type }) => type !== 'WorkspaceScheduled'),
      },
    },
  };
}

function definitionOf(
  { schemes }: BootstrapOptions,
  kind: WorkspaceKind,
  group: string,
  resource: string,
): ResourceDefinition {
  const definition = schemes.baseOf(kind).definitionOf(group, resource);
  if (definition === undefined) throw new Error(`a ${kind} workspace does not serve ${resource}`);
  return definition;
}
