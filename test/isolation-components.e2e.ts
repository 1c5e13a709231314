// The system's own processes try what is not theirs: another cell, its credentials, projects, specs.
// docs/federation-contract.md: FC1
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { RawRequest } from './harness/raw-http.ts';
import { attackerPath, victimNamespace, victimPath } from './isolation/cast.ts';
import { everyVerb, servedPaths } from './isolation/every-path.ts';
import { cells, refusals, refused, Scene } from './isolation/scene.ts';

describe('the system’s own processes', { timeout: 600_000 }, () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.set();
  });
  after(() => scene?.[Symbol.asyncDispose]());

  const merge = (path: string, body: object): RawRequest => ({
    path,
    method: 'PATCH',
    body: JSON.stringify(body),
    contentType: 'application/merge-patch+json',
  });
  const cellPath = (cell: string) =>
    `/clusters/root:cells/apis/federation.cellplane.io/v1alpha1/cells/${cell}`;
  const secretPath = (cell: string) =>
    `/clusters/root:cells/api/v1/namespaces/cell-credentials/secrets/${cell}`;

  test('a federator has its own cell and nothing else', async () => {
    const { raw } = await scene.cast.component('federator-a');
    for (const path of [
      secretPath(cells[0]),
      cellPath(cells[0]),
      `/clusters/root:cells:${cells[0]}/api/v1/configmaps`,
    ]) {
      assert.equal((await raw.send({ path })).status, 200, path);
    }
    const foreign = await servedPaths(scene.admin.raw, `root:cells:${cells[1]}`);
    await refused(
      raw,
      foreign.flatMap((path) => everyVerb(`/clusters/root:cells:${cells[1]}${path}`)),
    );
    const projects = (await servedPaths(scene.admin.raw, victimPath)).filter((path) =>
      /secrets|configmaps|namespaces/.test(path),
    );
    for (const cluster of [victimPath, attackerPath, 'root', '*']) {
      await refused(
        raw,
        projects.flatMap((path) => everyVerb(`/clusters/${cluster}${path}`)),
        [...refusals, 405],
      );
    }
    const lease = '/clusters/root:cells/apis/coordination.k8s.io/v1/namespaces/cellplane-federators/leases';
    const federators = '/clusters/root:cells/apis/federation.cellplane.io/v1alpha1/federators';
    await refused(raw, [
      ...everyVerb(secretPath(cells[1])),
      ...everyVerb(cellPath(cells[1])),
      { path: '/clusters/root:cells/api/v1/secrets' },
      { path: '/clusters/root:cells/api/v1/namespaces/cell-credentials/secrets' },
      { path: '/clusters/root:cells/api/v1/secrets?fieldSelector=metadata.name%3Dpop-b-cell-b' },
      merge(`${cellPath(cells[1])}/assignment`, {
        status: { assignment: { federator: 'federator-a', epoch: 9 } },
      }),
      merge(`${cellPath(cells[0])}/assignment`, {
        status: { assignment: { federator: 'federator-a', epoch: 9 } },
      }),
      merge(cellPath(cells[0]), { spec: { secretRef: { name: cells[1], namespace: 'cell-credentials' } } }),
      merge(`${cellPath(cells[1])}/status`, { status: { federator: 'federator-a' } }),
      merge(`${lease}/federator-b`, { spec: { holderIdentity: 'federator-a' } }),
      { path: `${lease}/federator-b`, method: 'DELETE' },
      {
        path: federators,
        body: '{"apiVersion":"federation.cellplane.io/v1alpha1","kind":"Federator","metadata":{"name":"federator-c"}}',
      },
      merge(`${federators}/federator-b`, { spec: { unschedulable: true } }),
    ]);
  });

  test('the scheduler writes no spec, reads no credentials, and is nobody’s administrator', async () => {
    const { raw } = await scene.cast.component('scheduler');
    const before = await scene.victimState();
    const at = `/clusters/${victimPath}`;
    const deployment = `${at}/apis/apps/v1/namespaces/${victimNamespace}/deployments/crown`;
    assert.equal((await raw.send({ path: deployment })).status, 200);
    await refused(raw, [
      merge(deployment, { spec: { replicas: 0 } }),
      merge(deployment, { metadata: { labels: { a: 'b' } } }),
      merge(`${deployment}/scale`, { spec: { replicas: 0 } }),
      { path: deployment, method: 'PUT', body: '{}' },
      { path: deployment, method: 'DELETE' },
      { path: deployment.replace('/crown', ''), method: 'DELETE' },
      { path: deployment.replace('/crown', ''), body: '{}' },
      merge(`${at}/api/v1/namespaces/${victimNamespace}/secrets/crown`, { data: {} }),
      { path: `${at}/api/v1/namespaces/default/serviceaccounts/default/token`, body: '{"spec":{}}' },
      merge(`${at}/apis/core.kcp.io/v1alpha1/logicalclusters/cluster`, {
        spec: { directlyDeletable: true },
      }),
      merge(cellPath(cells[0]), { spec: { apiEndpoint: 'https://127.0.0.1:1' } }),
      merge(`${cellPath(cells[0])}/assignment`, {
        status: { assignment: { federator: 'federator-b', epoch: 9 } },
      }),
      { path: cellPath(cells[0]), method: 'DELETE' },
      { path: secretPath(cells[0]) },
      { path: '/clusters/root:cells/api/v1/secrets' },
      { path: '/clusters/*/api/v1/secrets' },
      { path: `/clusters/root:globex/apis/tenancy.kcp.io/v1alpha1/workspaces/shop`, method: 'DELETE' },
      {
        path: `${at}/apis/rbac.authorization.k8s.io/v1/clusterrolebindings`,
        body: '{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"x"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[]}',
      },
    ]);
    assert.equal(await scene.victimState(), before);
  });
});
