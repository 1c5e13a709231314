import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { encodeProtobuf } from '../protobuf/encode-object.ts';
import { apiError, Harness, type Send } from './testing/harness.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';

function map(name: string, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata } };
}

function pod(name: string, spec: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  };
}

function open(): Promise<Harness> {
  return Harness.open({ workspaces: [{ id: 'cell' as never, inert: true, type: 'cell' }] });
}

test('an object that nothing holds is gone, with a Status (X1)', async () => {
  await using harness = await open();
  const { object } = await harness.post(maps, map('a'));
  const { code, body } = await harness.delete(`${maps}/a`);
  assert.equal(code, 200);
  assert.deepEqual(body, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name: 'a', kind: 'configmaps', uid: object.metadata.uid },
  });
  await assert.rejects(harness.delete(`${maps}/a`), apiError('NotFound', 'configmaps "a" not found'));
});

test('finalizers: it lingers, they may only be removed, the last one deletes (X3)', async () => {
  await using harness = await open();
  await harness.post('/apis/apps/v1/namespaces/default/deployments', {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', finalizers: ['example.com/a', 'example.com/b'] },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });
  const url = '/apis/apps/v1/namespaces/default/deployments/d';
  const watch = await harness.watch('/apis/apps/v1/deployments?watch=true');
  const lingering = await harness.delete(url);
  assert.equal(lingering.code, 200);
  assert.equal(lingering.object.kind, 'Deployment');
  assert.equal(lingering.object.metadata.deletionTimestamp, '2026-01-01T00:00:00Z');
  assert.equal(lingering.object.metadata.deletionGracePeriodSeconds, 0);
  assert.equal(lingering.object.metadata.generation, 2);
  const { resourceVersion } = lingering.object.metadata;
  assert.equal(
    (await harness.delete(url)).object.metadata.resourceVersion,
    resourceVersion,
    'again changes nothing',
  );
  await assert.rejects(
    harness.patch(url, 'merge', { metadata: { finalizers: ['example.com/a', 'example.com/c'] } }),
    apiError(
      'Invalid',
      /metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers \[\]string\{"example.com\/c"\}/,
    ),
  );
  const less = await harness.patch(url, 'merge', { metadata: { finalizers: ['example.com/b'] } });
  assert.equal(less.object.metadata.deletionTimestamp, '2026-01-01T00:00:00Z');
  const last = await harness.patch(url, 'merge', { metadata: { finalizers: null } });
  assert.equal(last.code, 200);
  assert.equal(
    last.object.metadata.resourceVersion,
    less.object.metadata.resourceVersion,
    'nothing was written',
  );
  await assert.rejects(harness.get(url), apiError('NotFound'));
  assert.deepEqual(watch.types, ['ADDED d', 'MODIFIED d', 'MODIFIED d', 'DELETED d']);
  watch.stop();
});

test('options come as JSON, YAML, protobuf, or in the query (X1)', async () => {
  await using harness = await open();
  const options = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Orphan' };
  const forms: [string, string, Send][] = [
    ['json', '', { body: options, contentType: 'application/json' }],
    ['yaml', '', { body: 'propagationPolicy: Orphan\n', contentType: 'application/yaml' }],
    ['protobuf', '', { body: encodeProtobuf(options), contentType: 'application/vnd.kubernetes.protobuf' }],
    ['query', '?propagationPolicy=Orphan', {}],
    ['older-query', '?orphanDependents=true', {}],
  ];
  for (const [name, query, send] of forms) {
    await harness.post(maps, map(name));
    const { code, object } = await harness.send('DELETE', `${maps}/${name}${query}`, send);
    assert.equal(code, 200, name);
    assert.deepEqual(object.metadata?.finalizers, ['orphan'], name);
  }
});

test('preconditions (X2)', async () => {
  await using harness = await open();
  const { object } = await harness.post(maps, map('a'));
  const { uid = '', resourceVersion = '' } = object.metadata;
  const send = (preconditions: JsonObject) =>
    harness.delete(`${maps}/a`, { kind: 'DeleteOptions', apiVersion: 'v1', preconditions });
  await assert.rejects(
    send({ uid: 'other' }),
    apiError(
      'Conflict',
      new RegExp(`on ConfigMap "a": the UID in the precondition \\(other\\) does not match .* \\(${uid}\\)`),
      409,
    ),
  );
  await assert.rejects(
    send({ resourceVersion: '1' }),
    apiError('Conflict', /the ResourceVersion in the precondition \(1\) does not match/),
  );
  assert.equal((await send({ uid, resourceVersion })).code, 200);
  // Whichever group it is read in, an Event is one of the core's.
  const events = '/apis/events.k8s.io/v1/namespaces/default/events';
  await harness.post(events, {
    ...{ apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { name: 'e' }, type: 'Normal' },
    ...{ eventTime: '2026-01-01T00:00:00.000000Z', reason: 'r', action: 'a' },
    ...{ reportingController: 'example.com/c', reportingInstance: 'i' },
    regarding: { kind: 'Pod', namespace: 'default', name: 'p' },
  });
  await assert.rejects(
    harness.delete(`${events}/e`, { preconditions: { uid: 'other' } }),
    apiError('Conflict', /on Event "e": /),
  );
});

test('options: refusals (X2)', async () => {
  await using harness = await open();
  await harness.post(maps, map('a'));
  const rows: [JsonObject, string, RegExp][] = [
    [
      { propagationPolicy: 'Background', orphanDependents: true },
      'Invalid',
      /orphanDependents and deletionPropagation cannot be both set/,
    ],
    [{ propagationPolicy: 'Upwards' }, 'Invalid', /Unsupported value: "Upwards"/],
    // In the order of meta/v1 ValidateDeleteOptions.
    [
      { propagationPolicy: 'Up', orphanDependents: true, dryRun: ['X'] },
      'Invalid',
      /\[propagationPolicy: Invalid value: "Up": .*, propagationPolicy: Unsupported value: "Up": .*, dryRun: Unsupported/,
    ],
    [{ dryRun: ['Some'] }, 'Invalid', /dryRun: Unsupported value/],
    [
      { kind: 'Pod' },
      'BadRequest',
      /^no kind "Pod" is registered .* in scheme "pkg\/runtime\/scheme.go:111"$/,
    ],
    [
      { propagationPolicy: 1 },
      'BadRequest',
      /field DeleteOptions\.propagationPolicy of type v1\.DeletionPropagation$/,
    ],
    [{ preconditions: { uid: 1 } }, 'BadRequest', /of type types\.UID$/],
    [{ gracePeriodSeconds: 'x' }, 'BadRequest', /gracePeriodSeconds/],
  ];
  for (const [body, reason, message] of rows) {
    await assert.rejects(harness.delete(`${maps}/a`, body), apiError(reason, message), JSON.stringify(body));
  }
  await assert.rejects(harness.delete(`${maps}/a?propagationPolicy=Up`), apiError('Invalid'));
  await assert.rejects(
    harness.delete(`${maps}/a?gracePeriodSeconds=`),
    apiError('BadRequest', 'strconv.ParseInt: parsing "": invalid syntax'),
  );
});

test('propagation policies become finalizers for the garbage collector (X4)', async () => {
  await using harness = await open();
  const rows: [string, JsonObject, string[] | undefined, number][] = [
    ['f', { propagationPolicy: 'Foreground' }, ['foregroundDeletion'], 200],
    ['o', { propagationPolicy: 'Orphan' }, ['orphan'], 200],
    ['t', { orphanDependents: true }, ['orphan'], 200],
    ['b', { propagationPolicy: 'Background' }, undefined, 200],
    ['n', {}, undefined, 200],
  ];
  for (const [name, options, finalizers, code] of rows) {
    await harness.post(maps, map(name));
    const answer = await harness.delete(`${maps}/${name}`, options);
    assert.equal(answer.code, code, name);
    if (finalizers === undefined) assert.equal(answer.object.kind, 'Status', name);
    else assert.deepEqual(answer.object.metadata.finalizers, finalizers, name);
  }
  await harness.post(maps, map('held', { finalizers: ['example.com/x'] }));
  const held = await harness.delete(`${maps}/held`, { orphanDependents: false });
  assert.equal(held.code, 202, 'X1: 202 only when lingering and orphanDependents=false');
  const changed = await harness.delete(`${maps}/held`, { propagationPolicy: 'Orphan' });
  assert.deepEqual(changed.object.metadata.finalizers, ['example.com/x', 'orphan']);
  const kept = await harness.delete(`${maps}/held`);
  assert.deepEqual(kept.object.metadata.finalizers, ['example.com/x', 'orphan'], 'an earlier policy stands');
  const background = await harness.delete(`${maps}/held?propagationPolicy=Background`);
  assert.deepEqual(background.object.metadata.finalizers, ['example.com/x']);

  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'j' },
    spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
  };
  await harness.post('/apis/batch/v1/namespaces/default/jobs', job);
  const orphaned = await harness.delete('/apis/batch/v1/namespaces/default/jobs/j');
  assert.deepEqual(orphaned.object.metadata.finalizers, ['orphan'], 'a Job orphans by default');
  assert.match(orphaned.warnings.join(), /^child pods are preserved by default when jobs are deleted/);
  const told = await harness.delete('/apis/batch/v1/namespaces/default/jobs/j', {
    propagationPolicy: 'Orphan',
  });
  assert.deepEqual(told.warnings, [], 'who says what is to happen needs no warning (JobStorage.Delete)');

  await harness.post('/api/v1/namespaces/default/events', {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'e' },
    involvedObject: { namespace: 'default' },
  });
  const event = await harness.delete('/api/v1/namespaces/default/events/e', { propagationPolicy: 'Orphan' });
  assert.equal(event.body['status'], 'Success', 'events have no dependents (eventStrategy)');

  await harness.post(`/clusters/cell${maps}`, map('f'));
  const inert = await harness.delete(`/clusters/cell${maps}/f`, { propagationPolicy: 'Foreground' });
  assert.equal(inert.object.kind, 'Status', 'copies in a cell have no dependents');
});

