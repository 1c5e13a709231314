import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { handlerKey, type ResourceHandler } from './request.ts';
import { apiError, Harness } from './testing/harness.ts';

const pods = '/api/v1/namespaces/default/pods';
const csrs = '/apis/certificates.k8s.io/v1/certificatesigningrequests';

/** PKCS #10 for CN=x, P-256. */
const certificateRequest =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIRk1HNENBUUF3RERFS01BZ0dBMVVFQXd3QmVEQlpNQk1HQnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCSVg2c1ZldWF4VDZlTjFGT3k2bWVBWHVxRmhSM0xGNElWMVVSZFlodWFXOXJ6VnhnYnBiY1FmdEhHSlpEU2RYCkY2UzNnclk2c0U0aHc3UGxsRTM3c1Y2Z0FEQUtCZ2dxaGtqT1BRUURBZ05IQURCRUFpQlJjSFZ5c1V1YlpUbXEKS0NvT2k1eDZsa0U4UHhqclU2eUNqd29CcEV3bTBnSWdZTHNrekU3MGRRN09WbWxpQmNrSk5raTBuSkxOR21TWgpaSHBzZnRtVVhMZz0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==';

function pod(name: string, labels: { [key: string]: string } = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  };
}

test('a pod is bound once (C10)', async () => {
  await using harness = await Harness.open();
  await harness.post(pods, pod('p'));
  const binding = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name: 'p' },
    target: { kind: 'Node', name: 'n1' },
  };
  const { code, body } = await harness.post(`${pods}/p/binding`, binding);
  assert.equal(code, 201);
  assert.equal(body['status'], 'Success');
  const { object } = await harness.get(`${pods}/p`);
  assert.equal((object['spec'] as JsonObject)['nodeName'], 'n1');
  await assert.rejects(
    harness.post(`${pods}/p/binding`, binding),
    apiError('Conflict', /pod p is already assigned to node "n1"/),
  );
  await assert.rejects(
    harness.post(`${pods}/p/binding`, { ...binding, target: {} }),
    apiError('Invalid', /target.name/),
  );
  await assert.rejects(harness.post(`${pods}/none/binding`, binding), apiError('NotFound'));
});

test('eviction asks the budgets (C10)', async () => {
  await using harness = await Harness.open();
  await harness.post(pods, pod('free'));
  await harness.post(pods, pod('kept', { app: 'kept' }));
  const running = { status: { phase: 'Running' } };
  for (const name of ['free', 'kept']) await harness.patch(`${pods}/${name}/status`, 'merge', running);
  await harness.post('/apis/policy/v1/namespaces/default/poddisruptionbudgets', {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'kept' } } },
  });
  const eviction = (name: string) => ({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } });
  assert.equal((await harness.post(`${pods}/free/eviction`, eviction('free'))).code, 201);
  await assert.rejects(harness.get(`${pods}/free`), apiError('NotFound'));
  await assert.rejects(
    harness.post(`${pods}/kept/eviction`, eviction('kept')),
    apiError('TooManyRequests', /would violate the pod's disruption budget/, 429),
  );
  await assert.rejects(harness.post(`${pods}/kept/eviction`, eviction('other')), apiError('BadRequest'));
});

