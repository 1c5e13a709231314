import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Revision } from '#storage/storage.ts';
import { apiError, Harness } from './testing/harness.ts';
import { widgets } from './testing/widgets.ts';

const maps = '/api/v1/namespaces/default/configmaps';

async function filled(names: readonly string[], options = {}): Promise<Harness> {
  const harness = await Harness.open({
    definitions: [widgets()],
    workspaces: [{ id: 'other' as never }],
    ...options,
  });
  for (const name of names) {
    const labels = { parity: Number(name.slice(1)) % 2 === 0 ? 'even' : 'odd' };
    await harness.post(maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels } });
  }
  return harness;
}

const five = ['m1', 'm2', 'm3', 'm4', 'm5'];

test('selectors (L5)', async () => {
  await using harness = await filled(five);
  await harness.post('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'second' },
  });
  await harness.post('/api/v1/namespaces/second/configmaps', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'm1' },
  });
  const rows: [string, string[]][] = [
    [maps, five],
    [`${maps}?labelSelector=parity%3Dodd`, ['m1', 'm3', 'm5']],
    [`${maps}?labelSelector=parity+notin+(odd)`, ['m2', 'm4']],
    [`${maps}?fieldSelector=metadata.name%3Dm2`, ['m2']],
    [`${maps}?fieldSelector=metadata.name!%3Dm2&labelSelector=parity%3Deven`, ['m4']],
    [`${maps}?fieldSelector=metadata.name%3Dnone`, []],
    ['/api/v1/configmaps?fieldSelector=metadata.namespace%3Dsecond', ['m1']],
    ['/api/v1/configmaps', [...five, 'm1']],
    ['/api/v1/configmaps?fieldSelector=metadata.name%3Dm1', ['m1', 'm1']],
    [`/clusters/other${maps}`, []],
  ];
  for (const [url, names] of rows) assert.deepEqual((await harness.list(url)).names, names, url);
  await assert.rejects(
    harness.list(`${maps}?fieldSelector=spec.x%3D1`),
    apiError(
      'BadRequest',
      '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
      400,
    ),
  );
  await assert.rejects(harness.list(`${maps}?labelSelector=a+b`), apiError('BadRequest'));
});

test('selectable fields of a kind (L5)', async () => {
  await using harness = await filled([]);
  const path = '/apis/example.com/v1/namespaces/default/widgets';
  for (const [name, node] of [
    ['a', 'n1'],
    ['b', 'n2'],
  ]) {
    await harness.post(path, {
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      metadata: { name: name! },
      spec: { node: node! },
    });
  }
  assert.deepEqual((await harness.list(`${path}?fieldSelector=spec.node%3Dn2`)).names, ['b']);
  const pod = (name: string, nodeName: string): JsonObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { nodeName, containers: [{ name: 'c', image: 'i' }] },
  });
  await harness.post('/api/v1/namespaces/default/pods', pod('p', 'n1'));
  assert.deepEqual((await harness.list('/api/v1/pods?fieldSelector=spec.nodeName%3Dn1')).names, ['p']);
  assert.deepEqual((await harness.list('/api/v1/pods?fieldSelector=spec.nodeName%3Dn2')).names, []);
});