test('a deletion tried shows what would be, in every version, and is forgotten (X2)', async () => {
  await using harness = await open();
  const url = '/namespaces/default/horizontalpodautoscalers';
  await harness.post(`/apis/autoscaling/v2${url}`, {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'h' },
    spec: { maxReplicas: 2, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' } },
  });
  for (const version of ['v1', 'v2']) {
    const tried = await harness.delete(`/apis/autoscaling/${version}${url}/h`, {
      propagationPolicy: 'Foreground',
      dryRun: ['All'],
    });
    assert.equal(tried.object.apiVersion, `autoscaling/${version}`);
    assert.deepEqual(tried.object.metadata.finalizers, ['foregroundDeletion']);
    const after = await harness.get(`/apis/autoscaling/${version}${url}/h`);
    assert.equal(after.object.metadata.deletionTimestamp, undefined);
  }
});

test('a namespace that goes has no grace period; its preconditions are told in words of their own (X2)', async () => {
  await using harness = await open();
  await harness.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } });
  const url = '/api/v1/namespaces/n';
  await assert.rejects(
    harness.delete(url, { preconditions: { uid: 'other' } }),
    apiError('Conflict', /on namespaces "n": Precondition failed: UID in precondition: other/),
  );
  // Its dependents go first, where those of others would go after it (shouldHaveDeleteDependentsFinalizer).
  const tried = await harness.delete(url, { orphanDependents: false, dryRun: ['All'] });
  assert.deepEqual(tried.object.metadata.finalizers, ['foregroundDeletion']);
  const { metadata } = (await harness.delete(url)).object;
  assert.notEqual(metadata.deletionTimestamp, undefined);
  assert.equal(metadata.deletionGracePeriodSeconds, undefined);
});

