// What people, controllers and narrow credentials at an edge do to a federator; each was met at a kube-apiserver first.
// docs/federation-contract.md: FD3, FC4, FU3
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { copyAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { type ReturnRequest, returnRequestsGvr } from '#api/federation/returned-object.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import { Constellation } from '../harness/constellation.ts';
import { CopyWriter } from '../harness/copies.ts';
import { configMaps, edgeRef, find } from '../harness/edge-objects.ts';
import { connectionAs } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

const rbac = (resource: string) => ({ group: 'rbac.authorization.k8s.io', version: 'v1', resource });
const role = 'narrow';

describe('hands at the edge', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  let copies: CopyWriter;
  let edge: KubeClient;

  const rules = (...more: JsonObject[]) => [
    { apiGroups: [''], resources: ['configmaps', 'namespaces'], verbs: ['*'] },
    { nonResourceURLs: ['*'], verbs: ['get'] },
    ...more,
  ];

  before(async () => {
    constellation = await Constellation.start({ cells: [], scheduler: false });
    await constellation.addEdge('cell-a');
    edge = constellation.edge().client;
    await edge.create(
      { cluster: undefined, gvr: rbac('clusterroles') },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: role },
        rules: rules(),
      },
    );
    await edge.create(
      { cluster: undefined, gvr: rbac('clusterrolebindings') },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: role },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: role }],
      },
    );
    const { server } = constellation.edge().connection;
    const narrow = connectionAs(constellation.pki, server, { name: role, groups: [] });
    await constellation.addCell('cell-a', {}, narrow);
    copies = new CopyWriter(constellation.admin);
    await until('the cell has a workspace', () => copies.namespace());
  });
  after(() => constellation[Symbol.asyncDispose]());

  const atEdge = (name: string) => find(edge, edgeRef(configMaps, name, 'ns'));
  const isSynced = (name: string) =>
    until(`${name} is synced`, async () => {
      const { annotations = {} } = (await copies.get({ name })).metadata;
      return annotations[syncAnnotations.syncedHash] === annotations[copyAnnotations.contentHash];
    });

  test('a repair that is refused because somebody wrote at the same time does not count as one', async () => {
    await copies.configMap('busy', { key: 'ours' });
    await isSynced('busy');
    const at = edgeRef(configMaps, 'busy', 'ns');
    const { edgeTap } = constellation.federator();
    let races = 0;
    edgeTap.intercept = async ({ verb, name }) => {
      if (verb !== 'apply' || name !== 'busy' || ++races > 3) return;
      const body = { metadata: { annotations: { 'example.com/seen': String(races) } } };
      await edge.patch(at, { type: 'merge', body }, { fieldManager: 'controller' });
    };
    await edge.patch(at, { type: 'merge', body: { data: { key: 'theirs' } } }, { fieldManager: 'person' });
    await until('it is repaired', async () => {
      const data = (await atEdge('busy'))?.['data'] as { key?: string } | undefined;
      return races > 3 && data?.key === 'ours';
    });
    edgeTap.intercept = undefined;
    // What is said of a repair is said before the federator goes on to what comes after it.
    await copies.configMap('busy', { key: 'next' });
    await isSynced('busy');
    const { annotations = {} } = (await copies.get({ name: 'busy' })).metadata;
    assert.equal(annotations[syncAnnotations.syncError], undefined);
  });

  test('an annotation of its origin that somebody writes over is put right', async () => {
    await copies.configMap('marked', { key: '1' });
    await isSynced('marked');
    const annotations = { [copyAnnotations.originName]: 'other' };
    await edge.patch(edgeRef(configMaps, 'marked', 'ns'), {
      type: 'merge',
      body: { metadata: { annotations } },
    });
    await until('it is as it was', async () => {
      const present = (await atEdge('marked'))?.metadata.annotations;
      return present?.[copyAnnotations.originName] === 'marked';
    });
  });

  test('a kind that is asked back and may not be read there is told, until it may', async () => {
    const workspace = `${cellsWorkspacePath}:cell-a`;
    const ref = { cluster: workspace, gvr: returnRequestsGvr, namespace: 'ns', name: 'back' };
    await constellation.admin.create(
      { cluster: workspace, gvr: returnRequestsGvr, namespace: 'ns' },
      {
        apiVersion: 'federation.cellplane.io/v1alpha1',
        kind: 'ReturnRequest',
        metadata: { name: 'back' },
        spec: { resources: [{ kind: 'EndpointSlice' }], maxObjects: 10 },
      },
    );
    const status = async () => ((await constellation.admin.get(ref)) as ReturnRequest).status ?? {};
    await until('it says so', async () => (await status()).reason === 'EdgeForbids');
    assert.match((await status()).message ?? '', /endpointslices.* is forbidden/);
    await edge.patch(
      { cluster: undefined, gvr: rbac('clusterroles'), name: role },
      {
        type: 'merge',
        body: {
          rules: rules({
            apiGroups: ['discovery.k8s.io'],
            resources: ['endpointslices'],
            verbs: ['get', 'list', 'watch'],
          }),
        },
      },
    );
    await until('it says nothing any more', async () => (await status()).reason === undefined);
  });
});
