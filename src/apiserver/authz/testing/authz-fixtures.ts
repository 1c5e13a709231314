import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Scheme } from '#apimachinery/scheme.ts';
import { silentLogger } from '#client/logger.ts';
import { openCachedStorage } from '#storage/cache/caching-storage.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import { encodeStored } from '../../registry/encode-stored.ts';
import type { ResourceRequest } from '../../request/request-info.ts';
import type { UserInfo } from '../../request/user.ts';
import type { ClusterId, Workspace, WorkspaceKind } from '../../workspace/workspace.ts';

/** Only for tests: users, workspaces and stored objects in few words. */
export function user(
  name: string,
  groups: readonly string[] = ['system:authenticated'],
  extra: { [key: string]: string[] } = {},
): UserInfo {
  return { name, groups, extra: new Map(Object.entries(extra)) };
}

export function workspaceOf(
  path: string,
  type: WorkspaceKind = 'universal',
  id = path.replaceAll(':', '-'),
): Workspace {
  return { id: id as ClusterId, path, type, phase: 'Ready', scheme: {} as Scheme, inert: type === 'cell' };
}

export function resource(text: string, options: { namespace?: string; name?: string } = {}): ResourceRequest {
  const [qualified = '', subresource = ''] = text.split('/');
  const [name = '', ...group] = qualified.split('.');
  return {
    group: group.join('.'),
    version: 'v1',
    resource: name,
    subresource,
    namespace: options.namespace ?? '',
    name: options.name ?? '',
  };
}

export async function openStore(): Promise<CachedStorage> {
  return openCachedStorage(createMemoryStorage(), { logger: silentLogger });
}

const definitionOf = (group: string, resourceName: string, kind: string): ResourceDefinition =>
  ({
    group,
    resource: resourceName,
    kind,
    versions: [],
    strategy: {},
    storedAs: { group, resource: resourceName },
    storageVersion: 'v1',
  }) as unknown as ResourceDefinition;

const kinds: { readonly [kind: string]: [string, string] } = {
  Role: ['rbac.authorization.k8s.io', 'roles'],
  ClusterRole: ['rbac.authorization.k8s.io', 'clusterroles'],
  RoleBinding: ['rbac.authorization.k8s.io', 'rolebindings'],
  ClusterRoleBinding: ['rbac.authorization.k8s.io', 'clusterrolebindings'],
  Cell: ['federation.cellplane.io', 'cells'],
  ServiceAccount: ['', 'serviceaccounts'],
  Secret: ['', 'secrets'],
  Pod: ['', 'pods'],
  Node: ['', 'nodes'],
};

function keyFor(clusterId: string, kind: string, namespace: string, name: string) {
  const [group, resourceName] = kinds[kind]!;
  return objectKey({ group, resource: resourceName, clusterId, namespace, name });
}

export async function store(cache: CachedStorage, clusterId: string, object: KubeObject): Promise<void> {
  const { kind, metadata } = object;
  const [group, resourceName] = kinds[kind]!;
  const key = keyFor(clusterId, kind, metadata.namespace ?? '', metadata.name ?? '');
  const value = encodeStored(object, definitionOf(group, resourceName, kind));
  await cache.transact({ guards: [], operations: [{ type: 'put', key, value }] });
}

export async function removeStored(
  cache: CachedStorage,
  clusterId: string,
  kind: string,
  name: string,
  namespace = '',
): Promise<void> {
  await cache.transact({
    guards: [],
    operations: [{ type: 'delete', key: keyFor(clusterId, kind, namespace, name) }],
  });
}

export function object(kind: string, name: string, content: object = {}, namespace?: string): KubeObject {
  const [group] = kinds[kind]!;
  return {
    apiVersion: group === '' ? 'v1' : `${group}/v1`,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    ...content,
  };
}

/** A binding of one subject (`User:x`, `Group:x`, `ServiceAccount:ns/x`) to `ClusterRole:x` or `Role:x`. */
export function binding(name: string, role: string, subject: string, namespace?: string): KubeObject {
  const [roleKind = '', roleName = ''] = splitOnce(role, ':');
  const [kind = '', subjectName = ''] = splitOnce(subject, ':');
  const [subjectNamespace, serviceAccount] = splitOnce(subjectName, '/');
  return object(
    namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
    name,
    {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: roleKind, name: roleName },
      subjects: [
        kind === 'ServiceAccount'
          ? { kind, namespace: subjectNamespace, name: serviceAccount }
          : { kind, name: subjectName },
      ],
    },
    namespace,
  );
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