test('approval writes conditions alone, and is irrevocable (O5)', async () => {
  await using harness = await Harness.open();
  const request = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'c' },
    spec: {
      request: certificateRequest,
      signerName: 'example.com/x',
      usages: ['client auth'],
    },
  };
  const { object } = await harness.post(csrs, request);
  // Of a request nobody owns the spec, nor what another endpoint writes (csrStrategy.GetResetFields).
  assert.equal(object.metadata.managedFields, undefined);
  const labelled = await harness.patch(`${csrs}/c?dryRun=All`, 'merge', { metadata: { labels: { a: 'b' } } });
  assert.equal(labelled.object.metadata.managedFields, undefined);
  const approved = { type: 'Approved', status: 'True', reason: 'Test', message: 'ok' };
  const answer = await harness.put(`${csrs}/c/approval`, {
    ...object,
    metadata: { ...object.metadata, labels: { kept: 'yes' } },
    status: { conditions: [approved], certificate: 'aWdub3JlZA==' },
  });
  const status = answer.object['status'] as { conditions: JsonObject[]; certificate?: string };
  assert.equal(status.conditions[0]!['type'], 'Approved');
  assert.equal(status.certificate, undefined);
  assert.deepEqual(answer.object.metadata.labels, { kept: 'yes' });
  await assert.rejects(
    harness.put(`${csrs}/c/approval`, { ...answer.object, status: { conditions: [] } }),
    apiError('Invalid', /updates may not remove a condition of type "Approved"/),
  );
  await assert.rejects(
    harness.put(`${csrs}/c/approval`, {
      ...answer.object,
      status: { conditions: [approved, { ...approved, type: 'Denied' }] },
    }),
    apiError('Invalid', /Invalid value: "Denied": Approved and Denied conditions are mutually exclusive/),
  );
  for (const [pem, told] of [
    [
      '-----BEGIN CERTIFICATE-----\nProc-Type: 4\n\nAA==\n-----END CERTIFICATE-----\n',
      /no PEM block headers/,
    ],
    ['-----BEGIN X-----\nAA==\n-----END X-----\n', /only CERTIFICATE PEM blocks are allowed, found "X"/],
    ['none', /must contain at least one CERTIFICATE PEM block/],
  ] as const) {
    const certificate = Buffer.from(pem).toString('base64');
    await assert.rejects(
      harness.put(`${csrs}/c/status`, {
        ...answer.object,
        status: { ...(answer.object['status'] as JsonObject), certificate },
      }),
      apiError('Invalid', told),
    );
  }
});

test('handlers serve virtual resources and subresources of their own', async () => {
  const echo: ResourceHandler = (context) => ({
    type: 'status',
    code: 201,
    body: { kind: context.served.definition.kind, sub: context.subresource, name: context.name },
  });
  await using harness = await Harness.open({
    handlers: new Map([
      [handlerKey('authorization.k8s.io', 'selfsubjectaccessreviews'), echo],
      [handlerKey('', 'serviceaccounts', 'token'), echo],
    ]),
  });
  const review = await harness.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {});
  assert.equal(review.body['kind'], 'SelfSubjectAccessReview');
  const token = await harness.post('/api/v1/namespaces/default/serviceaccounts/sa/token', {});
  assert.deepEqual(token.body, { kind: 'ServiceAccount', sub: 'token', name: 'sa' });
  await assert.rejects(
    harness.post('/apis/authorization.k8s.io/v1/subjectaccessreviews', {}),
    apiError('NotImplemented'),
  );
  await assert.rejects(
    harness.get('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'),
    apiError('MethodNotAllowed'),
  );
  await assert.rejects(harness.get(`${pods}/p/nothing`), apiError('NotFound'));
  await assert.rejects(harness.send('DELETE', `${pods}/p/status`), apiError('MethodNotAllowed'));
});

