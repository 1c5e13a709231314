import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Schema } from '#apimachinery/schema.ts';
import { builtinSchema, objectMetaSchema } from './builtin-schema.ts';
import { builtinDefinitionNames } from './catalogue-types.ts';
import { builtinDefinitions, compareVersions } from './definitions.ts';

const find = (group: string, resource: string) => {
  const found = builtinDefinitions().find((one) => one.group === group && one.resource === resource);
  assert.ok(found, `${resource}.${group}`);
  return found;
};

test('every definition of the catalogue becomes a schema', () => {
  for (const name of builtinDefinitionNames()) {
    const schema = builtinSchema(name);
    assert.equal(schema?.definition, name);
  }
  assert.equal(builtinSchema('io.k8s.api.core.v1.Nothing'), undefined);
  assert.equal(builtinSchema('com.example.Foo'), undefined);
  assert.equal(builtinSchema('io.k8s.constructor.x'), undefined);
});

test('every built-in resource has a schema with metadata, columns, names and a storage version that is served', () => {
  assert.equal(builtinDefinitions(), builtinDefinitions());
  for (const definition of builtinDefinitions()) {
    assert.ok(definition.versions.some((one) => one.version === definition.storageVersion));
    for (const version of definition.versions) {
      assert.equal(version.schema.properties?.get('metadata'), objectMetaSchema(), definition.kind);
      if (definition.virtual !== true) {
        assert.ok(version.columns.length > 0);
        assert.equal(version.columns[0]?.name === 'Name' || definition.resource === 'events', true);
      }
    }
  }
});

test('versions stand in order of preference (KUBERNETES.md D1)', () => {
  const order = ['v10', 'v2', 'v1', 'v11beta2', 'v10beta3', 'v3beta1', 'v12alpha1', 'v11alpha2'];
  assert.deepEqual([...order].reverse().sort(compareVersions), order);
  assert.deepEqual(
    find('autoscaling', 'horizontalpodautoscalers').versions.map((one) => one.version),
    ['v2', 'v1'],
  );
});

test('kubelet-backed subresources are left out (KUBERNETES.md C10)', () => {
  const names = (group: string, resource: string) =>
    find(group, resource).versions[0]?.subresources.map((one) => one.name);
  assert.deepEqual(names('', 'pods'), ['binding', 'ephemeralcontainers', 'eviction', 'resize', 'status']);
  assert.deepEqual(names('', 'nodes'), ['status']);
  assert.deepEqual(names('', 'services'), ['status']);
  const scale = find('apps', 'deployments').versions[0]?.subresources.find((one) => one.name === 'scale');
  assert.equal(scale?.group, 'autoscaling');
  assert.equal(scale?.kind, 'Scale');
  const eviction = find('', 'pods').versions[0]?.subresources.find((one) => one.name === 'eviction');
  assert.deepEqual([eviction?.group, eviction?.version, eviction?.kind], ['policy', 'v1', 'Eviction']);
});

test('reviews are virtual, both event groups share one store', () => {
  assert.equal(find('authorization.k8s.io', 'subjectaccessreviews').virtual, true);
  assert.equal(find('', 'bindings').virtual, true);
  assert.equal(find('', 'pods').virtual, undefined);
  assert.equal(find('', 'componentstatuses').virtual, undefined);
  assert.deepEqual(find('events.k8s.io', 'events').storedAs, { group: '', resource: 'events' });
});

test('schemas carry list, map and patch facts, and special types', () => {
  const podSpec = builtinSchema('io.k8s.api.core.v1.PodSpec');
  const containers = podSpec?.properties?.get('containers');
  assert.equal(containers?.listType, 'map');
  assert.deepEqual(containers?.listMapKeys, ['name']);
  assert.equal(containers?.patchStrategy, 'merge');
  assert.equal(containers?.patchMergeKey, 'name');
  const strategy = builtinSchema('io.k8s.api.apps.v1.DeploymentSpec')?.properties?.get('strategy');
  assert.equal(strategy?.patchStrategy, 'retainKeys');
  assert.equal(strategy?.definition, 'io.k8s.api.apps.v1.DeploymentStrategy');
  assert.equal(builtinSchema('io.k8s.api.apps.v1.DeploymentStrategy')?.patchStrategy, undefined);
  const targetPort = builtinSchema('io.k8s.api.core.v1.ServicePort')?.properties?.get('targetPort');
  assert.equal(targetPort?.intOrString, true);
});

test('JSONSchemaProps is cyclic, also through its unions', () => {
  const props = builtinSchema(
    'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps',
  ) as Schema;
  assert.equal(props.properties?.get('not'), props);
  assert.equal(props.properties?.get('properties')?.additionalProperties, props);
  assert.equal(props.properties?.get('items')?.properties, props.properties);
  assert.equal(props.properties?.get('items')?.type, undefined);
});
