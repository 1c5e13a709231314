// Federation is not seen by those who work in a project: what a watcher is told with it and without it is the same, but for
// status that comes back. And an edge's own rules reach the project as words in its binding.
// docs/federation-contract.md: FE2, FI1
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { Constellation } from '../harness/constellation.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { configMaps, deployments } from '../harness/edge-objects.ts';
import { until } from '../harness/until.ts';

const federated = 'root:acme:on';
const plain = 'root:acme:off';
const serviceAccounts = { group: '', version: 'v1', resource: 'serviceaccounts' };
const services = { group: '', version: 'v1', resource: 'services' };
const secrets = { group: '', version: 'v1', resource: 'secrets' };
const watched = [
  configMaps,
  secrets,
  services,
  deployments,
  { group: '', version: 'v1', resource: 'namespaces' },
  serviceAccounts,
  { group: '', version: 'v1', resource: 'events' },
  { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' },
  { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'rolebindings' },
];
type Gvr = (typeof watched)[number];

describe('blindness', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  const traces = new Map<string, Trace>();

  before(async () => {
    constellation = await Constellation.start();
    for (const project of [federated, plain]) await constellation.createProject(project);
    const kinds: readonly (readonly [string, string])[] = [
      ['v1', 'ConfigMap'],
      ['v1', 'Secret'],
      ['v1', 'Service'],
      ['apps/v1', 'Deployment'],
    ];
    await constellation.admin.create(
      {
        cluster: federated,
        gvr: { group: 'policy.karmada.io', version: 'v1alpha1', resource: 'propagationpolicies' },
        namespace: 'shop',
      },
      {
        apiVersion: 'policy.karmada.io/v1alpha1',
        kind: 'PropagationPolicy',
        metadata: { name: 'all', namespace: 'shop' },
        spec: {
          resourceSelectors: kinds.map(([apiVersion, kind]) => ({ apiVersion, kind })),
          placement: { clusterAffinity: { clusterNames: ['cell-a'] } },
        },
      },
    );
    // What the server gives each namespace comes by itself: it is to be there before anyone looks.
    for (const cluster of [federated, plain]) {
      for (const namespace of ['default', 'shop']) {
        const given = [
          { cluster, gvr: configMaps, namespace, name: 'kube-root-ca.crt' },
          { cluster, gvr: serviceAccounts, namespace, name: 'default' },
        ];
        for (const ref of given)
          await until(`${ref.name} in ${namespace}`, () => constellation.admin.get(ref));
      }
    }
    for (const project of [federated, plain]) traces.set(project, await Trace.start(constellation, project));
  });
  after(async () => {
    await disposeAll(...Array.from(traces.values(), (trace) => () => trace.stop()), constellation);
  });

  const atEdge = async (gvr: Gvr, name: string) => {
    const { items } = await constellation.edge().client.list({ cluster: undefined, gvr });
    return items.find(({ metadata }) => metadata.name === name && metadata.namespace?.startsWith('on-shop-'));
  };

  /** Each kind has a watch of its own: what one of them has told says nothing of the others. */
  const assertTheSame = async (...but: string[]) => {
    const resources = watched.map(({ resource }) => resource).filter((one) => !but.includes(one));
    const texts = (resource: string) =>
      [federated, plain].map((project) => traces.get(project)?.text(resource));
    await until('the same is told', () =>
      resources.map(texts).every(([told, expected]) => told === expected),
    ).catch(() => {}); // what differs is shown below
    for (const resource of resources) {
      const [told, expected] = texts(resource);
      assert.equal(told, expected, resource);
    }
  };

  test('a watcher of a project is told the same with federation and without', async () => {
    for (const project of [plain, federated]) {
      const isFederated = project === federated;
      const { admin } = constellation;
      const ref = (gvr: Gvr, name: string) => ({ cluster: project, gvr, namespace: 'shop', name });
      const create = async (gvr: Gvr, object: KubeObject) => {
        await admin.create({ cluster: project, gvr, namespace: 'shop' }, object, {
          fieldManager: 'controller',
        });
        const name = object.metadata.name ?? '';
        if (isFederated) await until(`${name} is at the edge`, () => atEdge(gvr, name));
      };
      const labels = { app: 'web' };
      await create(configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'settings' },
        data: { a: '1' },
      });
      await create(secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'token' },
        type: 'Opaque',
      });
      await create(services, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { selector: labels, ports: [{ port: 80 }] },
      });
      await create(deployments, {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', finalizers: ['acme.example/clean-up'] },
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: { containers: [{ name: 'main', image: 'registry.example/x:v1' }] },
          },
        },
      });
      const options = { fieldManager: 'controller' };
      await admin.patch(ref(configMaps, 'settings'), { type: 'merge', body: { data: { a: '2' } } }, options);
      await admin.patch(ref(deployments, 'web'), { type: 'merge', body: { spec: { replicas: 3 } } }, options);
      if (isFederated) {
        await until('the changes are at the edge', async () => {
          const data = (await atEdge(configMaps, 'settings'))?.['data'];
          const spec = (await atEdge(deployments, 'web'))?.['spec'];
          return (
            (data as JsonObject | undefined)?.['a'] === '2' &&
            (spec as JsonObject | undefined)?.['replicas'] === 3
          );
        });
      }
      await admin.delete(ref(configMaps, 'settings'));
      await admin.delete(ref(secrets, 'token'));
      if (isFederated)
        await until('it goes', async () => (await atEdge(configMaps, 'settings')) === undefined);
      // Told last of their kinds.
      const done = { metadata: { annotations: { done: 'yes' } } };
      for (const gvr of [services, deployments]) {
        await admin.patch(ref(gvr, 'web'), { type: 'merge', body: done }, options);
      }
    }
    await until('both are told to the end', () =>
      [...traces.values()].every(
        (trace) => trace.text('services').includes('"done"') && trace.text('deployments').includes('"done"'),
      ),
    );
    await assertTheSame();
  });

  test('status that comes back is all that differs', async () => {
    const before = traces.get(federated)?.events('deployments').length ?? 0;
    const web = (await atEdge(deployments, 'web')) as KubeObject;
    const { namespace, generation = 1 } = web.metadata;
    await constellation.edge().client.patch(
      { cluster: undefined, gvr: deployments, namespace, name: 'web' },
      {
        type: 'merge',
        body: { status: { replicas: 3, readyReplicas: 3, observedGeneration: generation } },
      },
      { subresource: 'status' },
    );
    const events = await until('the project is told', () => {
      const all = traces.get(federated)?.events('deployments') ?? [];
      return all.length > before && JSON.stringify(all.at(-1)).includes('readyReplicas') ? all : undefined;
    });
    const [last, ...more] = events.slice(before - 1).map(({ type, object }) => {
      const { status: _status, ...rest } = object;
      return { type, rest: JSON.stringify(rest) };
    });
    for (const one of more) assert.deepEqual(one, last);
    await assertTheSame('deployments');
  });

  test('an edge’s own admission policy refuses: its words stand in the project’s binding', async () => {
    const { client } = constellation.edge();
    const admission = { group: 'admissionregistration.k8s.io', version: 'v1' };
    await client.create(
      { cluster: undefined, gvr: { ...admission, resource: 'validatingadmissionpolicies' } },
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name: 'no-plain-http' },
        spec: {
          matchConstraints: {
            resourceRules: [
              {
                apiGroups: [''],
                apiVersions: ['v1'],
                resources: ['configmaps'],
                operations: ['CREATE', 'UPDATE'],
              },
            ],
          },
          validations: [
            {
              expression: "!('url' in object.data) || object.data.url.startsWith('https:')",
              message: 'plain http is not allowed in this POP',
            },
          ],
        },
      },
    );
    await client.create(
      { cluster: undefined, gvr: { ...admission, resource: 'validatingadmissionpolicybindings' } },
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name: 'no-plain-http' },
        spec: { policyName: 'no-plain-http', validationActions: ['Deny'] },
      },
    );
    const configMap = (name: string, url: string) =>
      constellation.admin.apply(
        { cluster: federated, gvr: configMaps, namespace: 'shop', name },
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { url } },
        { fieldManager: 'test', force: true },
      );
    const messageOf = async (name: string) => {
      const bindings = { group: 'work.karmada.io', version: 'v1alpha2', resource: 'resourcebindings' };
      const { items } = await constellation.admin.list({
        cluster: federated,
        gvr: bindings,
        namespace: 'shop',
      });
      const status = items.find(({ metadata }) => metadata.name?.startsWith(`${name}-`))?.['status'] as
        | { aggregatedStatus?: { applied?: boolean; appliedMessage?: string }[] }
        | undefined;
      return status?.aggregatedStatus?.[0];
    };
    await configMap('insecure', 'http://x');
    const item = await until('the binding tells it', async () => {
      const one = await messageOf('insecure');
      return one?.appliedMessage === undefined ? undefined : one;
    });
    assert.equal(item.applied, false);
    assert.match(item.appliedMessage ?? '', /plain http is not allowed in this POP/);
    await configMap('insecure', 'https://x');
    await until('it is at the edge', () => atEdge(configMaps, 'insecure'));
  });
});

