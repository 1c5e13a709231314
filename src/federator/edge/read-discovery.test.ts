import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import type { KubeClient } from '#client/client.ts';
import { ScriptedClient } from '#client/testing/scripted-client.ts';
import { ServedKinds } from './edge-kinds.ts';
import { readDiscovery } from './read-discovery.ts';
import { servedConfigMaps as configMap } from './testing/served-config-maps.ts';

type Answers = { readonly [path: string]: JsonValue | ApiError };

function serverOf(answers: Answers): { client: KubeClient; asked: string[] } {
  const asked: string[] = [];
  const client: KubeClient = {
    ...new ScriptedClient().client,
    raw: async ({ path }) => {
      asked.push(path);
      const answer = answers[path] ?? new ApiError('NotFound', path);
      if (isApiError(answer)) throw answer;
      return answer as JsonValue;
    },
  };
  return { client, asked };
}

const { signal } = new AbortController();
const deployment = {
  group: 'apps',
  version: 'v1',
  resource: 'deployments',
  kind: 'Deployment',
  namespaced: true,
  hasStatus: true,
  isSyncable: false,
};

const allVerbs = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];
const aggregatedCore = {
  kind: 'APIGroupDiscoveryList',
  items: [
    {
      metadata: {},
      versions: [
        {
          version: 'v1',
          resources: [
            {
              resource: 'configmaps',
              scope: 'Namespaced',
              responseKind: { kind: 'ConfigMap' },
              verbs: allVerbs,
            },
          ],
        },
      ],
    },
  ],
};
const aggregatedNamed = {
  kind: 'APIGroupDiscoveryList',
  items: [
    {
      metadata: { name: 'apps' },
      versions: [
        {
          version: 'v1',
          resources: [
            {
              resource: 'deployments',
              scope: 'Namespaced',
              responseKind: { kind: 'Deployment' },
              verbs: ['get', 'list', 'watch'],
              subresources: [{ subresource: 'scale' }, { subresource: 'status' }],
            },
          ],
        },
      ],
    },
  ],
};
const legacy: Answers = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': {
    kind: 'APIGroupList',
    groups: [
      { name: 'apps', versions: [{ groupVersion: 'apps/v1', version: 'v1' }] },
      { name: 'metrics.k8s.io', versions: [{ groupVersion: 'metrics.k8s.io/v1', version: 'v1' }] },
    ],
  },
  '/api/v1': {
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [{ name: 'configmaps', kind: 'ConfigMap', namespaced: true, verbs: allVerbs }],
  },
  '/apis/apps/v1': {
    kind: 'APIResourceList',
    groupVersion: 'apps/v1',
    resources: [
      { name: 'deployments', kind: 'Deployment', namespaced: true },
      { name: 'deployments/scale', kind: 'Scale', namespaced: true },
      { name: 'deployments/status', kind: 'Deployment', namespaced: true },
    ],
  },
  '/apis/metrics.k8s.io/v1': new ApiError('ServiceUnavailable', 'the extension server is down'),
};

test('aggregated discovery is two requests (KUBERNETES.md D2)', async () => {
  const { client, asked } = serverOf({ '/api': aggregatedCore, '/apis': aggregatedNamed });
  assert.deepEqual(await readDiscovery(client, signal), [configMap, deployment]);
  assert.deepEqual(asked, ['/api', '/apis']);
});

test('a server without it is asked group version by group version; one that is down is left out', async () => {
  const { client } = serverOf(legacy);
  const kinds = await readDiscovery(client, signal);
  assert.deepEqual(
    kinds.sort((a, b) => (a.resource < b.resource ? -1 : 1)),
    [configMap, deployment],
  );
});

test('a line that breaks half way is an error, not a server without kinds', async () => {
  const broken = new ApiError('ServiceUnavailable', 'reset', { cause: new Error('ECONNRESET') });
  const { client } = serverOf({ ...legacy, '/apis/apps/v1': broken });
  await assert.rejects(readDiscovery(client, signal), /reset/);
});

test('an unknown kind makes discovery be read again, more and more rarely while nothing new is found', async () => {
  const clock = new ManualClock();
  const answers: { [path: string]: JsonValue } = {
    '/api': aggregatedCore,
    '/apis': { kind: 'APIGroupDiscoveryList' },
  };
  const { client, asked } = serverOf(answers);
  const kinds = new ServedKinds({ client, clock, signal, refreshMinMs: 100, refreshMaxMs: 400 });
  const readings = async (): Promise<number> => {
    await kinds.refresh();
    return asked.length / 2;
  };
  const counts: number[] = [];
  for (let step = 0; step < 12; step++) {
    counts.push(await readings());
    clock.advance(100);
  }
  // At 0, then 100 later because kinds were new, then after 200, 400, 400.
  assert.deepEqual(counts, [1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5]);
  assert.ok(kinds.peek('', 'v1', 'configmaps'));
  assert.ok(kinds.peekAny('', 'configmaps'));
  answers['/apis'] = aggregatedNamed;
  kinds.expire();
  clock.advance(100);
  await kinds.refresh();
  assert.equal(kinds.peek('apps', 'v1', 'deployments')?.kind, 'Deployment');
  assert.deepEqual(kinds.enablements, [
    { groupVersion: 'apps/v1', resources: [{ name: 'deployments', kind: 'Deployment' }] },
    { groupVersion: 'v1', resources: [{ name: 'configmaps', kind: 'ConfigMap' }] },
  ]);
});
