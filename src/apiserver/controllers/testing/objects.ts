import { workspacesGvr } from '#api/tenancy/workspace.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject, OwnerReference } from '#apimachinery/object.ts';
import { clusterOf } from '../../registry/key-parts.ts';
import type { ServerFixture } from './server-fixture.ts';

export const core = (resource: string) => ({ group: '', version: 'v1', resource });
export const configMaps = core('configmaps');

export async function make(server: ServerFixture, path: string, type: string): Promise<string> {
  const colon = path.lastIndexOf(':');
  await server.client.create(
    { cluster: path.slice(0, colon), gvr: workspacesGvr },
    {
      apiVersion: 'tenancy.kcp.io/v1alpha1',
      kind: 'Workspace',
      metadata: { name: path.slice(colon + 1) },
      spec: { type: { name: type } },
    },
  );
  const { id } = server.index.resolve(path);
  await server.firstTouch.touch(server.index.resolve(path));
  return id;
}

export async function configMap(
  server: ServerFixture,
  cluster: string,
  name: string,
  metadata: Partial<KubeObject['metadata']> = {},
  namespace = 'default',
): Promise<KubeObject> {
  return server.client.create(
    { cluster, gvr: configMaps, namespace },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, ...metadata }, data: { a: 'b' } },
  );
}

export const isGone = (server: ServerFixture, cluster: string, name: string, namespace = 'default') =>
  server.client.get({ cluster, gvr: configMaps, namespace, name }).then(
    () => false,
    (error: unknown) => isApiError(error, 'NotFound'),
  );

export const ownerOf = (
  { metadata, kind, apiVersion }: KubeObject,
  more: Partial<OwnerReference> = {},
): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name ?? '',
  uid: metadata.uid ?? '',
  ...more,
});

export function keysOf(server: ServerFixture, clusterId: string): string[] {
  return [...server.storage.snapshot('/').entries()]
    .map(({ key }) => key)
    .filter((key) => clusterOf(key) === clusterId);
}