interface TraceEvent {
  readonly type: string;
  readonly object: KubeObject;
}

/** What a watcher of one project is told, kind by kind, without what differs between any two workspaces. */
class Trace {
  readonly #events = new Map<string, TraceEvent[]>();
  readonly #stopping = new AbortController();
  readonly #watching: Promise<void>[] = [];

  private constructor() {}

  /** Tells what is there now and all that comes from then on, however late the watches themselves begin. */
  static async start({ admin }: Constellation, project: string): Promise<Trace> {
    const trace = new Trace();
    for (const gvr of watched) {
      const events: TraceEvent[] = [];
      trace.#events.set(gvr.resource, events);
      const note = (type: string, object: KubeObject) => {
        // The server's own namespaces are filled when a workspace is first touched, by whoever comes first.
        if (object.metadata.namespace?.startsWith('kube-')) return;
        events.push({ type, object: anonymous(object) });
      };
      const collection = { cluster: project, gvr };
      const { items, metadata } = await admin.list(collection);
      for (const item of items) note('ADDED', item);
      const options = { resourceVersion: metadata.resourceVersion, signal: trace.#stopping.signal };
      const watching = (async () => {
        for await (const event of admin.watch(collection, options)) {
          if (event.type !== 'BOOKMARK') note(event.type, event.object);
        }
      })();
      watching.catch(() => {}); // told by `stop`
      trace.#watching.push(watching);
    }
    return trace;
  }

  events(resource: string): readonly TraceEvent[] {
    return this.#events.get(resource) ?? [];
  }

  text(resource: string): string {
    return this.events(resource)
      .map((event) => JSON.stringify(event))
      .join('\n');
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#watching);
  }
}

/** Without what is given anew to each object; allocated addresses differ too. */
function anonymous({ metadata, spec, ...rest }: KubeObject): KubeObject {
  const {
    uid: _uid,
    resourceVersion: _revision,
    creationTimestamp: _made,
    deletionTimestamp,
    ...kept
  } = metadata;
  const { 'kcp.io/cluster': _cluster, ...annotations } = kept.annotations ?? {};
  const { clusterIP: _ip, clusterIPs: _ips, ...content } = (spec ?? {}) as JsonObject;
  const managedFields = kept.managedFields
    ?.filter(({ subresource }) => subresource !== 'status')
    .map(({ time: _time, ...entry }) => entry);
  return {
    ...rest,
    metadata: {
      ...kept,
      annotations,
      ...(managedFields === undefined ? {} : { managedFields }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp: 'set' }),
    },
    spec: content,
  } as KubeObject;
}
