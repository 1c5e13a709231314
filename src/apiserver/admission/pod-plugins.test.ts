import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectAt, objectsAt, textAt, valueAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { AuthorizationAttributes, Authorizer } from '../authz/authorizer.ts';
import { apiError, Harness } from '../verbs/testing/harness.ts';
import { AppArmorFields } from './app-armor.ts';
import { DefaultTolerations } from './default-tolerations.ts';
import { NodeTaint } from './node-taint.ts';
import { RuntimeClassAdmission } from './runtime-class.ts';
import { SignerPermission } from './signer-permission.ts';
import { mergeTolerations } from './tolerations.ts';

const pods = '/api/v1/namespaces/default/pods';
const classes = '/apis/node.k8s.io/v1/runtimeclasses';

function open(authorizer?: Authorizer): Promise<Harness> {
  return Harness.open({
    plugins: (storage) => [
      new AppArmorFields(),
      new NodeTaint(),
      new DefaultTolerations(),
      new RuntimeClassAdmission(storage),
      ...(authorizer === undefined ? [] : [new SignerPermission(authorizer)]),
    ],
    workspaces: [
      { id: 'cell' as never, inert: true, type: 'cell' },
      { id: 'project' as never, type: 'project' },
    ],
  });
}

function pod(spec: JsonObject = {}, annotations: JsonObject = {}): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', annotations },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  };
}

const five = (key: string) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });
const notReady = five('node.kubernetes.io/not-ready');
const unreachable = five('node.kubernetes.io/unreachable');

test('a pod stays five minutes on a node that fails, unless it says otherwise (defaulttolerationseconds)', async () => {
  await using harness = await open();
  const own = { ...notReady, tolerationSeconds: 5 };
  const rows: [JsonObject[] | undefined, JsonObject[]][] = [
    [undefined, [notReady, unreachable]],
    [[own], [own, unreachable]],
    [[{ operator: 'Exists' }], [{ operator: 'Exists' }]],
    [
      [{ ...notReady, effect: 'NoSchedule', tolerationSeconds: null }],
      [{ key: notReady.key, operator: 'Exists', effect: 'NoSchedule' }, notReady, unreachable],
    ],
  ];
  for (const [tolerations, expected] of rows) {
    const made = await harness.post(
      `${pods}?dryRun=All`,
      pod(tolerations === undefined ? {} : { tolerations }),
    );
    assert.deepEqual(valueAt(made.object, 'spec', 'tolerations'), expected);
  }
  const copy = await harness.post(`/clusters/cell${pods}`, pod());
  assert.equal(valueAt(copy.object, 'spec', 'tolerations'), undefined, 'copies stay as they are');
});

test('a RuntimeClass gives its pods overhead, selector and tolerations (runtimeclass)', async () => {
  await using harness = await open();
  const tolerations = [{ key: 'k', operator: 'Exists' }];
  await harness.post(classes, {
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name: 'full' },
    handler: 'h',
    overhead: { podFixed: { cpu: '100m' } },
    scheduling: { nodeSelector: { a: 'b' }, tolerations },
  });
  const given = await harness.post(
    `${pods}?dryRun=All`,
    pod({ runtimeClassName: 'full', nodeSelector: { c: 'd' } }),
  );
  assert.deepEqual(objectAt(given.object, 'spec', 'overhead'), { cpu: '100m' });
  assert.deepEqual(objectAt(given.object, 'spec', 'nodeSelector'), { a: 'b', c: 'd' });
  assert.deepEqual(objectsAt(given.object, 'spec', 'tolerations'), [notReady, unreachable, ...tolerations]);
  const tried = (spec: JsonObject) => harness.post(`${pods}?dryRun=All`, pod(spec));
  assert.equal((await tried({ runtimeClassName: 'full', overhead: { cpu: '0.1' } })).code, 201);
  const rows: [JsonObject, RegExp][] = [
    [{ runtimeClassName: 'none' }, /pod rejected: RuntimeClass "none" not found/],
    [{ runtimeClassName: 'full', overhead: { cpu: 1 } }, /Overhead doesn't match RuntimeClass's/],
    [{ overhead: { cpu: 1 } }, /Pod Overhead set without corresponding RuntimeClass/],
    [
      { runtimeClassName: 'full', nodeSelector: { a: 'x' } },
      /conflict: runtimeClass.*\[a\] = b; .*\[a\] = x/,
    ],
  ];
  for (const [spec, why] of rows) await assert.rejects(tried(spec), apiError('Forbidden', why, 403));
  await assert.rejects(
    tried({ runtimeClassName: '' }),
    apiError('InternalError', 'resource name may not be empty', 500),
  );
  const project = await harness.post(`/clusters/project${pods}`, pod({ runtimeClassName: 'edges' }));
  assert.match(
    project.warnings.join(),
    /RuntimeClass "edges" not found in this project: each cell resolves it/,
  );
});

