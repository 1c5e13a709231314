import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinSchema } from '#api/builtin/builtin-schema.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { typeMismatch } from '../request/go-words.ts';
import { otherKind, unrecognized } from './decode-errors.ts';

test("a wrong type is told in encoding/json's words (source: sigs.k8s.io/json)", () => {
  const schema = builtinSchema('io.k8s.api.apps.v1.Deployment');
  assert.ok(schema);
  const pod = (container: JsonObject): JsonObject => ({
    spec: { template: { spec: { containers: [container] } } },
  });
  const rows: readonly (readonly [JsonObject, string | undefined])[] = [
    [
      { spec: { replicas: '3' } },
      'cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      { spec: { replicas: 1.5 } },
      'cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      pod({ env: [{ name: 'A', value: 1 }] }),
      'cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string',
    ],
    [
      pod({ command: 'sh' }),
      'cannot unmarshal string into Go struct field Container.spec.template.spec.containers.command of type []string',
    ],
    [
      { metadata: { labels: { a: true } } },
      'cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    [
      pod({ livenessProbe: { exec: 1 } }),
      'cannot unmarshal number into Go struct field Probe.spec.template.spec.containers.livenessProbe.ProbeHandler.exec of type v1.ExecAction',
    ],
    [
      { metadata: { uid: 1 } },
      'cannot unmarshal number into Go struct field ObjectMeta.metadata.uid of type types.UID',
    ],
    [
      { metadata: { creationTimestamp: 1 } },
      'cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string',
    ],
    [
      pod({ securityContext: { capabilities: { add: [1] } } }),
      'cannot unmarshal number into Go struct field Capabilities.spec.template.spec.containers.securityContext.capabilities.add of type v1.Capability',
    ],
    [{ spec: [] }, 'cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec'],
    [pod({ name: 'c', ports: [{ containerPort: 80 }], resources: { limits: { cpu: 1 } } }), undefined],
  ];
  for (const [object, expected] of rows) {
    assert.equal(typeMismatch(schema, object), expected === undefined ? undefined : `json: ${expected}`);
  }
});

test('what is not recognized is shown by its beginning (source: apiserver transformDecodeError)', () => {
  const of = (text: string) =>
    unrecognized('Pod', 'why', { contentType: '', bytes: Buffer.from(text) }).message;
  const prefix = 'the object provided is unrecognized (must be of type Pod): why';
  assert.equal(of(''), `${prefix} (<empty>)`);
  assert.equal(of('[]'), `${prefix} (5b5d)`);
  assert.equal(of(`{${'a'.repeat(40)}`), `${prefix} ({${'a'.repeat(29)} ...)`);
});

test('another kind is converted or not registered', () => {
  const expected = { group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'Role' };
  const given = { apiVersion: 'v1', kind: 'Secret' };
  assert.match(otherKind(given, expected, true).message, /converting \(v1\.Secret\) to \(rbac\.Role\)/);
  assert.match(otherKind(given, expected, false).message, /no kind "Secret" is registered for version "v1"/);
});

test('quantities and bytes that are none are told as their decoders tell them', () => {
  const claim = builtinSchema('io.k8s.api.resource.v1.ResourceSlice');
  const secret = builtinSchema('io.k8s.api.core.v1.Secret');
  assert.ok(claim && secret);
  const form = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  const quantities: readonly (readonly [string | number, string | undefined])[] = [
    ['1Gi', undefined],
    [2, undefined],
    ['', form],
    ['a.b', form],
    ['1.2.3', form],
    ['10Kib', form],
    ['1Mk', "unable to parse quantity's suffix"],
  ];
  for (const [value, expected] of quantities) {
    const slice = { spec: { devices: [{ capacity: { mem: { value } } }] } };
    assert.equal(typeMismatch(claim, slice), expected, String(value));
  }
  // encoding/base64 CorruptInputError
  const bytes: readonly (readonly [string, number | undefined])[] = [
    ['Zm9v', undefined],
    ['Zm8=', undefined],
    ['Zg==', undefined],
    ['Zg=\n=\n', undefined],
    ['Bad_Value!', 3],
    [' ', 0],
    ['a/b/c', 4],
    ['Zm9', 0],
    ['Z===', 1],
    ['Zg=', 3],
    ['Zg=x', 2],
    ['Zm8=x', 4],
  ];
  for (const [value, at] of bytes) {
    const expected = at === undefined ? undefined : `illegal base64 data at input byte ${at}`;
    assert.equal(typeMismatch(secret, { data: { a: value } }), expected, value);
  }
});
