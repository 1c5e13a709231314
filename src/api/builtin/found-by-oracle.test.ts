import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FieldError } from '#apimachinery/field-error.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import { cloneJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { builtinDefinitions } from './definitions.ts';
import { variant, vectors } from './testing/vectors.ts';

/** What kube-apiserver 1.36.0 answered to one field of a base object changed (test/oracle/mutations.ts). */
interface Row {
  readonly base: string;
  readonly write: 'create' | 'update' | 'status';
  readonly set: JsonObject;
  /** `reason field` of each cause, in its order; none where it is accepted. Those of metadata are the registry's. */
  readonly causes: readonly string[];
}

/** What the kind's own validation finds after defaults and preparation. */
function errorsOf({ base, write, set }: Row): readonly FieldError[] {
  const object = variant(base, set) as KubeObject;
  const { group, version } = parseApiVersion(object.apiVersion)!;
  const found = builtinDefinitions().find(
    (one) => one.group === group && one.kind === object.kind && one.virtual !== true,
  );
  const { strategy } = found!;
  strategy.defaults?.(object, version);
  object.metadata.uid = 'u';
  if (write === 'create') {
    strategy.prepareForCreate?.(object);
    return strategy.validate?.(object) ?? [];
  }
  const old = variant(base, {}) as KubeObject;
  strategy.defaults?.(old, version);
  old.metadata.uid = 'u';
  strategy.prepareForCreate?.(old);
  const subresource = write === 'status' ? 'status' : '';
  const written = write === 'status' ? ({ ...old, status: object['status'] } as KubeObject) : object;
  strategy.prepareForUpdate?.(written, old, subresource);
  return strategy.validateUpdate?.(written, old, subresource) ?? [];
}

test('what kube-apiserver told of single changed fields is told in its order and as often (C11)', () => {
  const rows = vectors<Row>('found-by-oracle.jsonl');
  assert.ok(rows.length > 25);
  for (const row of rows) {
    assert.deepEqual(
      errorsOf(row).map(({ type, field }) => `${type} ${field}`),
      row.causes,
      `${row.write} ${row.base} ${JSON.stringify(row.set)}`,
    );
  }
});

// kube-apiserver tells a field.Path there, of which JSON has nothing (validatePersistentVolumeClaimSpec).
test('two sources of a claim that differ are told with an empty value (C11)', () => {
  const other = { kind: 'PersistentVolumeClaim', name: 'b' };
  const set = { 'spec.dataSource': { ...other, name: 'a' }, 'spec.dataSourceRef': other };
  const messages = errorsOf({ base: 'PersistentVolumeClaim', write: 'create', set, causes: [] });
  assert.deepEqual(
    messages.map(({ field, message }) => `${field}: ${message}`),
    ['spec: Invalid value: {}: must match dataSourceRef'],
  );
});

// SetObjectDefaults_Pod (pkg/apis/core/v1/zz_generated.defaults.go) rounds each ResourceList up to thousandths.
test('amounts in the status of a pod are rounded as those in its spec (C11)', () => {
  const amounts = () => ({ cpu: '0.0001' });
  const held = () => ({
    allocatedResources: amounts(),
    resources: { limits: amounts(), requests: amounts() },
  });
  const states = ['initContainerStatuses', 'containerStatuses', 'ephemeralContainerStatuses'];
  const status = { ...held(), ...Object.fromEntries(states.map((field) => [field, [held()]])) };
  const pod = variant('Pod', { status }) as KubeObject;
  builtinDefinitions()
    .find(({ group, kind }) => group === '' && kind === 'Pod')
    ?.strategy.defaults?.(pod, 'v1');
  const told = JSON.stringify(pod['status']);
  assert.equal(told.match(/"cpu":"1m"/g)?.length, 12);
  assert.doesNotMatch(told, /100u|0\.0001/);
});

// ValidateEndpoints and ValidateEndpointSlice: older releases took what is refused now.
test('endpoints that stay as they were are not looked at again (C11)', () => {
  const rows = [
    { kind: 'Endpoints', fields: { subsets: [{}] } },
    { kind: 'EndpointSlice', fields: { addressType: 'IPv4', endpoints: [{ addresses: ['x'] }] } },
  ];
  for (const { kind, fields } of rows) {
    const { strategy } = builtinDefinitions().find((one) => one.kind === kind)!;
    const object: KubeObject = { apiVersion: '', kind, metadata: { name: 'x' }, ...fields };
    assert.notEqual(strategy.validate?.(object).length, 0, `${kind}: refused when it is made`);
    assert.deepEqual(strategy.validateUpdate?.(object, cloneJson(object) as KubeObject, ''), [], kind);
  }
});
