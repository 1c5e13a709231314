// An edge of another make: kube-apiserver itself, joined as an operator joins it. Such a program has to be built first
// (CONTRIBUTING.md), so it runs only when CELLPLANE_TEST_KUBE_APISERVER names one; any version from 1.30 on will do.
// docs/federation-contract.md: FE1, FE2, FC4, FD2, FD3, FD4, FO3, FU1, FU3
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { conditionOf } from '#api/conditions.ts';
import { returnPoliciesGvr } from '#api/federation/return-policy.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { Constellation } from '../harness/constellation.ts';
import { configMaps, deployments, edgeRef, find, namespaces } from '../harness/edge-objects.ts';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { placeInShop } from '../harness/place-in-shop.ts';
import { temporaryFolder } from '../harness/processes.ts';
import { RealEdge } from '../harness/real-edge.ts';
import { adminConnectionTo } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';
import { writeKubeconfig } from '../harness/write-kubeconfig.ts';

const binary = process.env['CELLPLANE_TEST_KUBE_APISERVER'];
if (binary !== undefined && binary !== '') describeRealEdge(binary);
else console.log('a real edge: set CELLPLANE_TEST_KUBE_APISERVER to a kube-apiserver to test with it');

const core = (resource: string) => ({ group: '', version: 'v1', resource });
const slices = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' };
const jobs = { group: 'batch', version: 'v1', resource: 'jobs' };
const admission = (resource: string) => ({ group: 'admissionregistration.k8s.io', version: 'v1', resource });
const hpas = (version: string) => ({ group: 'autoscaling', version, resource: 'horizontalpodautoscalers' });
const bindings = { group: 'work.karmada.io', version: 'v1alpha2', resource: 'resourcebindings' };
const project = 'root:acme:shop';
/** A kube-apiserver takes its time, to start and to notice. */
const slow = { timeoutMs: 90_000 };
const cell = 'real';
const container = { name: 'c', image: 'registry.example/c', resources: { requests: { cpu: 0.5 } } };
const template = (labels: JsonObject, spec: JsonObject = {}) => ({
  metadata: { labels },
  spec: { containers: [container], ...spec },
});

/** Kinds to whose objects kube-apiserver adds defaults, addresses or names of its own. */
const objects: readonly (readonly [{ group: string; version: string; resource: string }, KubeObject])[] = [
  [configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'plain' }, data: { a: '1', b: '' } }],
  [
    core('services'),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80 }] },
    },
  ],
  [
    deployments,
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: template({ app: 'web' }) },
    },
  ],
  [
    jobs,
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'once' },
      spec: { template: template({}, { restartPolicy: 'Never' }) },
    },
  ],
  [
    core('persistentvolumeclaims'),
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1024Mi' } } },
    },
  ],
  [
    hpas('v2'),
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'scaler' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'other' },
        maxReplicas: 3,
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } },
          },
          {
            type: 'Pods',
            pods: { metric: { name: 'rps' }, target: { type: 'AverageValue', averageValue: '1k' } },
          },
        ],
        behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
      },
    },
  ],
];

