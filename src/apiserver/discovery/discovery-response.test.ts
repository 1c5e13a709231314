import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { createScheme } from '#apimachinery/scheme-build.ts';
import { apiGroups } from './api-groups.ts';
import { discoveryResponse } from './discovery-response.ts';

const scheme = createScheme(builtinDefinitions());
const v2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const v2beta1 = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList';

function get(path: string, accept?: string, ifNoneMatch?: string) {
  const response = discoveryResponse(scheme, path, { accept, ifNoneMatch, serverAddress: 'h:1' });
  assert.ok(response !== undefined, path);
  const { body, ...rest } = response;
  return { ...rest, document: body.length === 0 ? undefined : JSON.parse(body.toString()) };
}

test('D1: the legacy documents', () => {
  assert.deepEqual(get('/api').document, {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: 'h:1' }],
  });
  const groups = get('/apis').document;
  assert.equal(groups.kind, 'APIGroupList');
  assert.deepEqual(
    groups.groups.slice(0, 3).map((one: { name: string }) => one.name),
    ['apiregistration.k8s.io', 'apps', 'events.k8s.io'],
  );
  assert.deepEqual(get('/apis/autoscaling').document, {
    kind: 'APIGroup',
    apiVersion: 'v1',
    name: 'autoscaling',
    versions: [
      { groupVersion: 'autoscaling/v2', version: 'v2' },
      { groupVersion: 'autoscaling/v1', version: 'v1' },
    ],
    preferredVersion: { groupVersion: 'autoscaling/v2', version: 'v2' },
  });
  assert.deepEqual(get('/apis/apps/').document, get('/apis/apps').document);
});

test('D1: a resource list with subresources of other groups, short names and storage hashes', () => {
  const { document } = get('/apis/apps/v1');
  assert.equal(document.groupVersion, 'apps/v1');
  const find = (name: string) => document.resources.find((one: { name: string }) => one.name === name);
  assert.deepEqual(find('deployments'), {
    name: 'deployments',
    singularName: 'deployment',
    namespaced: true,
    kind: 'Deployment',
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    shortNames: ['deploy'],
    categories: ['all'],
    storageVersionHash: '8aSe+NMegvE=',
  });
  assert.deepEqual(find('deployments/scale'), {
    name: 'deployments/scale',
    singularName: '',
    namespaced: true,
    group: 'autoscaling',
    version: 'v1',
    kind: 'Scale',
    verbs: ['get', 'patch', 'update'],
  });
  assert.deepEqual(find('deployments/status'), {
    name: 'deployments/status',
    singularName: '',
    namespaced: true,
    kind: 'Deployment',
    verbs: ['get', 'patch', 'update'],
  });
  assert.equal(document.apiVersion, 'v1');
  const core = get('/api/v1').document;
  assert.deepEqual([core.kind, core.apiVersion, core.groupVersion], ['APIResourceList', undefined, 'v1']);
  const pods = core.resources.find((one: { name: string }) => one.name === 'pods');
  assert.equal(pods.storageVersionHash, 'xPOwRZ+Yhw8=');
  const statuses = core.resources.find((one: { name: string }) => one.name === 'componentstatuses');
  assert.equal(statuses.storageVersionHash, undefined, 'nothing is stored');
  const names = core.resources.map((one: { name: string }) => one.name);
  assert.deepEqual(names, [...names].sort());
});

test('D1: what is not served is not found', () => {
  for (const path of [
    '/apis/none',
    '/apis/apps/v9',
    '/api/v2',
    '/apis/apps/v1/deployments',
    '/healthz',
    '/apis//v1',
  ])
    assert.equal(discoveryResponse(scheme, path, {}), undefined, path);
});

test('D2, D3: aggregated discovery', () => {
  for (const [accept, version] of [
    [`${v2},${v2beta1},application/json`, 'v2'],
    [`${v2beta1},application/json`, 'v2beta1'],
  ] as const) {
    const { status, headers, document } = get('/apis', accept);
    assert.equal(status, 200);
    assert.equal(
      headers['Content-Type'],
      `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    );
    assert.equal(headers['Vary'], 'Accept');
    assert.equal(headers['Cache-Control'], 'public');
    assert.equal(document.apiVersion, `apidiscovery.k8s.io/${version}`);
    const apps = document.items.find((one: { metadata: { name: string } }) => one.metadata.name === 'apps');
    assert.equal(apps.versions[0].freshness, 'Current');
    const deployment = apps.versions[0].resources.find(
      (one: { resource: string }) => one.resource === 'deployments',
    );
    assert.deepEqual(deployment.responseKind, { group: 'apps', version: 'v1', kind: 'Deployment' });
    assert.equal(deployment.scope, 'Namespaced');
    assert.deepEqual(deployment.subresources[0], {
      subresource: 'scale',
      responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      verbs: ['get', 'patch', 'update'],
    });
    assert.deepEqual(get('/apis', accept, headers['ETag']).status, 304);
    assert.deepEqual(get('/apis', accept, '"other"').status, 200);
  }
  const core = discoveryResponse(scheme, '/api', { accept: v2 });
  assert.equal(
    core?.headers['ETag'],
    `"${createHash('sha512')
      .update(core?.body ?? '')
      .digest('hex')
      .toUpperCase()}"`,
  );
  assert.equal(JSON.parse(String(core?.body)).items.length, 1);
});

const acceptRows: [string | undefined, 'plain' | 'aggregated' | 406][] = [
  [undefined, 'plain'],
  ['*/*', 'plain'],
  ['application/*', 'plain'],
  ['application/json, */*', 'plain'],
  [`application/json;q=0.5,${v2}`, 'aggregated'],
  [`${v2};q=0.1,application/json`, 'plain'],
  ['application/vnd.kubernetes.protobuf,application/json', 'plain'],
  ['application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json', 'plain'],
  ['application/json;as=Table;v=v1;g=meta.k8s.io', 406],
  ['text/html', 406],
  ['application/json;q=0', 406],
];

test('N1, D2: negotiation', () => {
  for (const [accept, expected] of acceptRows) {
    if (expected === 406) {
      assert.throws(
        () => discoveryResponse(scheme, '/apis', { accept }),
        (error) => isApiError(error, 'NotAcceptable'),
        accept,
      );
      continue;
    }
    const kind = get('/apis', accept).document.kind;
    assert.equal(kind, expected === 'plain' ? 'APIGroupList' : 'APIGroupDiscoveryList', accept);
  }
  for (const [path, accept, why] of [
    ['/api/v1', 'application/*', /^406: Not Acceptable\n\nAvailable representations: application\/json,/],
    ['/apis', 'text/html', /^only the following media types are accepted: application\/json,/],
  ] as const) {
    assert.throws(
      () => discoveryResponse(scheme, path, { accept }),
      (error) => isApiError(error, 'NotAcceptable') && why.test(error.message),
      'kinds have routes of go-restful, which know no application/*',
    );
  }
  assert.equal(get('/apis/apps', `${v2},application/json`).document.kind, 'APIGroup');
});

test('groups are made once per scheme', () => {
  assert.equal(apiGroups(scheme), apiGroups(scheme));
});
