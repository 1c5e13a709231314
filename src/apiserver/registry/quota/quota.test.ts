import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { formatQuantity } from '#apimachinery/quantity.ts';
import { apiError, Harness } from '../../verbs/testing/harness.ts';
import { concernsResource, inScope, unspecified, usageOf } from './quota-usage.ts';

const quotas = '/api/v1/namespaces/default/resourcequotas';
const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';

function quota(name: string, hard: JsonObject, more: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name }, spec: { hard, ...more } };
}

function map(name: string): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } };
}

function pod(name: string, resources: JsonObject = {}, more: JsonObject = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'i', resources }], ...more },
  };
}

function open(): Promise<Harness> {
  return Harness.open({
    workspaces: [{ id: 'other' as never }, { id: 'cell' as never, inert: true, type: 'cell' }],
  });
}

async function used(harness: Harness, name: string): Promise<JsonObject> {
  const { object } = await harness.get(`${quotas}/${name}`);
  return (object['status'] as { used: JsonObject }).used;
}

test('counts: shown at once, enforced, given back (A4)', async () => {
  await using harness = await open();
  await harness.post(maps, map('before'));
  await harness.post(
    quotas,
    quota('q', { configmaps: '2', 'count/deployments.apps': '0', 'count/resourcequotas': 3 }),
  );
  assert.deepEqual(await used(harness, 'q'), {
    configmaps: '1',
    'count/deployments.apps': '0',
    'count/resourcequotas': '1',
  });
  await harness.post(maps, map('second'));
  assert.equal((await used(harness, 'q'))['configmaps'], '2');
  await assert.rejects(
    harness.post(maps, map('third')),
    apiError(
      'Forbidden',
      'configmaps "third" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: configmaps=2',
      403,
    ),
  );
  await assert.rejects(
    harness.post('/apis/apps/v1/namespaces/default/deployments', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    }),
    apiError(
      'Forbidden',
      /exceeded quota: q, requested: count\/deployments.apps=1, used: count\/deployments.apps=0/,
    ),
  );
  await harness.delete(`${maps}/before`);
  assert.equal((await used(harness, 'q'))['configmaps'], '1');
  await harness.post(maps, map('third'));
  await harness.post(`/clusters/other${maps}`, map('elsewhere'));
  await harness.post(`/clusters/cell${quotas}`, quota('q', { configmaps: '0' }));
  await harness.post(`/clusters/cell${maps}`, map('inert'));
  await harness.patch(`${quotas}/q`, 'merge', { spec: { hard: { configmaps: '9' } } });
  const { object } = await harness.get(`${quotas}/q`);
  const status = object['status'] as { hard: JsonObject; used: JsonObject };
  assert.equal(status.hard['configmaps'], '9');
  assert.equal(status.used['configmaps'], '2');
});

test('many at once never take more than there is', async () => {
  await using harness = await open();
  await harness.post(quotas, quota('q', { configmaps: '5' }));
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) => harness.post(maps, map(`m${i}`))),
  );
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 5);
  assert.equal((await harness.list(maps)).names.length, 5);
  assert.equal((await used(harness, 'q'))['configmaps'], '5');
  await harness.delete(maps);
  assert.equal((await used(harness, 'q'))['configmaps'], '0');
});

test('what pods ask for (A4)', async () => {
  await using harness = await open();
  await harness.post(quotas, quota('compute', { 'requests.cpu': '1', 'limits.memory': '1Gi', pods: '2' }));
  await assert.rejects(
    harness.post(pods, pod('none')),
    apiError(
      'Forbidden',
      'pods "none" is forbidden: failed quota: compute: must specify limits.memory for: c; requests.cpu for: c',
    ),
  );
  const resources = (cpu: string) => ({ requests: { cpu }, limits: { memory: '300Mi', cpu } });
  await harness.post(pods, pod('a', resources('600m')));
  assert.deepEqual(await used(harness, 'compute'), {
    'requests.cpu': '600m',
    'limits.memory': '300Mi',
    pods: '1',
  });
  await assert.rejects(
    harness.post(pods, pod('b', resources('500m'))),
    apiError('Forbidden', /requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1$/),
  );
  await harness.patch(`${pods}/a/status`, 'merge', { status: { phase: 'Succeeded' } });
  assert.deepEqual(await used(harness, 'compute'), { 'requests.cpu': '0', 'limits.memory': '0', pods: '0' });
  await harness.post(pods, pod('b', resources('1')));
  assert.equal(
    (await harness.post(`${pods}?dryRun=All`, pod('x', { requests: { cpu: '0' }, limits: { memory: '1' } })))
      .code,
    201,
  );
  assert.equal((await used(harness, 'compute'))['pods'], '1', 'a dry run takes nothing');
});