function describeRealEdge(file: string): void {
  describe('an edge that is a kube-apiserver', { timeout: 300_000, skip: skipWithoutEtcd }, () => {
    let constellation: Constellation;
    let edge: RealEdge;
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let federationFile = '';
    let edgeFile = '';
    let mapped = '';

    before(async () => {
      folder = await temporaryFolder();
      constellation = await Constellation.start({ cells: [] });
      // Some kinds as an older Kubernetes has them.
      edge = await RealEdge.start(file, ['--runtime-config=autoscaling/v2=false']);
      federationFile = await writeKubeconfig(
        path.join(folder.path, 'federation'),
        adminConnectionTo(constellation.pki, constellation.server.url),
      );
      edgeFile = await writeKubeconfig(path.join(folder.path, 'edge'), edge.connection);
    });
    after(async () => {
      await constellation?.[Symbol.asyncDispose]();
      await edge?.[Symbol.asyncDispose]();
      await folder?.[Symbol.asyncDispose]();
    });

    const run = async (...args: string[]) => {
      const all = ['bin/cellplane.js', 'cell', ...args, '--kubeconfig', federationFile];
      const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
        execFile(process.execPath, all, (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}` });
        });
      });
      assert.equal(code, 0, output);
    };
    const join = () => run('join', cell, '--edge-kubeconfig', edgeFile, '--service-account');
    const isReady = () =>
      until(
        'the cell is ready',
        async () => {
          const one = conditionOf((await constellation.cell(cell)).status?.conditions, 'Ready');
          if (one?.status === 'True') return one;
          throw new Error(`${one?.reason}: ${one?.message}`);
        },
        slow,
      );
    const inProject = (gvr: (typeof objects)[number][0], name: string) => ({
      cluster: project,
      gvr,
      namespace: 'shop',
      name,
    });
    const create = (gvr: (typeof objects)[number][0], object: KubeObject) =>
      constellation.admin.create({ cluster: project, gvr, namespace: 'shop' }, object);
    const atEdge = (gvr: (typeof objects)[number][0], name: string) =>
      find(edge.client, edgeRef(gvr, name, mapped));
    const dataAtEdge = async (name: string) =>
      ((await atEdge(configMaps, name))?.['data'] ?? {}) as { [key: string]: string };
    /** Messages of the bindings that are not applied everywhere, by the name of what they are of. */
    const failures = async () => {
      const { items } = await constellation.admin.list({
        cluster: project,
        gvr: bindings,
        namespace: 'shop',
      });
      const found = new Map<string, string>();
      for (const { spec, status } of items) {
        const { conditions } = status as { conditions?: Parameters<typeof conditionOf>[0] };
        const condition = conditionOf(conditions, 'FullyApplied');
        if (condition?.status === 'True') continue;
        const { kind, name } = (spec as { resource: { kind: string; name: string } }).resource;
        found.set(`${kind}/${name}`, condition?.message ?? '');
      }
      return found;
    };
    const allApplied = () =>
      until(
        'all is applied',
        async () => {
          const left = await failures();
          if (left.size === 0) return true;
          throw new Error([...left].join('; '));
        },
        slow,
      );
    const federatorWrites = async () =>
      (await edge.requests()).filter(
        ({ verb, user }) => user.includes('cellplane-federator') && !['get', 'list', 'watch'].includes(verb),
      );

    /** How often the federator has looked whose the edge is, and how far its store. */
    const looks = async () =>
      (await edge.requests()).filter(({ verb, name }) => verb === 'list' && name === 'cellplane-claim')
        .length;

    test('it is joined, and takes what kube-apiserver fills in as its own', async () => {
      await join();
      await isReady();
      await constellation.createProject(project);
      const selectors = objects.map(([, { apiVersion = '', kind = '' }]) => ({ apiVersion, kind }));
      await placeInShop(constellation.admin, project, 'all', selectors, [cell]);
      for (const [gvr, object] of objects) await create(gvr, object);
      mapped = await until('the namespace is there', async () => {
        const { items } = await edge.client.list({ cluster: undefined, gvr: namespaces });
        return items.find(({ metadata }) => metadata.name?.startsWith('shop-shop-'))?.metadata.name;
      });
      await until('there are as many bindings as objects', async () => {
        const ref = { cluster: project, gvr: bindings, namespace: 'shop' };
        return (await constellation.admin.list(ref)).items.length === objects.length;
      });
      await allApplied();
      const service = await atEdge(core('services'), 'web');
      assert.match(
        String(((service?.['spec'] ?? {}) as JsonObject)['clusterIP']),
        /^10\.0\./,
        'the edge’s own address',
      );
      const scaler = await atEdge(hpas('v1'), 'scaler');
      const { targetCPUUtilizationPercentage: target } = (scaler?.['spec'] ?? {}) as JsonObject;
      assert.equal(target, 60, 'in the version that it serves');
      const metrics = scaler?.metadata.annotations?.['autoscaling.alpha.kubernetes.io/metrics'];
      assert.match(metrics ?? '', /"rps"/);
      const job = await atEdge(jobs, 'once');
      const selector = ((job?.['spec'] ?? {}) as JsonObject)['selector'] as {
        matchLabels: { [key: string]: string };
      };
      assert.ok(
        Object.values(selector.matchLabels).includes(job?.metadata.uid ?? ''),
        'the edge’s own selector',
      );
    });

    test('nothing is written when nothing changes, after a restart of the federator either', async () => {
      const before = (await federatorWrites()).length;
      const federator = constellation.federator();
      await federator.stop();
      await federator.start();
      await isReady();
      await create(configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'next' },
        data: {},
      });
      await until('the next object goes through', () => atEdge(configMaps, 'next'));
      const since = (await federatorWrites()).slice(before);
      assert.deepEqual(
        [...new Set(since.map(({ resource, name }) => `${resource}/${name}`))],
        ['configmaps/next'],
      );
    });

    test('hand edits are repaired, and what others own beside ours stays', async () => {
      const at = edgeRef(configMaps, 'plain', mapped);
      await edge.client.patch(at, { type: 'merge', body: { data: { a: 'changed', theirs: 'x' } } });
      await until('it is repaired', async () => (await dataAtEdge('plain'))['a'] === '1');
      assert.equal((await dataAtEdge('plain'))['theirs'], 'x');
      const web = edgeRef(deployments, 'web', mapped);
      await edge.client.patch(web, { type: 'merge', body: { spec: { replicas: 7 } } });
      await until('so are replicas', async () => {
        const spec = (await atEdge(deployments, 'web'))?.['spec'] as { replicas?: number } | undefined;
        return spec?.replicas === 2;
      });
      await edge.client.delete(edgeRef(core('services'), 'web', mapped));
      await until('what was deleted is made again', () => atEdge(core('services'), 'web'));
    });

    test('status comes back', async () => {
      const { metadata } = (await atEdge(deployments, 'web')) as KubeObject;
      const status = { observedGeneration: metadata.generation ?? 0, replicas: 2, readyReplicas: 2 };
      await edge.client.patch(
        edgeRef(deployments, 'web', mapped),
        { type: 'merge', body: { status } },
        { subresource: 'status' },
      );
      await until('the project has it', async () => {
        const { status: gathered } = await constellation.admin.get(inProject(deployments, 'web'));
        return (gathered as { readyReplicas?: number } | undefined)?.readyReplicas === 2;
      });
      await edge.client.patch(
        edgeRef(hpas('v1'), 'scaler', mapped),
        { type: 'merge', body: { status: { desiredReplicas: 3, currentReplicas: 2 } } },
        { subresource: 'status' },
      );
      await until('so it has the autoscaler’s, in its own version', async () => {
        const { status: gathered } = await constellation.admin.get({
          cluster: `root:cells:${cell}`,
          gvr: hpas('v2'),
          namespace: mapped,
          name: 'scaler',
        });
        return (gathered as { desiredReplicas?: number } | undefined)?.desiredReplicas === 3;
      });
    });

    test('what its admission refuses is told in the project, in its words', async () => {
      const metadata = { name: 'no-forbidden' };
      await edge.client.create(
        { cluster: undefined, gvr: admission('validatingadmissionpolicies') },
        {
          apiVersion: 'admissionregistration.k8s.io/v1',
          kind: 'ValidatingAdmissionPolicy',
          metadata,
          spec: {
            matchConstraints: {
              resourceRules: [
                { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] },
              ],
            },
            validations: [
              {
                expression: "!has(object.data) || !('forbidden' in object.data)",
                message: 'not welcome here',
              },
            ],
          },
        },
      );
      const policyBinding = { cluster: undefined, gvr: admission('validatingadmissionpolicybindings') };
      await edge.client.create(policyBinding, {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata,
        spec: { policyName: metadata.name, validationActions: ['Deny'] },
      });
      const refusable = (name: string): KubeObject => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name },
        data: { forbidden: '1' },
      });
      await until('the policy is in force', async () => {
        const collection = { cluster: undefined, gvr: configMaps, namespace: mapped };
        const options = { dryRun: true };
        return edge.client.create(collection, refusable('probe'), options).then(
          () => false,
          () => true,
        );
      });
      await create(configMaps, refusable('refused'));
      await until('the binding says so', async () =>
        (await failures()).get('ConfigMap/refused')?.includes('not welcome here'),
      );
      await edge.client.delete({ ...policyBinding, name: metadata.name });
      await allApplied();
    });

    test('what is born there comes back, read with the account that join made', async () => {
      await constellation.admin.create(
        { cluster: project, gvr: returnPoliciesGvr, namespace: 'shop' },
        {
          apiVersion: 'federation.cellplane.io/v1alpha1',
          kind: 'ReturnPolicy',
          metadata: { name: 'back', namespace: 'shop' },
          spec: { resources: [{ kind: 'EndpointSlice' }, { kind: 'Event' }] },
        },
      );
      await edge.client.create(
        { cluster: undefined, gvr: slices, namespace: mapped },
        {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
          addressType: 'IPv4',
          endpoints: [{ addresses: ['10.1.0.1'] }],
          ports: [{ port: 80 }],
        },
      );
      const involved = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: mapped };
      const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
      await edge.client.create(
        { cluster: undefined, gvr: core('events'), namespace: mapped },
        {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name: 'web.1', namespace: mapped },
          involvedObject: involved,
          type: 'Normal',
          reason: 'ScalingReplicaSet',
          message: 'Scaled up',
          source: { component: 'deployment-controller' },
          firstTimestamp: time,
          lastTimestamp: time,
          count: 1,
        },
      );
      await until('the slice is in the project', () => find(constellation.admin, inProject(slices, 'web-1')));
      await until('so is the Event', async () => {
        const { items } = await constellation.admin.list({
          cluster: project,
          gvr: core('events'),
          namespace: 'shop',
        });
        return items.some(({ reason }) => reason === 'ScalingReplicaSet');
      });
    });

    test('what changes while it is away follows when it is back', async () => {
      await edge.kill();
      await constellation.admin.patch(inProject(configMaps, 'plain'), {
        type: 'merge',
        body: { data: { a: '2' } },
      });
      await edge.resume();
      await until('the change is there', async () => (await dataAtEdge('plain'))['a'] === '2', slow);
    });

    test('what it was put back from, by a backup, follows again', async () => {
      await edge.backUp();
      await constellation.admin.patch(inProject(configMaps, 'plain'), {
        type: 'merge',
        body: { data: { a: '3' } },
      });
      await until('the change is there', async () => (await dataAtEdge('plain'))['a'] === '3', slow);
      // Revisions that the edge will not reach again by itself.
      for (let n = 0; n < 100; n++) {
        await edge.client.create(
          { cluster: undefined, gvr: configMaps, namespace: 'default' },
          { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `filler-${n}` } },
        );
      }
      const before = await looks();
      await until('the federator has looked since', async () => (await looks()) > before, slow);
      await edge.putBack();
      // Not by the change: it may be there again by now.
      assert.equal(await find(edge.client, edgeRef(configMaps, 'filler-0', 'default')), undefined);
      await until('the change is there again', async () => (await dataAtEdge('plain'))['a'] === '3', slow);
    });

    test('unjoin --orphan leaves it all; the same edge is joined again', async () => {
      await run('unjoin', cell, '--orphan');
      const uid = (await atEdge(deployments, 'web'))?.metadata.uid;
      assert.ok(uid);
      await join();
      await isReady();
      await allApplied();
      assert.equal((await atEdge(deployments, 'web'))?.metadata.uid, uid, 'it is the same one');
    });

    test('unjoin withdraws everything, and waits for the edge’s own finalizers', async () => {
      const left = () => find(edge.client, edgeRef(namespaces, mapped));
      const unjoined = run('unjoin', cell, '--edge-kubeconfig', edgeFile);
      // The namespace and what protects the claim go with controllers, which this edge has not.
      const finalized = until(
        'the namespace is gone',
        async () => {
          const claim = await atEdge(core('persistentvolumeclaims'), 'data');
          if (claim?.metadata.deletionTimestamp !== undefined) {
            const ref = edgeRef(core('persistentvolumeclaims'), 'data', mapped);
            await edge.client.patch(ref, { type: 'merge', body: { metadata: { finalizers: null } } });
          }
          const namespace = await left();
          if (namespace === undefined) return true;
          if (namespace.metadata.deletionTimestamp === undefined) return false;
          await edge.client.raw({
            cluster: undefined,
            method: 'PUT',
            path: `/api/v1/namespaces/${mapped}/finalize`,
            body: { ...namespace, spec: { finalizers: [] } },
          });
          return false;
        },
        { ...slow, everyMs: 100 },
      );
      await Promise.all([unjoined, finalized]);
      for (const [gvr, object] of objects) {
        assert.equal(await atEdge(gvr, object.metadata.name ?? ''), undefined, object.kind);
      }
    });
  });
}
