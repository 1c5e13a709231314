import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import { type Clock, systemClock } from '#apimachinery/clock.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { ServedKinds } from '../edge/edge-kinds.ts';
import { contentOf } from './namespace-tenants.ts';

const verbs = ['list', 'watch', 'patch', 'delete'];
/** Nothing is waited for. */
const clock: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic(),
  setTimeout: (callback) => systemClock.setTimeout(callback, 0),
};
const served = ['configmaps', 'secrets', 'serviceaccounts', 'endpoints', 'events', 'pods'];

type Content = { readonly [resource: string]: readonly ObjectMeta[] | ApiError };

/** An edge whose namespace `ns` holds these objects by resource, and tells of them in lists unless it lists others. */
async function contentIn(
  objects: Content,
  isAnswered: () => boolean = () => true,
  listed: Content = objects,
) {
  const client: KubeClient = {
    ...new ScriptedClient().client,
    raw: async ({ path }) => ({
      kind: 'APIGroupDiscoveryList',
      items:
        path !== '/api'
          ? []
          : [
              {
                metadata: {},
                versions: [
                  {
                    version: 'v1',
                    resources: [
                      ...served.map((resource) => ({
                        resource,
                        scope: 'Namespaced',
                        responseKind: {},
                        verbs,
                      })),
                      { resource: 'nodes', scope: 'Cluster', responseKind: {}, verbs },
                    ],
                  },
                ],
              },
            ],
    }),
    list: async ({ gvr, namespace }, options = {}) => {
      assert.equal(namespace, 'ns', `${gvr.resource} of one namespace alone`);
      assert.equal(options.metadataOnly, true);
      if (!isAnswered()) throw new ApiError('ServiceUnavailable', 'not now');
      const found = listed[gvr.resource] ?? [];
      if (found instanceof ApiError) throw found;
      // One object a page.
      const at = Number(options.continue ?? 0);
      const items = found
        .slice(at, at + 1)
        .map((metadata): KubeObject => ({ apiVersion: 'v1', kind: 'x', metadata }));
      const token = at + 1 < found.length ? String(at + 1) : '';
      return { apiVersion: 'v1', kind: 'List', metadata: { continue: token }, items };
    },
    async *watch({ gvr, namespace }) {
      assert.equal(namespace, 'ns', `${gvr.resource} of one namespace alone`);
      if (!isAnswered()) throw new ApiError('ServiceUnavailable', 'not now');
      const found = objects[gvr.resource] ?? [];
      if (found instanceof ApiError) throw found;
      for (const metadata of found) {
        yield { type: 'ADDED', object: { apiVersion: 'v1', kind: 'x', metadata } };
      }
      yield { type: 'BOOKMARK', resourceVersion: '1', initialEventsEnd: true };
    },
  };
  const { signal } = new AbortController();
  const kinds = new ServedKinds({ client, clock, signal });
  const content = await contentOf('ns', { edgeClient: client, kinds, clock, cellUid: 'ours' }, signal);
  return content;
}

/** Of an object that a copy brought. */
const brought = (cellUid: string, annotations: { readonly [name: string]: string } = {}) => ({
  name: 'web',
  labels: { 'federation.cellplane.io/origin-cluster': 'x' },
  annotations: { 'federation.cellplane.io/cell-uid': cellUid, ...annotations },
});
const owners = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'x', uid: 'y' }];
const rows: readonly (readonly [string, Parameters<typeof contentIn>[0], string | undefined])[] = [
  ['nothing', {}, undefined],
  [
    'what the control plane makes in every namespace',
    {
      configmaps: [{ name: 'kube-root-ca.crt' }],
      serviceaccounts: [{ name: 'default' }],
      secrets: [{ name: 'default-token', annotations: { 'kubernetes.io/service-account.name': 'default' } }],
      endpoints: [{ name: 'web' }],
      events: [{ name: 'web.1' }],
    },
    undefined,
  ],
  ['what has owners', { pods: [{ name: 'web-1', ownerReferences: owners }] }, undefined],
  ['what is going', { pods: [{ name: 'web-1', deletionTimestamp: '2026-01-01T00:00:00Z' }] }, undefined],
  [
    'a ConfigMap of the edge',
    { configmaps: [{ name: 'kube-root-ca.crt' }, { name: 'own' }] },
    'configmaps/own',
  ],
  [
    'what was to outlive its copy',
    { configmaps: [brought('ours', { 'federation.cellplane.io/deletion-policy': 'Orphan' })] },
    'configmaps/web',
  ],
  ['what another Cell has left there', { configmaps: [brought('former')] }, 'configmaps/web'],
  ['a pod of nobody', { pods: [{ name: 'debug' }] }, 'pods/debug'],
  [
    'what may not be listed',
    { secrets: new ApiError('Forbidden', 'x'), pods: [{ name: 'debug' }] },
    'pods/debug',
  ],
];
for (const [name, objects, tenant] of rows) {
  test(`a mapped namespace with ${name} ${tenant === undefined ? 'may go' : 'stays'}`, async () =>
    assert.equal((await contentIn(objects)).tenant, tenant));
}

test('what a copy has brought is told beside tenants; what is going, or was made for it, is not', async () => {
  const { labels } = brought('ours');
  const made = { name: 'web-1', labels };
  const going = { ...brought('ours'), deletionTimestamp: '2026-01-01T00:00:00Z' };
  assert.deepEqual(await contentIn({ configmaps: [going, brought('ours')], pods: [made] }), {
    brought: 'configmaps/web',
  });
  assert.deepEqual(await contentIn({ configmaps: [brought('ours')], pods: [{ name: 'debug' }] }), {
    tenant: 'pods/debug',
  });
});

test('what lists leave out is told by watches', async () => {
  const isAnswered = () => true;
  const pods = [{ name: 'debug' }];
  assert.deepEqual(await contentIn({ pods }, isAnswered, {}), { tenant: 'pods/debug' });
  assert.deepEqual(await contentIn({ configmaps: [brought('ours')] }, isAnswered, {}), {
    brought: 'configmaps/web',
  });
  assert.deepEqual(await contentIn({ configmaps: [brought('ours')], pods }, isAnswered, {}), {
    tenant: 'pods/debug',
  });
});

test('an edge whose lists are answered and whose watches are not is not taken for empty', () =>
  assert.rejects(contentIn({ pods: new ApiError('ServiceUnavailable', 'x') }, undefined, {}), /x/));

test('a look comes to its end where two of three calls fail', async () => {
  let calls = 0;
  const isAnswered = () => ++calls % 3 === 0;
  assert.deepEqual(await contentIn({ pods: [{ name: 'debug' }] }, isAnswered), { tenant: 'pods/debug' });
  assert.ok(calls > served.length, 'calls failed');
});

test('an edge that cannot be asked is not taken for empty', () =>
  assert.rejects(contentIn({ pods: new ApiError('ServiceUnavailable', 'x') }), /x/));
