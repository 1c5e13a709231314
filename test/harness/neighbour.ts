import type { ServerConnection } from '#client/remote/connection.ts';
import type { Constellation } from './constellation.ts';
import { connectionAs } from './test-pki.ts';

/**
 * Opens what lies in one cell's workspace to another control plane, and nothing else (docs/federators.md, Cells of another
 * control plane). Returns what that one's Cell is made with.
 */
export async function openCell(far: Constellation, cell: string): Promise<ServerConnection> {
  const user = `neighbour-of-${cell}`;
  const group = 'rbac.authorization.k8s.io';
  const inCells = (resource: string) => ({
    cluster: 'root:cells',
    gvr: { group, version: 'v1', resource },
  });
  const apiVersion = `${group}/v1`;
  await far.admin.create(inCells('clusterroles'), {
    apiVersion,
    kind: 'ClusterRole',
    metadata: { name: user },
    rules: [
      { nonResourceURLs: ['/'], verbs: ['access'] },
      {
        apiGroups: ['federation.cellplane.io'],
        resources: ['cells/content'],
        resourceNames: [cell],
        verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
      },
    ],
  });
  await far.admin.create(inCells('clusterrolebindings'), {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name: user },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: user },
    subjects: [{ apiGroup: group, kind: 'User', name: user }],
  });
  return connectionAs(far.pki, `${far.server.url}/clusters/root:cells:${cell}`, { name: user, groups: [] });
}