test('tolerations are merged as their meanings are (pkg/util/tolerations)', () => {
  const all = { operator: 'Exists' };
  const equal = { key: 'a', operator: 'Equal', value: 'x', effect: 'NoSchedule' };
  const exists = { key: 'a', operator: 'Exists', effect: 'NoSchedule' };
  const brief = { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 1 };
  assert.deepEqual(mergeTolerations([equal], [exists]), [exists]);
  assert.deepEqual(mergeTolerations([exists, exists], []), [exists]);
  assert.deepEqual(mergeTolerations([brief], [exists]), [brief, exists]);
  assert.deepEqual(mergeTolerations([equal, exists], [all]), [all]);
});

test('a node takes no pods until it was seen ready (nodetaint)', async () => {
  await using harness = await open();
  const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
  for (const [taints, expected] of [
    [[], [taint]],
    [[taint], [taint]],
    [[{ key: 'a', effect: 'NoExecute' }], [{ key: 'a', effect: 'NoExecute' }, taint]],
  ]) {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, spec: { taints: taints! } };
    const made = await harness.post('/api/v1/nodes?dryRun=All', node);
    assert.deepEqual(valueAt(made.object, 'spec', 'taints'), expected);
  }
});

test('annotations of AppArmor profiles become fields (applyAppArmorVersionSkew)', async () => {
  await using harness = await open();
  const key = 'container.apparmor.security.beta.kubernetes.io/c';
  const rows: [string, JsonObject, JsonObject | undefined, number][] = [
    ['unconfined', {}, { type: 'Unconfined' }, 1],
    ['localhost/x', {}, { type: 'Localhost', localhostProfile: 'x' }, 1],
    ['runtime/default', { securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } }, undefined, 0],
    ['', {}, undefined, 1],
  ];
  for (const [annotation, spec, expected, warnings] of rows) {
    const made = await harness.post(`${pods}?dryRun=All`, pod(spec, { [key]: annotation }));
    const [container] = objectsAt(made.object, 'spec', 'containers');
    assert.deepEqual(objectAt(container, 'securityContext', 'appArmorProfile'), expected, annotation);
    assert.equal(made.warnings.length, warnings, annotation);
  }
});

test('who approves, signs or attests needs the verb on the signer (certificates/approval, signing, ctbattest)', async () => {
  const asked: AuthorizationAttributes[] = [];
  let allowed = '';
  await using harness = await open({
    authorize: async (request) => {
      asked.push(request);
      return { decision: request.resource?.name === allowed ? 'allow' : 'noOpinion', reason: '' };
    },
  });
  const bundle = {
    apiVersion: 'certificates.k8s.io/v1beta1',
    kind: 'ClusterTrustBundle',
    metadata: { name: 'example.com:s:b' },
    spec: { signerName: 'example.com/s', trustBundle: '-----BEGIN CERTIFICATE-----' },
  };
  const url = '/apis/certificates.k8s.io/v1beta1/clustertrustbundles';
  await assert.rejects(
    harness.post(url, bundle),
    apiError('Forbidden', /user not permitted to attest for signerName "example.com\/s"/, 403),
  );
  assert.deepEqual(
    asked.map(({ verb, resource }) => `${verb} ${resource?.resource} ${resource?.name}`),
    ['attest signers example.com/s', 'attest signers example.com/*'],
  );
  allowed = 'example.com/*';
  assert.equal(textAt((await harness.post(url, bundle)).object, 'spec', 'signerName'), 'example.com/s');
});