test('only a pod that runs somewhere has a grace period (X3)', async () => {
  await using harness = await open();
  await harness.post(pods, pod('unscheduled'));
  // What is gone is the answer, for some kinds (ReturnDeletedObject), as it was marked: nothing of it lingers.
  const gone = await harness.delete(`${pods}/unscheduled`);
  const { deletionTimestamp, deletionGracePeriodSeconds, generation } = gone.object.metadata;
  assert.deepEqual(
    { deletionTimestamp, deletionGracePeriodSeconds, generation },
    { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0, generation: 2 },
  );
  await assert.rejects(harness.get(`${pods}/unscheduled`), apiError('NotFound', /not found/, 404));
  await harness.post(pods, pod('running', { nodeName: 'n', terminationGracePeriodSeconds: 40 }));
  const first = await harness.delete(`${pods}/running`);
  assert.equal(first.object.metadata.deletionGracePeriodSeconds, 40);
  assert.equal(first.object.metadata.deletionTimestamp, '2026-01-01T00:00:40Z');
  const shorter = await harness.delete(`${pods}/running`, { gracePeriodSeconds: 10 });
  assert.equal(shorter.object.metadata.deletionTimestamp, '2026-01-01T00:00:10Z');
  const longer = await harness.delete(`${pods}/running`, { gracePeriodSeconds: 100 });
  assert.equal(longer.object.metadata.deletionGracePeriodSeconds, 10);
  // While it is given time to end nothing else about its deletion changes (registry.Store.Delete).
  for (const options of [
    { propagationPolicy: 'Orphan' },
    { propagationPolicy: 'Foreground', gracePeriodSeconds: 10 },
  ]) {
    const pending = await harness.delete(`${pods}/running`, options);
    assert.equal(pending.object.metadata.finalizers, undefined);
  }
  harness.clock.advance(60_000);
  const late = await harness.delete(`${pods}/running`, { gracePeriodSeconds: 5 });
  assert.equal(late.object.metadata.deletionTimestamp, '2026-01-01T00:01:00Z', 'never in the past');
  assert.equal(late.object.metadata.deletionGracePeriodSeconds, 1);
  assert.equal((await harness.delete(`${pods}/running`, { gracePeriodSeconds: 0 })).object.kind, 'Pod');
  await harness.post(pods, pod('negative', { nodeName: 'n' }));
  const negative = await harness.delete(`${pods}/negative`, { gracePeriodSeconds: -1 });
  assert.equal(
    negative.object.metadata.deletionGracePeriodSeconds,
    1,
    'BeforeDelete: less than none is a second',
  );
});

