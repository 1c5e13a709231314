// Edges that their own operators have set up in their own way: Pod Security, quotas, admission that changes what is applied, kinds
// in other versions, controllers with dependents. What each makes of a project's objects is told in the project.
// docs/federation-contract.md: FD4, FD5, FE1, FE2, FU1
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Condition, conditionOf } from '#api/conditions.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { KubeClient, PropagationPolicy } from '#client/client.ts';
import { Constellation } from '../harness/constellation.ts';
import { configMaps, deployments, edgeRef, find, namespaces } from '../harness/edge-objects.ts';
import { placeInShop } from '../harness/place-in-shop.ts';
import { until } from '../harness/until.ts';

const core = (resource: string) => ({ group: '', version: 'v1', resource });
const pods = core('pods');
const crds = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const admission = (resource: string) => ({ group: 'admissionregistration.k8s.io', version: 'v1', resource });
const bindings = { group: 'work.karmada.io', version: 'v1alpha2', resource: 'resourcebindings' };
const project = 'root:acme:shop';
type Gvr = ReturnType<typeof admission>;

interface BindingStatus {
  readonly conditions?: Condition[];
  readonly aggregatedStatus?: readonly {
    readonly applied?: boolean;
    readonly appliedMessage?: string;
    readonly health?: string;
  }[];
}

const gizmos = (version: string) => ({ group: 'example.com', version, resource: 'gizmos' });
const gizmoCrd = (...versions: string[]): KubeObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gizmos.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { kind: 'Gizmo', listKind: 'GizmoList', plural: 'gizmos', singular: 'gizmo' },
    versions: versions.map((name, at) => ({
      name,
      served: true,
      storage: at === 0,
      schema: {
        openAPIV3Schema: {
          type: 'object',
          properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
        },
      },
    })),
  },
});

const safe = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
const pod = (name: string, securityContext: JsonObject): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'registry.example/main', securityContext }] },
});