test('pages show the first page’s revision (L4)', async () => {
  await using harness = await filled(five);
  const first = await harness.list(`${maps}?limit=2`);
  assert.deepEqual(first.names, ['m1', 'm2']);
  assert.equal(first.remaining, 3);
  await harness.delete(`${maps}/m3`);
  await harness.post(maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm31' } });
  const second = await harness.list(`${maps}?limit=2&continue=${first.continue}`);
  assert.deepEqual(second.names, ['m3', 'm4']);
  assert.equal(second.revision, first.revision);
  assert.equal(second.remaining, 1);
  const third = await harness.list(`${maps}?limit=2&continue=${second.continue}`);
  assert.deepEqual(third.names, ['m5']);
  assert.equal(third.continue, undefined);
  assert.equal(third.remaining, undefined);
  const exact = await harness.list(`${maps}?limit=5`);
  assert.equal(exact.continue, undefined, 'a full last page has no token');
  const selected = await harness.list(`${maps}?limit=1&labelSelector=parity%3Dodd`);
  assert.deepEqual(selected.names, ['m1']);
  assert.equal(selected.remaining, undefined, 'no count with selectors');
});

test('continue tokens are bound and sealed (L4)', async () => {
  await using harness = await filled(five);
  const { continue: token = '' } = await harness.list(`${maps}?limit=1`);
  assert.doesNotMatch(Buffer.from(token, 'base64url').toString(), /root|default/);
  const tampered = JSON.parse(Buffer.from(token, 'base64url').toString()) as JsonObject;
  const forged = Buffer.from(JSON.stringify({ ...tampered, k: 'zzz' })).toString('base64url');
  const rows: [string, string][] = [
    ['not a token', `${maps}?limit=1&continue=x`],
    ['another key', `${maps}?limit=1&continue=${forged}`],
    ['another workspace', `/clusters/other${maps}?limit=1&continue=${token}`],
    ['another resource', `/api/v1/namespaces/default/secrets?limit=1&continue=${token}`],
    ['all namespaces', `/api/v1/configmaps?limit=1&continue=${token}`],
    ['another selector', `${maps}?limit=1&labelSelector=a&continue=${token}`],
    ['with a resourceVersion', `${maps}?limit=1&resourceVersion=3&continue=${token}`],
  ];
  for (const [why, url] of rows)
    await assert.rejects(harness.list(url), apiError('BadRequest', undefined, 400), why);
});

test('an expired token comes with a fresh one (L3, L4)', async () => {
  await using harness = await filled(five, { ringEventsMax: 4 });
  const first = await harness.list(`${maps}?limit=2`);
  for (let i = 6; i < 20; i++) {
    await harness.post(maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `m${i}` } });
  }
  const second = await harness.list(`${maps}?limit=2&continue=${first.continue}`);
  assert.deepEqual(second.names, ['m3', 'm4'], 'from the store when the cache has forgotten');
  assert.equal(second.revision, first.revision);
  assert.equal(second.remaining, 1);
  await harness.storage.compact(harness.storage.revision);
  let fresh = '';
  await assert.rejects(harness.list(`${maps}?limit=2&continue=${second.continue}`), (error) => {
    assert.ok(isApiError(error, 'Expired'));
    assert.equal(error.code, 410);
    fresh = String(error.toStatus().metadata['continue']);
    return true;
  });
  assert.deepEqual((await harness.list(`${maps}?limit=1&continue=${fresh}`)).names, ['m5']);
  await assert.rejects(
    harness.list(`${maps}?resourceVersion=${first.revision}&resourceVersionMatch=Exact`),
    apiError('Expired', /too old resource version/, 410),
  );
});

test('resourceVersion of lists (L2, L3)', async () => {
  await using harness = await filled(['m1', 'm2']);
  const revision = Number((await harness.list(maps)).revision);
  await harness.post(maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm3' } });
  const rows: [string, string[]][] = [
    ['', ['m1', 'm2', 'm3']],
    ['resourceVersion=0', ['m1', 'm2', 'm3']],
    [`resourceVersion=${revision}`, ['m1', 'm2', 'm3']],
    [`resourceVersion=${revision}&limit=10`, ['m1', 'm2']],
    [`resourceVersion=${revision}&limit=1`, ['m1']],
    [`resourceVersion=${revision}&resourceVersionMatch=Exact`, ['m1', 'm2']],
    [`resourceVersion=${revision}&resourceVersionMatch=NotOlderThan&limit=10`, ['m1', 'm2', 'm3']],
    ['resourceVersion=0&limit=10', ['m1', 'm2', 'm3']],
  ];
  for (const [query, names] of rows)
    assert.deepEqual((await harness.list(`${maps}?${query}`)).names, names, query);
  const refusals: [string, string, RegExp][] = [
    [
      'resourceVersionMatch=Exact',
      'Invalid',
      /resourceVersionMatch is forbidden unless resourceVersion is provided/,
    ],
    [
      'resourceVersion=5&resourceVersionMatch=Exact&continue=x',
      'Invalid',
      /forbidden when continue is provided/,
    ],
    [
      'resourceVersion=0&resourceVersionMatch=Exact',
      'Invalid',
      /"exact" is forbidden for resourceVersion "0"/,
    ],
    ['resourceVersion=5&resourceVersionMatch=Sometimes', 'Invalid', /Unsupported value: "Sometimes"/],
    ['sendInitialEvents=true', 'Invalid', /sendInitialEvents is forbidden for list/],
    ['resourceVersion=abc', 'BadRequest', /^invalid resource version: resourceVersion: Invalid value: "abc"/],
    ['limit=x', 'BadRequest', /^strconv.ParseInt/],
  ];
  for (const [query, reason, message] of refusals) {
    await assert.rejects(harness.list(`${maps}?${query}`), apiError(reason, message), query);
  }
});

test('a future resourceVersion is waited for, then 504 (L3)', async () => {
  await using harness = await filled(['m1']);
  const next = harness.storage.revision + 1;
  const waiting = harness.list(`${maps}?resourceVersion=${next}`);
  await harness.post(maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm2' } });
  assert.deepEqual((await waiting).names, ['m1', 'm2']);
  await assert.rejects(harness.get(`${maps}/m1?resourceVersion=9999999999999999999`), (error) => {
    assert.ok(isApiError(error, 'Timeout'));
    assert.equal(error.code, 504);
    assert.equal(error.details?.causes?.[0]?.reason, 'ResourceVersionTooLarge');
    assert.equal(error.details?.retryAfterSeconds, 1);
    return true;
  });
  // Of just that revision nobody says when to try again (etcd3 store.go).
  const exact = '?resourceVersion=9999999999999999999&resourceVersionMatch=Exact';
  await assert.rejects(harness.list(`${maps}${exact}`), (error) => {
    assert.ok(isApiError(error, 'Timeout'));
    assert.equal(error.details?.retryAfterSeconds, undefined);
    return true;
  });
  await assert.rejects(
    harness.list(`${maps}?resourceVersion=18446744073709551616`),
    apiError('BadRequest', /parsing "18446744073709551616": value out of range$/),
  );
});

test('a list is synchronous, lazy and of one state', async () => {
  await using harness = await filled(five);
  const result = harness.execute(harness.context('GET', maps));
  assert.ok(!(result instanceof Promise) && result.type === 'list');
  await harness.delete(`${maps}/m5`);
  assert.equal([...result.entries].length, 5);
  const single = harness.execute(harness.context('GET', `${maps}/m1`));
  assert.ok(!(single instanceof Promise), 'and so is a GET');
});

test('wildcard lists carry kcp.io/cluster', async () => {
  await using harness = await filled(['m1']);
  await harness.post(`/clusters/other${maps}`, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'm9' },
  });
  const { items } = await harness.list('/clusters/*/api/v1/configmaps');
  assert.deepEqual(
    items.map(({ metadata }) => [metadata.annotations?.['kcp.io/cluster'], metadata.name]),
    [
      ['other', 'm9'],
      ['root', 'm1'],
    ],
  );
});