test('namespaces: protected, terminating, finalized (S1, S2, S3)', async () => {
  await using harness = await open();
  await assert.rejects(
    harness.delete('/api/v1/namespaces/default'),
    apiError('Forbidden', 'namespaces "default" is forbidden: this namespace may not be deleted', 403),
  );
  for (const name of ['kube-system', 'kube-public', 'kube-node-lease']) {
    const path = `/api/v1/namespaces/${name}`;
    await harness.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    if (name !== 'kube-node-lease') await assert.rejects(harness.delete(path), apiError('Forbidden'), name);
    else assert.equal((await harness.delete(path)).code, 200);
  }
  const made = await harness.post('/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'n' },
  });
  assert.deepEqual(made.object['spec'], { finalizers: ['kubernetes'] });
  assert.equal(made.object.metadata.labels?.['kubernetes.io/metadata.name'], 'n');
  const dying = await harness.delete('/api/v1/namespaces/n');
  assert.deepEqual(dying.object['status'], { phase: 'Terminating' });
  await assert.rejects(harness.post('/api/v1/namespaces/n/configmaps', map('a')), (error) => {
    apiError(
      'Forbidden',
      'configmaps "a" is forbidden: unable to create new content in namespace n because it is being terminated',
      403,
    )(error);
    const { details } = error as { details?: { causes?: JsonObject[] } };
    assert.equal(details?.causes?.[0]?.['reason'], 'NamespaceTerminating');
    return true;
  });
  const finalized = await harness.put('/api/v1/namespaces/n/finalize', {
    ...dying.object,
    spec: { finalizers: [] },
    metadata: { name: 'n', labels: { ignored: 'yes' } },
  });
  assert.equal(finalized.code, 200);
  await assert.rejects(harness.get('/api/v1/namespaces/n'), apiError('NotFound'));
});

test('on a store that others write too, a delete that marked the object is not decided again', async () => {
  const key = () => harness.storage.range({ prefix: '/' }).then(({ items }) => items.map((item) => item.key));
  let mapKey: string | undefined;
  await using harness = await Harness.open({
    seenAs: (storage) =>
      new Proxy(storage, {
        get(target, property) {
          // As over etcd: what is in the cache may be old, and asking for what is new takes a while,
          // in which another server removes the last finalizer.
          if (property === 'awaitSettled') return undefined;
          if (property === 'awaitFresh') {
            return async () => {
              if (mapKey === undefined) return;
              await target.transact({ guards: [], operations: [{ type: 'delete', key: mapKey as never }] });
            };
          }
          const value: unknown = Reflect.get(target, property);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
  });
  await harness.post(maps, map('held', { finalizers: ['example.com/a'] }));
  mapKey = (await key()).find((one) => one.endsWith('/held'));
  assert.ok(mapKey !== undefined);
  const { code, object } = await harness.delete(`${maps}/held`);
  assert.equal(code, 200);
  assert.equal(object.metadata.deletionTimestamp, '2026-01-01T00:00:00Z');
});
