import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinSchema } from '#api/builtin/builtin-schema.ts';
import { cloneJson, type JsonObject } from '#apimachinery/json.ts';
import { isTidy } from '#apimachinery/schema-walk/fits.ts';
import { pruneUnknown } from '#apimachinery/schema-walk/prune.ts';
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

test('what decodes itself ends the decoding, be it before or behind a wrong type (source: json.Unmarshaler)', () => {
  const pod = builtinSchema('io.k8s.api.core.v1.Pod');
  assert.ok(pod);
  const container = { name: 'a', resources: { limits: { cpu: 'much' } } };
  const form = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  assert.equal(typeMismatch(pod, { spec: { hostname: 1, containers: [container], subdomain: 2 } }), form);
  assert.equal(
    typeMismatch(pod, { spec: { hostname: 1, subdomain: 2 } }),
    'json: cannot unmarshal number into Go struct field PodSpec.spec.hostname of type string',
  );
});

test("a schema's unions are read as they read themselves (source: apiextensions v1/marshal.go)", () => {
  const schema = builtinSchema(
    'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
  );
  assert.ok(schema);
  const inField = (field: string, what: string) =>
    `json: cannot unmarshal ${what} into Go struct field JSONSchemaProps.spec.versions.schema.openAPIV3Schema.${field}`;
  const rows: readonly (readonly [JsonObject, string | undefined])[] = [
    [{ additionalProperties: 'x' }, 'boolean or JSON schema expected'],
    [{ additionalProperties: [] }, 'boolean or JSON schema expected'],
    [{ additionalProperties: true }, undefined],
    [{ type: 1, additionalProperties: 1 }, 'boolean or JSON schema expected'],
    [
      { type: 1, additionalProperties: { type: 1 } },
      `${inField('additionalProperties.type', 'number')} of type string`,
    ],
    [
      { items: { properties: { a: 'x' } } },
      `${inField('items.properties', 'string')} of type v1.JSONSchemaProps`,
    ],
    [{ items: [{ type: 1 }] }, `${inField('items.type', 'number')} of type string`],
    [{ items: ['x'] }, `${inField('items', 'string')} of type v1.JSONSchemaProps`],
    [{ items: 'x' }, undefined],
    [{ dependencies: { a: ['b'] } }, undefined],
    [{ dependencies: { a: [1] } }, `${inField('dependencies', 'number')} of type string`],
    [{ items: { items: { additionalProperties: 1 } } }, 'boolean or JSON schema expected'],
  ];
  for (const [openAPIV3Schema, expected] of rows) {
    const crd = { spec: { versions: [{ schema: { openAPIV3Schema } }] } };
    assert.equal(typeMismatch(schema, crd), expected, JSON.stringify(openAPIV3Schema));
    assert.equal(isTidy(schema, crd) && expected !== undefined, false, JSON.stringify(openAPIV3Schema));
    const given = cloneJson(crd);
    assert.deepEqual(pruneUnknown(schema, given), []);
    assert.deepEqual(given, crd);
  }
  const within = { items: { type: 'string', colour: 1 }, additionalProperties: { items: [{ colour: 1 }] } };
  const crd = { spec: { versions: [{ schema: { openAPIV3Schema: { ...within, colour: 1 } } }] } };
  assert.deepEqual(pruneUnknown(schema, crd), ['spec.versions[0].schema.openAPIV3Schema.colour']);
  const left = { items: { type: 'string' }, additionalProperties: { items: [{}] } };
  assert.deepEqual(crd, { spec: { versions: [{ schema: { openAPIV3Schema: left } }] } });
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
