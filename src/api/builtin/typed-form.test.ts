import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { builtinDefinitionNames } from './catalogue-types.ts';
import { completeTypedForm } from './typed-form.ts';

test('objects take the form that Go gives them on decoding', () => {
  const rows: [string, JsonObject, JsonObject][] = [
    [
      'io.k8s.api.core.v1.Pod',
      { spec: { containers: [{ resources: { limits: { cpu: 0.5, memory: '1024Mi', 'x/y': '1.50' } } }] } },
      {
        spec: {
          containers: [{ name: '', resources: { limits: { cpu: '500m', memory: '1Gi', 'x/y': '1500m' } } }],
        },
      },
    ],
    ['io.k8s.api.core.v1.Pod', { spec: {} }, { spec: { containers: [] } }],
    ['io.k8s.api.core.v1.Pod', { spec: 'x' }, { spec: 'x' }],
    ['io.k8s.api.discovery.v1.EndpointSlice', {}, { addressType: '' }],
    // A selector is a pointer: only a pointer can be missing.
    [
      'io.k8s.api.apps.v1.Deployment',
      { spec: {} },
      { spec: { strategy: {}, template: { metadata: {}, spec: { containers: [] } } } },
    ],
    // What `omitempty` leaves out says nothing; a pointer to a zero says something.
    [
      'io.k8s.api.apps.v1.Deployment',
      { spec: { paused: false, minReadySeconds: 0, replicas: 0, selector: { matchExpressions: [] } } },
      {
        spec: {
          replicas: 0,
          selector: {},
          strategy: {},
          template: { metadata: {}, spec: { containers: [] } },
        },
      },
    ],
    ['io.k8s.api.core.v1.ConfigMap', { data: {}, immutable: false }, { immutable: false }],
    // An order to forget who owns what.
    [
      'io.k8s.api.core.v1.ConfigMap',
      { metadata: { managedFields: [] } },
      { metadata: { managedFields: [] } },
    ],
    ['io.k8s.api.apps.v1.StatefulSetOrdinals', {}, { start: 0 }],
    [
      'io.k8s.api.coordination.v1.Lease',
      {
        metadata: { creationTimestamp: '2024-01-01T02:00:00+01:00' },
        spec: { renewTime: '2024-01-01T00:00:00.12Z' },
      },
      {
        metadata: { creationTimestamp: '2024-01-01T01:00:00Z' },
        spec: { renewTime: '2024-01-01T00:00:00.120000Z' },
      },
    ],
    [
      'io.k8s.api.core.v1.PersistentVolume',
      { spec: { capacity: { storage: 'x' } } },
      { spec: { capacity: { storage: 'x' } } },
    ],
  ];
  for (const [definition, given, expected] of rows) {
    completeTypedForm(definition, given);
    assert.deepEqual(given, expected, definition);
  }
});

test('recursive types are followed along the data', () => {
  const props = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';
  const object: JsonObject = { not: { 'x-kubernetes-validations': [{}] } };
  completeTypedForm(props, object);
  assert.deepEqual(object, { not: { 'x-kubernetes-validations': [{ rule: '' }] } });
  const unions: JsonObject = {
    additionalProperties: { required: [], items: { items: [{ enum: [] }], additionalProperties: true } },
    additionalItems: false,
    dependencies: { a: [], b: { title: '' } },
  };
  completeTypedForm(props, unions);
  assert.deepEqual(unions, {
    additionalProperties: { items: { items: [{}], additionalProperties: true } },
    additionalItems: false,
    dependencies: { a: [], b: {} },
  });
});

test('every definition has a plan', () => {
  for (const name of builtinDefinitionNames()) completeTypedForm(name, {});
});