test('deletecollection takes what the selectors match (X5)', async () => {
  await using harness = await filled(five);
  const answer = await harness.delete(`${maps}?labelSelector=parity%3Dodd`);
  const items = answer.body['items'] as JsonObject[];
  assert.equal(items.length, 3);
  assert.deepEqual((await harness.list(maps)).names, ['m2', 'm4']);
  await assert.rejects(harness.delete('/api/v1/configmaps'), apiError('MethodNotAllowed'));
  // One after the other up to the first that is refused (registry.Store.DeleteCollection).
  const { uid } = (await harness.get(`${maps}/m4`)).object.metadata;
  await assert.rejects(
    harness.delete(maps, { preconditions: { uid: uid as string } }),
    apiError('Conflict', /"m2"/),
  );
  assert.deepEqual((await harness.list(maps)).names, ['m2', 'm4']);
});

test('every page concatenated is the list, whatever the limit', async () => {
  const names = Array.from({ length: 23 }, (_, i) => `m${i}`).sort();
  await using harness = await filled(names);
  for (const limit of [1, 2, 3, 7, 22, 23, 24]) {
    const seen: string[] = [];
    let token: string | undefined;
    do {
      const page = await harness.list(
        `${maps}?limit=${limit}${token === undefined ? '' : `&continue=${token}`}`,
      );
      seen.push(...page.names);
      token = page.continue;
    } while (token !== undefined);
    assert.deepEqual(seen, names, `limit ${limit}`);
  }
  assert.ok(harness.storage.revision > (0 as Revision));
});

test('deletecollection tells what it takes as it was listed, tried or not (X5)', async () => {
  await using harness = await Harness.open();
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'held', finalizers: ['a.b/c'] } };
  await harness.post(maps, object);
  for (const query of ['?dryRun=All', '']) {
    const { body } = await harness.delete(`${maps}${query}`);
    assert.deepEqual(
      (body['items'] as KubeObject[]).map(({ metadata }) => [metadata.name, metadata.deletionTimestamp]),
      [['held', undefined]],
    );
  }
  assert.notEqual((await harness.get(`${maps}/held`)).object.metadata.deletionTimestamp, undefined);
});

test('what cannot be read is told before what may not be asked for (handlers.ListResource, DeleteCollection)', async () => {
  await using harness = await Harness.open();
  for (const query of ['labelSelector=a+in+b', 'fieldSelector=bad'])
    await assert.rejects(
      harness.get(`${maps}?${query}&sendInitialEvents=true`),
      apiError('BadRequest'),
      query,
    );
  await assert.rejects(
    harness.delete(`${maps}?labelSelector=%3D&gracePeriodSeconds=x`),
    apiError('BadRequest', /^found '='/),
  );
});
