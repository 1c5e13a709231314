// Custom resources that are born at an edge come back as Secrets do: with their status, where the project serves their kind, and
// for nobody who could not have written them.
// docs/federation-contract.md: FU3, FG1
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { conditionOf } from '#api/conditions.ts';
import { returnedFromLabel } from '#api/federation/return-contract.ts';
import { type ReturnPolicy, returnPoliciesGvr } from '#api/federation/return-policy.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { Constellation } from '../harness/constellation.ts';
import { configMaps, find, namespaces } from '../harness/edge-objects.ts';
import { patient } from '../harness/patient.ts';
import { connectionAs } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

const project = 'root:acme:shop';
const crds = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const databases = { group: 'db.example.com', version: 'v1', resource: 'databases' };
const crd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'databases.db.example.com' },
  spec: {
    group: databases.group,
    names: { kind: 'Database', listKind: 'DatabaseList', plural: 'databases', singular: 'database' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
} as const;

describe('custom resources that come back', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  afterEach(() => constellation[Symbol.asyncDispose]());

  const install = async (client: KubeClient, cluster?: string) => {
    await client.create({ cluster, gvr: crds }, structuredClone(crd) as unknown as JsonObject as never);
    await until('the kind is served', () =>
      client.list({ cluster, gvr: databases, namespace: 'default' }).then(
        () => true,
        () => false,
      ),
    );
  };
  const policyOf = (spec: ReturnPolicy['spec'], name: string) => ({
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'ReturnPolicy',
    metadata: { name, namespace: 'shop' },
    spec,
  });

  test('they come with their status, follow, survive restarts and go; who may not create them may not ask', async () => {
    constellation = await Constellation.start({ cells: ['cell-a'] });
    await constellation.createProject(project);
    const { admin } = constellation;
    const edge = constellation.edge().client;
    const inShop = (gvr: typeof databases) => ({ cluster: project, gvr, namespace: 'shop' });
    await admin.create(
      inShop({ group: 'policy.karmada.io', version: 'v1alpha1', resource: 'propagationpolicies' }),
      {
        apiVersion: 'policy.karmada.io/v1alpha1',
        kind: 'PropagationPolicy',
        metadata: { name: 'all', namespace: 'shop' },
        spec: {
          resourceSelectors: [{ apiVersion: 'v1', kind: 'ConfigMap' }],
          placement: { clusterAffinity: { clusterNames: ['cell-a'] } },
        },
      },
    );
    await admin.create(inShop(configMaps), {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'anchor' },
    });
    const mapped = await until('the namespace is there', async () => {
      const { items } = await edge.list({ cluster: undefined, gvr: namespaces });
      return items.find(({ metadata }) => metadata.name?.startsWith('shop-shop-'))?.metadata.name;
    });

    // Who may write policies and not Databases gets none that way.
    const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1' };
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'asker' },
      rules: [
        { verbs: ['access'], nonResourceURLs: ['/'] },
        { verbs: ['*'], apiGroups: ['federation.cellplane.io'], resources: ['returnpolicies'] },
        { verbs: ['create'], apiGroups: [''], resources: ['configmaps'] },
      ],
    };
    await admin.create({ cluster: project, gvr: { ...rbac, resource: 'clusterroles' } }, role);
    await admin.create(
      { cluster: project, gvr: { ...rbac, resource: 'clusterrolebindings' } },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'asker' },
        roleRef: { apiGroup: rbac.group, kind: 'ClusterRole', name: 'asker' },
        subjects: [{ apiGroup: rbac.group, kind: 'User', name: 'mallory' }],
      },
    );
    const mallory = new RemoteClient(
      connectionAs(constellation.pki, constellation.server.url, { name: 'mallory', groups: [] }),
      { userAgent: 'cellplane-test', limits: patient },
    );
    constellation.onEnd(() => mallory.close());
    const asks = (resources: ReturnPolicy['spec']['resources']) =>
      mallory.create(inShop(returnPoliciesGvr), policyOf({ resources }, 'asked'));
    const forbidden = (error: unknown) => isApiError(error, 'Forbidden');
    await until('the rights are known', async () => {
      await asks([{ kind: 'ConfigMap' }, { kind: 'Event' }]);
      return true;
    });
    await mallory.delete({ ...inShop(returnPoliciesGvr), name: 'asked' });
    const asked = { apiVersion: 'db.example.com/v1', kind: 'Database' };
    await assert.rejects(asks([asked]), forbidden, 'before the kind is there');
    await assert.rejects(asks([{ kind: 'Secret' }]), forbidden);
    const invalid = (error: unknown) => isApiError(error, 'Invalid');
    for (const resource of [
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role' },
      { apiVersion: 'tenancy.kcp.io/v1alpha1', kind: 'Workspace' },
      { kind: 'Database' },
      { kind: 'Secret', reasons: ['X'] },
      { kind: 'Event', labelSelector: {} },
    ]) {
      await assert.rejects(
        admin.create(inShop(returnPoliciesGvr), policyOf({ resources: [resource] }, 'wrong')),
        invalid,
      );
    }

    // Another kind of the group version is served at the edge all the while.
    await edge.create({ cluster: undefined, gvr: crds }, {
      ...crd,
      metadata: { name: 'backups.db.example.com' },
      spec: {
        ...crd.spec,
        names: { kind: 'Backup', listKind: 'BackupList', plural: 'backups', singular: 'backup' },
      },
    } as unknown as JsonObject as never);
    await install(admin, project);
    await assert.rejects(asks([asked]), forbidden, 'when the kind is there');
    await admin.create(inShop(returnPoliciesGvr), policyOf({ resources: [asked] }, 'back'));
    const condition = async () => {
      const policy = (await admin.get({ ...inShop(returnPoliciesGvr), name: 'back' })) as ReturnPolicy;
      return conditionOf(policy.status?.conditions, 'Returned');
    };
    await until('the policy says that the edge does not serve it', async () =>
      /cell-a: the edge does not serve Database in db.example.com\/v1/.test(
        (await condition())?.message ?? '',
      ),
    );

    await install(edge);
    const atEdge = { cluster: undefined, gvr: databases, namespace: mapped };
    await edge.create(atEdge, {
      apiVersion: 'db.example.com/v1',
      kind: 'Database',
      metadata: { name: 'main' },
      spec: { size: 1, peer: { namespace: mapped, name: 'x' } },
    });
    await edge.patch(
      { ...atEdge, name: 'main' },
      { type: 'merge', body: { status: { phase: 'Ready' } } },
      { subresource: 'status' },
    );
    const main = () => find(admin, { ...inShop(databases), name: 'main' });
    const has = (size: number, phase: string) =>
      until(`it is there with size ${size} and phase ${phase}`, async () => {
        const found = await main();
        const spec = found?.['spec'] as { size?: number } | undefined;
        const status = found?.['status'] as { phase?: string } | undefined;
        return spec?.size === size && status?.phase === phase ? found : undefined;
      });
    const came = await has(1, 'Ready');
    assert.equal(came.metadata.labels?.[returnedFromLabel], 'cell-a');
    assert.deepEqual((came['spec'] as JsonObject)['peer'], { namespace: 'shop', name: 'x' });
    await until('nothing is wrong', async () => (await condition())?.status === 'True');
    await edge.patch(
      { ...atEdge, name: 'main' },
      { type: 'merge', body: { status: { phase: 'Full' } } },
      { subresource: 'status' },
    );
    await has(1, 'Full');

    const serve = (served: boolean) =>
      edge.patch(
        { cluster: undefined, gvr: crds, name: crd.metadata.name },
        { type: 'json', operations: [{ op: 'add', path: '/spec/versions/0/served', value: served }] },
      );
    await serve(false);
    await until('the policy says that the edge has ceased to serve it', async () =>
      /cell-a: the edge does not serve Database in db.example.com\/v1/.test(
        (await condition())?.message ?? '',
      ),
    );
    assert.ok(await main(), 'what came of it stays: it stands at the edge');
    await serve(true);
    await until('nothing is wrong again', async () => (await condition())?.status === 'True');

    // The kind goes from the edge, with all of it, while no federator looks: what came of it goes when one does. That it is not
    // served alone is not enough.
    const federator = constellation.federator();
    await federator.stop();
    await serve(false);
    federator.edgeTap.clear();
    await federator.start();
    const definition = { cluster: undefined, gvr: crds, name: crd.metadata.name };
    await until('it looks for the definition', async () => {
      return federator.edgeTap.count('list', `${crds.resource}.${crds.group}`) > 0;
    });
    await until('the policy says that the edge does not serve it', async () =>
      /cell-a: the edge does not serve Database in db.example.com\/v1/.test(
        (await condition())?.message ?? '',
      ),
    );
    assert.ok(await main(), 'what came of it stays: its definition stands at the edge');
    await federator.stop();
    await edge.delete(definition);
    await until('the definition is gone', async () => (await find(edge, definition)) === undefined);
    await federator.start();
    await until('what came of it goes', async () => (await main()) === undefined);
    await install(edge);
    await edge.create(atEdge, {
      apiVersion: 'db.example.com/v1',
      kind: 'Database',
      metadata: { name: 'main' },
    });
    await until('it comes anew', main);

    // The policy goes while nobody looks: what came of it goes all the same.
    await constellation.stopScheduler();
    await admin.delete({ ...inShop(returnPoliciesGvr), name: 'back' });
    await constellation.startScheduler();
    await until('it goes', async () => (await main()) === undefined);
    assert.ok(await find(edge, { ...atEdge, name: 'main' }), 'the edge’s own stays');
  });
});