describe('edges of other make', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  let edge: KubeClient;
  let mapped = '';
  before(async () => {
    constellation = await Constellation.start({ cellSpec: { apis: { groups: ['example.com'] } } });
    edge = constellation.edge().client;
    await constellation.createProject(project);
    await placeInShop(
      constellation.admin,
      project,
      'all',
      [
        { apiVersion: 'v1', kind: 'ConfigMap' },
        { apiVersion: 'v1', kind: 'Pod' },
        { apiVersion: 'apps/v1', kind: 'Deployment' },
      ],
      ['cell-a'],
    );
    await put(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'first' } });
    mapped = await until('the namespace is at the edge', async () => {
      const { items } = await edge.list({ cluster: undefined, gvr: configMaps });
      return items.find(({ metadata }) => metadata.name === 'first')?.metadata.namespace;
    });
  });
  after(() => constellation[Symbol.asyncDispose]());

  const refOf = (gvr: Gvr, name: string) => ({ cluster: project, gvr, namespace: 'shop', name });
  const put = (gvr: Gvr, object: KubeObject) =>
    constellation.admin.apply(refOf(gvr, object.metadata.name ?? ''), object, { fieldManager: 'test' });
  const atEdge = (gvr: Gvr, name: string) => find(edge, edgeRef(gvr, name, mapped));
  const told = async (kind: string, name: string): Promise<BindingStatus | undefined> => {
    const { items } = await constellation.admin.list({ cluster: project, gvr: bindings, namespace: 'shop' });
    const found = items.find(({ spec }) => {
      const { resource } = spec as { resource: { kind: string; name: string } };
      return resource.kind === kind && resource.name === name;
    });
    return found?.['status'] as BindingStatus | undefined;
  };
  const isRefused = (kind: string, name: string, words: RegExp) =>
    until(`${kind} ${name} is refused`, async () => {
      const [item] = (await told(kind, name))?.aggregatedStatus ?? [];
      return item?.applied === false && words.test(item.appliedMessage ?? '');
    });
  const isApplied = (kind: string, name: string) =>
    until(`${kind} ${name} is applied`, async () => {
      const status = await told(kind, name);
      const isFully = conditionOf(status?.conditions, 'FullyApplied')?.status === 'True';
      return isFully && status?.aggregatedStatus?.[0]?.appliedMessage === undefined;
    });

  test('Pod Security is enforced there: what violates it is told, in its words', async () => {
    await edge.patch(edgeRef(namespaces, mapped), {
      type: 'merge',
      body: { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } },
    });
    await put(pods, pod('rootful', {}));
    await put(pods, pod('modest', safe));
    await isRefused('Pod', 'rootful', /violates PodSecurity "restricted:latest": .*allowPrivilegeEscalation/);
    await isApplied('Pod', 'modest');
    const labels = (await edge.get(edgeRef(namespaces, mapped))).metadata.labels;
    assert.equal(labels?.['pod-security.kubernetes.io/enforce'], 'restricted', 'the edge’s label stays');
  });

  test('a quota is used up there: what exceeds it is told, and comes when there is room', async () => {
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'two-pods' },
      spec: { hard: { pods: '1' } },
    };
    await edge.create({ cluster: undefined, gvr: core('resourcequotas'), namespace: mapped }, quota);
    await until('the quota counts', async () => {
      const { status } = await edge.get(edgeRef(core('resourcequotas'), 'two-pods', mapped));
      return (status as { used?: JsonObject } | undefined)?.used?.['pods'] === '1';
    });
    await put(pods, pod('one-too-many', safe));
    await isRefused('Pod', 'one-too-many', /exceeded quota: two-pods, requested: pods=1, used: pods=1/);
    await edge.delete(edgeRef(core('resourcequotas'), 'two-pods', mapped));
    // What is changed is tried at once.
    await constellation.admin.patch(refOf(pods, 'one-too-many'), {
      type: 'merge',
      body: { metadata: { labels: { again: 'yes' } } },
    });
    await isApplied('Pod', 'one-too-many');

    // Somebody there deletes it, and it cannot come back: nothing is told as if it were there.
    const there = edgeRef(pods, 'one-too-many', mapped);
    const body = { status: { phase: 'Running' } };
    await edge.patch(there, { type: 'merge', body }, { subresource: 'status' });
    const phase = async () => {
      const { status } = await constellation.admin.get(refOf(pods, 'one-too-many'));
      return (status as { phase?: string } | undefined)?.phase;
    };
    await until('its status is in the project', async () => (await phase()) === 'Running');
    const none = { ...quota, metadata: { name: 'no-pods' }, spec: { hard: { pods: '0' } } };
    await edge.create({ cluster: undefined, gvr: core('resourcequotas'), namespace: mapped }, none);
    await until('the quota counts', async () => {
      const { status } = await edge.get(edgeRef(core('resourcequotas'), 'no-pods', mapped));
      return (status as { used?: JsonObject } | undefined)?.used?.['pods'] === '2';
    });
    await edge.delete(there, { gracePeriodSeconds: 0 });
    await isRefused('Pod', 'one-too-many', /exceeded quota: no-pods/);
    await until('its status is not told any more', async () => (await phase()) !== 'Running');
    await edge.delete(edgeRef(core('resourcequotas'), 'no-pods', mapped));
    await constellation.admin.patch(refOf(pods, 'one-too-many'), {
      type: 'merge',
      body: { metadata: { labels: { again: 'and-again' } } },
    });
    await isApplied('Pod', 'one-too-many');
  });

  test('admission there changes what is applied: the edge’s stays, and nobody fights over it', async () => {
    const metadata = { name: 'mirror-images' };
    await edge.create(
      { cluster: undefined, gvr: admission('mutatingadmissionpolicies') },
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'MutatingAdmissionPolicy',
        metadata,
        spec: {
          reinvocationPolicy: 'Never',
          matchConstraints: {
            resourceRules: [
              {
                apiGroups: ['apps'],
                apiVersions: ['v1'],
                operations: ['CREATE', 'UPDATE'],
                resources: ['deployments'],
              },
            ],
          },
          mutations: [
            {
              patchType: 'JSONPatch',
              jsonPatch: {
                expression: `[
                  JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/image", value: "mirror.pop/main"},
                  JSONPatch{op: "add", path: "/spec/template/spec/priorityClassName", value: "pop-work"}
                ]`,
              },
            },
          ],
        },
      },
    );
    await edge.create(
      { cluster: undefined, gvr: admission('mutatingadmissionpolicybindings') },
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'MutatingAdmissionPolicyBinding',
        metadata,
        spec: { policyName: metadata.name },
      },
    );
    const deployment = (name: string, replicas: number): KubeObject => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        replicas,
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: pod(name, safe)['spec'] as JsonObject },
      },
    });
    const imageOf = (object: KubeObject | undefined) => {
      const spec = object?.['spec'] as
        | { template: { spec: { priorityClassName?: string; containers: { image: string }[] } } }
        | undefined;
      const { containers = [], priorityClassName } = spec?.template.spec ?? {};
      return [containers[0]?.image, priorityClassName];
    };
    await until('the policy is in force', async () => {
      const collection = { cluster: undefined, gvr: deployments, namespace: mapped };
      const made = await edge.create(collection, deployment('probe', 1), { dryRun: true });
      return imageOf(made)[0] === 'mirror.pop/main';
    });
    await put(deployments, deployment('web', 1));
    await until('it is at the edge', () => atEdge(deployments, 'web'));
    // A change of its own goes through, and is changed there as the first was.
    await put(deployments, deployment('web', 2));
    await until('the change is there', async () => {
      const object = await atEdge(deployments, 'web');
      return (object?.['spec'] as { replicas?: number } | undefined)?.replicas === 2;
    });
    const tap = constellation.federator().edgeTap;
    const appliesOf = () =>
      tap.requests.filter(({ verb, name }) => verb === 'apply' && name === 'web').length;
    const isIdle = () => constellation.federator().process?.cell('cell-a')?.idle;
    // It is there before the federator has been answered, and has said so on the copy.
    await until('nothing is under way', isIdle);
    const { generation } = ((await atEdge(deployments, 'web')) as KubeObject).metadata;
    const before = appliesOf();
    // Whoever starts anew compares what is there with what it should be.
    await constellation.federator().stop();
    await constellation.federator().start();
    await put(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'after' } });
    await until('another object is synced after it', () => atEdge(configMaps, 'after'));
    await until('all is looked at', isIdle);
    const object = await atEdge(deployments, 'web');
    assert.deepEqual(imageOf(object), ['mirror.pop/main', 'pop-work']);
    assert.equal(object?.metadata.generation, generation, 'nobody wrote again');
    assert.equal(appliesOf(), before);
    await until('nothing is complained of', async () => {
      const [item] = (await told('Deployment', 'web'))?.aggregatedStatus ?? [];
      return item?.applied === true && item.appliedMessage === undefined;
    });
  });

  test('a kind is served there in an older version only: everything goes there in that one', async () => {
    await edge.create({ cluster: undefined, gvr: crds }, gizmoCrd('v1beta1'));
    await until('it is established', () =>
      edge.list({ cluster: undefined, gvr: gizmos('v1beta1') }).catch(() => undefined),
    );
    // Whoever connects reads what is served.
    await constellation.federator().stop();
    await constellation.federator().start();
    await until('the Cell tells', async () =>
      (await constellation.cell()).status?.apiEnablements?.some(
        ({ groupVersion }) => groupVersion === 'example.com/v1beta1',
      ),
    );
    await constellation.admin.create({ cluster: project, gvr: crds }, gizmoCrd('v1', 'v1beta1'));
    await constellation.admin.create(
      {
        cluster: project,
        gvr: { group: 'policy.karmada.io', version: 'v1alpha1', resource: 'clusterpropagationpolicies' },
      },
      {
        apiVersion: 'policy.karmada.io/v1alpha1',
        kind: 'ClusterPropagationPolicy',
        metadata: { name: 'definitions' },
        spec: {
          resourceSelectors: [{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' }],
        },
      },
    );
    const gizmo = (name: string): KubeObject => ({
      apiVersion: 'example.com/v1',
      kind: 'Gizmo',
      metadata: { name },
      spec: { size: 1 },
    });
    for (const [name, version] of [
      ['old', 'v1beta1'],
      ['new', 'v1'],
    ] as const) {
      const selector = { apiVersion: `example.com/${version}`, kind: 'Gizmo', name };
      await placeInShop(constellation.admin, project, `gizmo-${name}`, [selector], ['cell-a']);
      await until('the kind is served', () =>
        constellation.admin
          .create({ cluster: project, gvr: gizmos('v1'), namespace: 'shop' }, gizmo(name))
          .catch(() => undefined),
      );
    }
    for (const name of ['old', 'new']) {
      await isApplied('Gizmo', name);
      assert.deepEqual((await atEdge(gizmos('v1beta1'), name))?.['spec'], { size: 1 });
    }
    // The edge's own definition is left as it is, and the project's binding of its own says so.
    await until('so does the definition', async () => {
      const gvr = { ...bindings, resource: 'clusterresourcebindings' };
      const { items } = await constellation.admin.list({ cluster: project, gvr });
      const status = items.find(({ metadata }) => metadata.name?.startsWith('gizmos'))?.['status'];
      const [item] = (status as BindingStatus | undefined)?.aggregatedStatus ?? [];
      return item?.applied === false && /^AlreadyExists: /.test(item.appliedMessage ?? '');
    });
    const { versions } = (await edge.get(edgeRef(crds, 'gizmos.example.com')))['spec'] as {
      versions: { name: string }[];
    };
    assert.deepEqual(
      versions.map(({ name }) => name),
      ['v1beta1'],
    );
  });

  test('it comes to serve another version, and back: objects follow, changes and repairs too', async () => {
    const serve = async (served: string) => {
      const crd = gizmoCrd('v1', 'v1beta1');
      const { versions } = crd['spec'] as { versions: { name: string; served: boolean }[] };
      await edge.patch(edgeRef(crds, 'gizmos.example.com'), {
        type: 'merge',
        body: { spec: { versions: versions.map((one) => ({ ...one, served: one.name === served })) } },
      });
      await until(`${served} alone is served`, async () => {
        const versionsServed = await Promise.all(
          ['v1', 'v1beta1'].map((version) =>
            edge.list({ cluster: undefined, gvr: gizmos(version) }).then(
              () => version,
              () => '',
            ),
          ),
        );
        return versionsServed.join('') === served;
      });
    };
    const sizeAtEdge = async (version: string, name: string) => {
      const spec = (await atEdge(gizmos(version), name))?.['spec'] as { size?: number } | undefined;
      return spec?.size;
    };
    const resize = (size: number) =>
      constellation.admin.patch(refOf(gizmos('v1'), 'new'), { type: 'merge', body: { spec: { size } } });

    await serve('v1');
    await resize(2);
    await until('the change is there', async () => (await sizeAtEdge('v1', 'new')) === 2);
    await isApplied('Gizmo', 'new');
    await serve('v1beta1');
    // Nothing of ours is written: what is done there is seen all the same.
    await edge.patch(edgeRef(gizmos('v1beta1'), 'old', mapped), {
      type: 'merge',
      body: { spec: { size: 9 } },
    });
    await until('it is repaired', async () => (await sizeAtEdge('v1beta1', 'old')) === 1);
    for (const name of ['old', 'new']) {
      await isApplied('Gizmo', name);
      await constellation.admin.delete(refOf(gizmos('v1'), name));
      await until(`${name} is gone`, async () => (await atEdge(gizmos('v1beta1'), name)) === undefined);
    }
  });

  test('a kind of Kubernetes’ own that it serves in an older version only is written in that, and read', async () => {
    const hpas = (version: string) => ({
      group: 'autoscaling',
      version,
      resource: 'horizontalpodautoscalers',
    });
    const { edgeTap, start, stop } = constellation.federator();
    const isOld = (tell: boolean) =>
      until('the Cell tells what is served', async () => {
        const { apiEnablements = [] } = (await constellation.cell()).status ?? {};
        return apiEnablements.some(({ groupVersion }) => groupVersion === 'autoscaling/v2') !== tell;
      });
    edgeTap.plainDiscovery = true;
    edgeTap.intercept = ({ verb, resource }) => {
      if (verb === 'raw' && resource === '/apis/autoscaling/v2') throw new ApiError('NotFound', 'no');
    };
    await stop();
    await start();
    await isOld(true);
    const selector = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' };
    await placeInShop(constellation.admin, project, 'scaling', [selector], ['cell-a']);
    const metrics = [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } },
      },
      {
        type: 'Resource',
        resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '64Mi' } },
      },
    ];
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'scaled' };
    await put(hpas('v2'), {
      ...selector,
      metadata: { name: 'scaler' },
      spec: { scaleTargetRef, maxReplicas: 3, metrics },
    });
    await isApplied('HorizontalPodAutoscaler', 'scaler');
    const there = (await atEdge(hpas('v2'), 'scaler')) as KubeObject;
    assert.equal(
      there.metadata.managedFields?.find(({ manager }) => manager === 'cellplane-federator')?.apiVersion,
      'autoscaling/v1',
    );
    const byName = ({ metrics: all }: { metrics?: { resource: { name: string } }[] }) =>
      [...(all ?? [])].sort((a, b) => a.resource.name.localeCompare(b.resource.name));
    assert.deepEqual(byName(there['spec'] as { metrics?: typeof metrics }), metrics);
    await edge.patch(
      edgeRef(hpas('v2'), 'scaler', mapped),
      {
        type: 'merge',
        body: {
          status: {
            desiredReplicas: 3,
            currentReplicas: 2,
            conditions: [
              { type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound', message: 'ok' },
            ],
          },
        },
      },
      { subresource: 'status' },
    );
    await until('the status is in the copy', async () => {
      const cluster = 'root:cells:cell-a';
      const copy = await constellation.admin.get({
        cluster,
        gvr: hpas('v2'),
        namespace: mapped,
        name: 'scaler',
      });
      const { desiredReplicas, conditions } = (copy['status'] ?? {}) as {
        desiredReplicas?: number;
        conditions?: unknown[];
      };
      return desiredReplicas === 3 && conditions?.length === 1;
    });
    // A newer Kubernetes: the newer version is read from then on, and nothing is written for it.
    edgeTap.plainDiscovery = false;
    edgeTap.intercept = undefined;
    await stop();
    await start();
    await isOld(false);
    edgeTap.clear();
    await put(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'upgraded' } });
    await until('another object is synced', () => atEdge(configMaps, 'upgraded'));
    await until('nothing is under way', () => constellation.federator().process?.cell('cell-a')?.idle);
    assert.equal(edgeTap.count('apply', 'horizontalpodautoscalers.autoscaling'), 0);
  });

  test('a deletion in the foreground waits for what is made there; one that orphans leaves it', async () => {
    const names = ['fore', 'orphaning'];
    for (const name of names) {
      await put(deployments, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name },
        spec: {
          selector: { matchLabels: { app: name } },
          template: { metadata: { labels: { app: name } }, spec: pod(name, safe)['spec'] as JsonObject },
        },
      });
      const owner = await until('it is at the edge', () => atEdge(deployments, name));
      const metadata: ObjectMeta = {
        name: `of-${name}`,
        finalizers: ['example.com/hold'],
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            name,
            uid: owner.metadata.uid ?? '',
            blockOwnerDeletion: true,
          },
        ],
      };
      await edge.create(
        { cluster: undefined, gvr: configMaps, namespace: mapped },
        { apiVersion: 'v1', kind: 'ConfigMap', metadata },
      );
    }
    const remove = (name: string, propagationPolicy: PropagationPolicy) =>
      constellation.admin.delete(refOf(deployments, name), { propagationPolicy });
    const isGone = async (name: string) =>
      (await find(constellation.admin, refOf(deployments, name))) === undefined;

    await remove('fore', 'Foreground');
    await until('what was made there is asked to go', async () => {
      return (await atEdge(configMaps, 'of-fore'))?.metadata.deletionTimestamp !== undefined;
    });
    assert.deepEqual((await atEdge(deployments, 'fore'))?.metadata.finalizers, ['foregroundDeletion']);
    assert.equal(await isGone('fore'), false, 'the project’s waits');
    const body = { metadata: { finalizers: null } };
    await edge.patch(edgeRef(configMaps, 'of-fore', mapped), { type: 'merge', body });
    await until('the project’s goes', () => isGone('fore'));
    assert.equal(await atEdge(deployments, 'fore'), undefined);

    await remove('orphaning', 'Orphan');
    await until('it goes at the edge', async () => (await atEdge(deployments, 'orphaning')) === undefined);
    await until('and in the project', () => isGone('orphaning'));
    const left = await atEdge(configMaps, 'of-orphaning');
    assert.equal(left?.metadata.ownerReferences, undefined);
    assert.equal(left?.metadata.deletionTimestamp, undefined);
  });
});
