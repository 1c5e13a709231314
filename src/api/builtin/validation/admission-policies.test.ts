import assert from 'node:assert/strict';
import test from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { builtinDefinitions } from '../definitions.ts';

const group = 'admissionregistration.k8s.io';

function told(resource: string, object: JsonObject, of = group): string[] {
  const definition = builtinDefinitions().find((one) => one.group === of && one.resource === resource);
  const complete = {
    apiVersion: `${of}/v1`,
    kind: definition?.kind ?? '',
    metadata: { name: 'x' },
    ...object,
  };
  return (definition?.strategy.validate?.(complete) ?? []).map(
    ({ field, message }) => `${field}: ${message}`,
  );
}

const rules = (...operations: string[]): JsonObject => ({
  resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations, resources: ['deployments'] }],
});
const mutating = (mutation: JsonObject, more: JsonObject = {}): JsonObject => ({
  spec: {
    failurePolicy: 'Fail',
    reinvocationPolicy: 'Never',
    matchConstraints: rules('CREATE'),
    mutations: [mutation],
    ...more,
  },
});
const patch = { patchType: 'JSONPatch', jsonPatch: { expression: '[]' } };
const mutatedOnly = 'Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"';

test('policies are refused in the words of pkg/apis/admissionregistration/validation', () => {
  const rows: readonly (readonly [JsonObject, ...string[]])[] = [
    [mutating(patch)],
    [mutating({}), 'spec.mutations[0].patchType: Required value'],
    [
      mutating({ patchType: 'Foo' }),
      'spec.mutations[0].patchType: Unsupported value: "Foo": supported values: "ApplyConfiguration", "JSONPatch"',
    ],
    [
      mutating({ patchType: 'JSONPatch' }),
      'spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch',
    ],
    [
      mutating({ patchType: 'JSONPatch', jsonPatch: { expression: ' ' } }),
      'spec.mutations[0].jsonPatch.expression: Required value',
    ],
    [
      mutating({ ...patch, applyConfiguration: { expression: 'x' } }),
      'spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch',
    ],
    [mutating(patch, { reinvocationPolicy: '' }), 'spec.reinvocationPolicy: Required value'],
    [
      mutating(patch, { matchConstraints: rules('DELETE') }),
      `spec.matchConstraints.resourceRules.operations: ${mutatedOnly}`,
    ],
    [
      mutating(patch, { variables: [{ name: ' ', expression: '1' }] }),
      'spec.variables[0].name: Required value: name is not specified',
    ],
    [
      mutating(patch, { variables: [{ name: 'for', expression: '1' }] }),
      'spec.variables[0].name: Invalid value: "for": must be a valid CEL identifier',
    ],
  ];
  for (const [object, ...expected] of rows) {
    assert.deepEqual(told('mutatingadmissionpolicies', object), expected, JSON.stringify(object));
  }
  assert.deepEqual(
    told('mutatingadmissionpolicybindings', {
      spec: { policyName: 'x', matchResources: rules('DELETE') },
    }),
    [`spec.matchResources.resourceRules.operations: ${mutatedOnly}`],
  );
});

test('a webhook’s service without a name is told as one without a namespace (validateValidatingWebhook)', () => {
  const webhook = (service: JsonObject): JsonObject => ({
    webhooks: [
      { name: 'a.b.c', sideEffects: 'None', admissionReviewVersions: ['v1'], clientConfig: { service } },
    ],
  });
  const resource = 'validatingwebhookconfigurations';
  const at = 'webhooks[0].clientConfig.service';
  assert.deepEqual(told(resource, webhook({ namespace: 'n' })), [`${at}.namespace: Required value`]);
  assert.deepEqual(told(resource, webhook({ name: 's' })), [`${at}.name: Required value`]);
});

test('APIServices (ValidateAPIService)', () => {
  const rest = { groupPriorityMinimum: 1, versionPriority: 1 };
  const all = told(
    'apiservices',
    { spec: { ...rest, version: '2', caBundle: 'Cg==' } },
    'apiregistration.k8s.io',
  );
  assert.ok(
    all.includes('spec.group: Required value: only v1 may have an empty group and it better be legacy kube'),
  );
  assert.ok(
    all.includes('spec.caBundle: Invalid value: "1 bytes": local APIServices may not have a caBundle'),
  );
  assert.ok(all.some((one) => one.startsWith('spec.version: Invalid value: "2": a DNS-1035 label')));
});