test('one store, two groups of events (O5); versions of different shape', async () => {
  await using harness = await Harness.open();
  const core = '/api/v1/namespaces/default/events';
  const group = '/apis/events.k8s.io/v1/namespaces/default/events';
  await harness.post(core, {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'e' },
    involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
    reason: 'Test',
    message: 'hello',
    type: 'Normal',
    count: 2,
    source: { component: 'me' },
  });
  const { object } = await harness.get(`${group}/e`);
  assert.equal(object.apiVersion, 'events.k8s.io/v1');
  assert.equal(object['note'], 'hello');
  await harness.post(group, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'f' },
    regarding: { kind: 'Pod', name: 'p', namespace: 'default' },
    ...{ reason: 'Tried', type: 'Warning', action: 'Try', eventTime: '2026-01-01T00:00:00.000000Z' },
    ...{ reportingController: 'example.com/c', reportingInstance: 'c-0' },
  });
  // Whichever group an event was written to, it is found in either.
  const found = async (at: string, selector: string) =>
    (await harness.list(`${at}?fieldSelector=${encodeURIComponent(selector)}`)).names;
  assert.deepEqual(await found(core, 'involvedObject.name=p'), ['e', 'f']);
  assert.deepEqual(await found(core, 'involvedObject.name=p,type=Warning,source=example.com/c'), ['f']);
  assert.deepEqual(await found(core, 'reportingComponent='), ['e']);
  assert.deepEqual(await found(group, 'regarding.kind=Pod'), ['e', 'f']);
  assert.deepEqual(await found(group, 'regarding.name=p,reason=Test'), ['e']);
  assert.deepEqual(await found(group, 'reportingController!=example.com/c'), ['e']);
  const autoscalers = '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers';
  const made = await harness.post(autoscalers, {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'h' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
      minReplicas: 1,
      maxReplicas: 3,
      targetCPUUtilizationPercentage: 80,
    },
  });
  assert.equal((made.object['spec'] as JsonObject)['targetCPUUtilizationPercentage'], 80);
  const v2 = await harness.get(`${autoscalers.replace('/v1/', '/v2/')}/h`);
  assert.equal(v2.object.apiVersion, 'autoscaling/v2');
  const [metric] = (v2.object['spec'] as { metrics: JsonObject[] }).metrics;
  assert.equal(metric!['type'], 'Resource');
  const again = await harness.patch(`${autoscalers}/h`, 'merge', { spec: { maxReplicas: 3 } });
  assert.equal(
    again.object.metadata.resourceVersion,
    made.object.metadata.resourceVersion,
    'C5 across conversion',
  );
  // Older metrics than the field stand in an annotation, which counts: who writes the field changes nothing, and owns nothing.
  const status = (manager: string, usage: number) =>
    harness.patch(`${autoscalers}/h/status?fieldManager=${manager}`, 'merge', {
      status: { currentReplicas: 1, desiredReplicas: 1, currentCPUUtilizationPercentage: usage },
      metadata: { labels: { by: manager } },
    });
  const metrics = [
    { type: 'Resource', resource: { name: 'cpu', currentAverageUtilization: 7, currentAverageValue: '0' } },
  ];
  await harness.patch(`${autoscalers}/h`, 'merge', {
    metadata: { annotations: { 'autoscaling.alpha.kubernetes.io/current-metrics': JSON.stringify(metrics) } },
  });
  await status('first', 7);
  const second = await status('second', 65_536);
  assert.equal((second.object['status'] as JsonObject)['currentCPUUtilizationPercentage'], 7);
  const owners = (second.object.metadata.managedFields ?? [])
    .filter(({ fieldsV1 }) => JSON.stringify(fieldsV1).includes('currentCPUUtilizationPercentage'))
    .map(({ manager }) => manager);
  assert.deepEqual(owners, ['first']);
});

test('what a kubelet would answer is told apart from what is nowhere (C10)', async () => {
  await using harness = await Harness.open();
  const pods = '/api/v1/namespaces/default/pods';
  const missing = 'the server could not find the requested resource';
  const told = `${missing}: pod x runs at no node of this server, ask the cell that it was placed on`;
  await assert.rejects(harness.get(`${pods}/x/log`), apiError('NotFound', told));
  await assert.rejects(harness.get(`${pods}/x/nothing`), apiError('NotFound', missing));
});

test('a Scale is read as new as it is asked for (L2)', async () => {
  await using harness = await Harness.open();
  const url = '/apis/apps/v1/namespaces/default/replicasets';
  await harness.post(url, {
    ...{ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'r' } },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });
  assert.equal((await harness.get(`${url}/r/scale?resourceVersion=0`)).object.kind, 'Scale');
  await assert.rejects(harness.get(`${url}/r/scale?resourceVersion=x`), apiError('BadRequest', /strconv/));
});