test('what one object uses', () => {
  const core = (resource: string) => ({ group: '', resource });
  const print = (object: JsonObject, resource: string) =>
    Object.fromEntries(
      [...usageOf(object as KubeObject, core(resource))].map(([name, quantity]) => [
        name,
        formatQuantity(quantity),
      ]),
    );
  const claim = {
    spec: { storageClassName: 'fast', resources: { requests: { storage: '5Gi' } } },
  };
  assert.deepEqual(print(claim, 'persistentvolumeclaims'), {
    'count/persistentvolumeclaims': '1',
    persistentvolumeclaims: '1',
    'requests.storage': '5Gi',
    'fast.storageclass.storage.k8s.io/requests.storage': '5Gi',
    'fast.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
  });
  assert.deepEqual(print({ spec: { type: 'LoadBalancer', ports: [{}, {}] } }, 'services'), {
    'count/services': '1',
    services: '1',
    'services.loadbalancers': '1',
    'services.nodeports': '2',
  });
  const requests = (cpu: string) => ({ resources: { requests: { cpu } } });
  const rich = {
    spec: {
      containers: [requests('100m'), requests('200m')],
      initContainers: [{ ...requests('50m'), restartPolicy: 'Always' }, requests('400m'), requests('100m')],
      overhead: { cpu: '10m' },
    },
  };
  assert.equal(print(rich, 'pods')['requests.cpu'], '460m', 'max(100+200+50, 50+400) + 10');
  const whole = { requests: { cpu: '250m' }, limits: { memory: '1Gi' } };
  const asOne = print({ spec: { ...rich.spec, resources: whole } }, 'pods');
  assert.equal(asOne['requests.cpu'], '260m', 'what the pod as a whole asks for (KEP-2837) + 10');
  assert.equal(asOne['limits.memory'], '1Gi');
  assert.equal(asOne['limits.cpu'], undefined, 'overhead limits nothing by itself');
});

test('names and scopes', () => {
  const rows: [string, string, string, boolean][] = [
    ['pods', '', 'pods', true],
    ['count/pods', '', 'pods', true],
    ['requests.nvidia.com/gpu', '', 'pods', true],
    ['requests.storage', '', 'pods', false],
    ['requests.storage', '', 'persistentvolumeclaims', true],
    ['services.nodeports', '', 'services', true],
    ['count/widgets.example.com', 'example.com', 'widgets', true],
    ['count/widgets.example.com', 'example.org', 'widgets', false],
    ['cpu', 'apps', 'deployments', false],
  ];
  for (const [name, group, resource, expected] of rows) {
    assert.equal(concernsResource(name, { group, resource }), expected, `${name} ${group}/${resource}`);
  }
  const stored = { group: '', resource: 'pods' };
  const bare = pod('a');
  const asking = pod(
    'b',
    { requests: { cpu: '1' } },
    { activeDeadlineSeconds: 5, priorityClassName: 'high' },
  );
  const scopes: [JsonObject, boolean, boolean][] = [
    [{}, true, true],
    [{ scopes: ['BestEffort'] }, true, false],
    [{ scopes: ['NotBestEffort'] }, false, true],
    [{ scopes: ['Terminating', 'NotBestEffort'] }, false, true],
    [{ scopes: ['NotTerminating'] }, true, false],
    [
      {
        scopeSelector: {
          matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }],
        },
      },
      false,
      true,
    ],
    [
      { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'DoesNotExist' }] } },
      true,
      false,
    ],
    [{ scopes: ['CrossNamespacePodAffinity'] }, false, false],
  ];
  for (const [spec, first, second] of scopes) {
    assert.deepEqual(
      [inScope(spec, bare, stored), inScope(spec, asking, stored)],
      [first, second],
      JSON.stringify(spec),
    );
  }
  assert.deepEqual([...unspecified(asking, ['cpu', 'limits.cpu', 'pods'])], [['limits.cpu', ['c']]]);
});
