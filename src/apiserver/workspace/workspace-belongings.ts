import type { Condition } from '#api/conditions.ts';
import { tenancyGroup, type WorkspaceObject } from '#api/tenancy/workspace.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import type { Seed } from './seed.ts';
import type { Workspace } from './workspace.ts';
import { qualifiedTypeName, type ResolvedType } from './workspace-types.ts';

/** Names of the type and those it extends that ask for an initializer (or terminator). */
export function releasersOf(type: ResolvedType, field: 'initializer' | 'terminator'): string[] {
  return type.aliases.filter((alias) => alias.spec[field] === true).map(qualifiedTypeName);
}

export function listOf(
  field: 'initializers' | 'terminators',
  values: readonly string[],
): { [field: string]: string[] } {
  return values.length === 0 ? {} : { [field]: [...values] };
}

/** Kubernetes' authentication/v1 UserInfo. */
export interface Creator extends JsonObject {
  username?: string;
  uid?: string;
  groups?: string[];
  extra?: { [key: string]: string[] };
}

export function userInfoJson({ name, uid, groups, extra }: UserInfo): Creator {
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    ...(groups.length === 0 ? {} : { groups: [...groups] }),
    ...(extra.size === 0
      ? {}
      : { extra: Object.fromEntries([...extra].map(([key, values]) => [key, [...values]])) }),
  };
}

export function logicalClusterContent(
  parent: Workspace,
  { metadata, spec, status }: WorkspaceObject,
  type: ResolvedType,
  creator: Creator,
  now: string,
): JsonObject {
  const initializers = releasersOf(type, 'initializer');
  const terminators = releasersOf(type, 'terminator');
  return {
    spec: {
      directlyDeletable: false,
      owner: {
        apiVersion: `${tenancyGroup}/v1alpha1`,
        resource: 'workspaces',
        name: metadata.name,
        cluster: parent.id,
        uid: metadata.uid,
      },
      createdBy: creator,
      ...listOf('initializers', initializers),
      ...listOf('terminators', terminators),
    },
    status: {
      phase: status?.phase,
      URL: spec?.URL,
      conditions: readyConditions(status?.phase === 'Ready' ? 'Ready' : 'Initializing', now).filter(
        ({ type: condition }) => condition !== 'WorkspaceScheduled',
      ),
      ...listOf('initializers', initializers),
      ...listOf('terminators', terminators),
    },
  };
}

export function readyConditions(phase: 'Ready' | 'Initializing', now: string): Condition[] {
  const ready = phase === 'Ready';
  return [
    { type: 'WorkspaceScheduled', status: 'True', lastTransitionTime: now },
    ready
      ? { type: 'WorkspaceInitialized', status: 'True', lastTransitionTime: now }
      : {
          type: 'WorkspaceInitialized',
          status: 'False',
          severity: 'Info',
          reason: 'InitializerExists',
          message: 'Initializers still exist.',
          lastTransitionTime: now,
        },
  ];
}

export function isSystemCreator({ groups = [] }: Creator): boolean {
  return groups.includes(systemMasters);
}

export function adminBinding(userName: string): JsonObject {
  return {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: userName }],
  };
}

/** A namespace as the registry would make it. */
export function namespaceSeed(name: string): Pick<Seed, 'metadata' | 'content'> {
  return {
    metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
    content: { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } },
  };
}
