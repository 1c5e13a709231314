// Edges that their own operators have set up in their own way: Pod Security, quotas, admission that changes what is applied,
// controllers with dependents. What each makes of a project's objects is told in the project.
// docs/federation-contract.md: FD4, FD5, FE2, FU1
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { PropagationPolicy } from '#client/client.ts';
import { configMaps, deployments, edgeRef, find, namespaces } from '../harness/edge-objects.ts';
import { ShopAtEdge } from '../harness/shop-at-edge.ts';
import { until } from '../harness/until.ts';

const core = (resource: string) => ({ group: '', version: 'v1', resource });
const pods = core('pods');
const admission = (resource: string) => ({ group: 'admissionregistration.k8s.io', version: 'v1', resource });

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
  let shop: ShopAtEdge;
  before(async () => {
    shop = await ShopAtEdge.start(
      { apiVersion: 'v1', kind: 'Pod' },
      { apiVersion: 'apps/v1', kind: 'Deployment' },
    );
  });
  after(() => shop?.[Symbol.asyncDispose]());

  test('Pod Security is enforced there: what violates it is told, in its words', async () => {
    await shop.edge.patch(edgeRef(namespaces, shop.mapped), {
      type: 'merge',
      body: { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } },
    });
    await shop.put(pods, pod('rootful', {}));
    await shop.put(pods, pod('modest', safe));
    await shop.isRefused(
      'Pod',
      'rootful',
      /violates PodSecurity "restricted:latest": .*allowPrivilegeEscalation/,
    );
    await shop.isApplied('Pod', 'modest');
    const labels = (await shop.edge.get(edgeRef(namespaces, shop.mapped))).metadata.labels;
    assert.equal(labels?.['pod-security.kubernetes.io/enforce'], 'restricted', 'the edge’s label stays');
  });

  test('a quota is used up there: what exceeds it is told, and comes when there is room', async () => {
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'two-pods' },
      spec: { hard: { pods: '1' } },
    };
    await shop.edge.create(
      { cluster: undefined, gvr: core('resourcequotas'), namespace: shop.mapped },
      quota,
    );
    await until('the quota counts', async () => {
      const { status } = await shop.edge.get(edgeRef(core('resourcequotas'), 'two-pods', shop.mapped));
      return (status as { used?: JsonObject } | undefined)?.used?.['pods'] === '1';
    });
    await shop.put(pods, pod('one-too-many', safe));
    await shop.isRefused('Pod', 'one-too-many', /exceeded quota: two-pods, requested: pods=1, used: pods=1/);
    await shop.edge.delete(edgeRef(core('resourcequotas'), 'two-pods', shop.mapped));
    // What is changed is tried at once.
    await shop.constellation.admin.patch(shop.refOf(pods, 'one-too-many'), {
      type: 'merge',
      body: { metadata: { labels: { again: 'yes' } } },
    });
    await shop.isApplied('Pod', 'one-too-many');

    // Somebody there deletes it, and it cannot come back: nothing is told as if it were there.
    const there = edgeRef(pods, 'one-too-many', shop.mapped);
    const body = { status: { phase: 'Running' } };
    await shop.edge.patch(there, { type: 'merge', body }, { subresource: 'status' });
    const phase = async () => {
      const { status } = await shop.constellation.admin.get(shop.refOf(pods, 'one-too-many'));
      return (status as { phase?: string } | undefined)?.phase;
    };
    await until('its status is in the project', async () => (await phase()) === 'Running');
    const none = { ...quota, metadata: { name: 'no-pods' }, spec: { hard: { pods: '0' } } };
    await shop.edge.create({ cluster: undefined, gvr: core('resourcequotas'), namespace: shop.mapped }, none);
    await until('the quota counts', async () => {
      const { status } = await shop.edge.get(edgeRef(core('resourcequotas'), 'no-pods', shop.mapped));
      return (status as { used?: JsonObject } | undefined)?.used?.['pods'] === '2';
    });
    await shop.edge.delete(there, { gracePeriodSeconds: 0 });
    await shop.isRefused('Pod', 'one-too-many', /exceeded quota: no-pods/);
    await until('its status is not told any more', async () => (await phase()) !== 'Running');
    await shop.edge.delete(edgeRef(core('resourcequotas'), 'no-pods', shop.mapped));
    await shop.constellation.admin.patch(shop.refOf(pods, 'one-too-many'), {
      type: 'merge',
      body: { metadata: { labels: { again: 'and-again' } } },
    });
    await shop.isApplied('Pod', 'one-too-many');
  });

  test('admission there changes what is applied: the edge’s stays, and nobody fights over it', async () => {
    const metadata = { name: 'mirror-images' };
    await shop.edge.create(
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
    await shop.edge.create(
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
      const collection = { cluster: undefined, gvr: deployments, namespace: shop.mapped };
      const made = await shop.edge.create(collection, deployment('probe', 1), { dryRun: true });
      return imageOf(made)[0] === 'mirror.pop/main';
    });
    await shop.put(deployments, deployment('web', 1));
    await until('it is at the edge', () => shop.atEdge(deployments, 'web'));
    // A change of its own goes through, and is changed there as the first was.
    await shop.put(deployments, deployment('web', 2));
    await until('the change is there', async () => {
      const object = await shop.atEdge(deployments, 'web');
      return (object?.['spec'] as { replicas?: number } | undefined)?.replicas === 2;
    });
    const tap = shop.constellation.federator().edgeTap;
    const appliesOf = () =>
      tap.requests.filter(({ verb, name }) => verb === 'apply' && name === 'web').length;
    const isIdle = () => shop.constellation.federator().process?.cell('cell-a')?.idle;
    // It is there before the federator has been answered, and has said so on the copy.
    await until('nothing is under way', isIdle);
    const { generation } = ((await shop.atEdge(deployments, 'web')) as KubeObject).metadata;
    const before = appliesOf();
    // Whoever starts anew compares what is there with what it should be.
    await shop.constellation.federator().stop();
    await shop.constellation.federator().start();
    await shop.put(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'after' } });
    await until('another object is synced after it', () => shop.atEdge(configMaps, 'after'));
    await until('all is looked at', isIdle);
    const object = await shop.atEdge(deployments, 'web');
    assert.deepEqual(imageOf(object), ['mirror.pop/main', 'pop-work']);
    assert.equal(object?.metadata.generation, generation, 'nobody wrote again');
    assert.equal(appliesOf(), before);
    await until('nothing is complained of', async () => {
      const [item] = (await shop.told('Deployment', 'web'))?.aggregatedStatus ?? [];
      return item?.applied === true && item.appliedMessage === undefined;
    });
  });

  test('a deletion in the foreground waits for what is made there; one that orphans leaves it', async () => {
    const names = ['fore', 'orphaning'];
    for (const name of names) {
      await shop.put(deployments, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name },
        spec: {
          selector: { matchLabels: { app: name } },
          template: { metadata: { labels: { app: name } }, spec: pod(name, safe)['spec'] as JsonObject },
        },
      });
      const owner = await until('it is at the edge', () => shop.atEdge(deployments, name));
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
      await shop.edge.create(
        { cluster: undefined, gvr: configMaps, namespace: shop.mapped },
        { apiVersion: 'v1', kind: 'ConfigMap', metadata },
      );
    }
    const remove = (name: string, propagationPolicy: PropagationPolicy) =>
      shop.constellation.admin.delete(shop.refOf(deployments, name), { propagationPolicy });
    const isGone = async (name: string) =>
      (await find(shop.constellation.admin, shop.refOf(deployments, name))) === undefined;

    await remove('fore', 'Foreground');
    await until('what was made there is asked to go', async () => {
      return (await shop.atEdge(configMaps, 'of-fore'))?.metadata.deletionTimestamp !== undefined;
    });
    assert.deepEqual((await shop.atEdge(deployments, 'fore'))?.metadata.finalizers, ['foregroundDeletion']);
    assert.equal(await isGone('fore'), false, 'the project’s waits');
    const body = { metadata: { finalizers: null } };
    await shop.edge.patch(edgeRef(configMaps, 'of-fore', shop.mapped), { type: 'merge', body });
    await until('the project’s goes', () => isGone('fore'));
    assert.equal(await shop.atEdge(deployments, 'fore'), undefined);

    await remove('orphaning', 'Orphan');
    await until(
      'it goes at the edge',
      async () => (await shop.atEdge(deployments, 'orphaning')) === undefined,
    );
    await until('and in the project', () => isGone('orphaning'));
    const left = await shop.atEdge(configMaps, 'of-orphaning');
    assert.equal(left?.metadata.ownerReferences, undefined);
    assert.equal(left?.metadata.deletionTimestamp, undefined);
  });
});
