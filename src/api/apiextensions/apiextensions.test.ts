import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { cloneJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { applyDefaults } from '#apimachinery/schema-walk/defaults.ts';
import { pruneUnknown } from '#apimachinery/schema-walk/prune.ts';
import { validateValue } from '#apimachinery/schema-walk/validate.ts';
import { crdCleanupFinalizer, storedVersionsOf } from './crd.ts';
import { definitionFromCrd } from './definition-from-crd.ts';
import { customResourceDefinitionStrategy as strategy } from './strategy.ts';
import { crd, created, errorsOf, schemaOf, specOf } from './testing/draft-crd.ts';

test('a CRD is defaulted, records its storage version and is cleaned up after', () => {
  const object = created();
  assert.deepEqual(specOf(object).names, {
    plural: 'widgets',
    kind: 'Widget',
    shortNames: ['wd'],
    categories: ['all'],
    singular: 'widget',
    listKind: 'WidgetList',
  });
  assert.deepEqual(specOf(object)['conversion'], { strategy: 'None' });
  assert.deepEqual(storedVersionsOf(object), ['v1']);
  assert.deepEqual(object.metadata.finalizers, [crdCleanupFinalizer]);
  assert.deepEqual(errorsOf(object), []);
  for (const spec of [undefined, null, 'x', { names: 3, versions: 'y' }]) {
    const broken = crd((one) => {
      one['spec'] = spec as JsonObject;
    });
    strategy.prepareForCreate?.(broken);
    assert.notDeepEqual(errorsOf(broken), []);
  }
});

test('a definition has all that the registry serves', () => {
  const object = created((o) => {
    const version = specOf(o).versions[0]!;
    version['subresources'] = {
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.spec.selector',
      },
    };
    version['selectableFields'] = [{ jsonPath: '.spec.colour' }];
    version['additionalPrinterColumns'] = [
      { name: 'Colour', type: 'string', jsonPath: '.spec.colour' },
      { name: 'Count', type: 'integer', jsonPath: '.spec.replicas', priority: 1 },
    ];
    specOf(o).versions.unshift({
      ...cloneJson(version),
      name: 'v1beta1',
      storage: false,
      deprecated: true,
    } as never);
  });
  assert.deepEqual(errorsOf(object), []);
  const definition = definitionFromCrd(object);
  assert.equal(definition.storageVersion, 'v1');
  assert.deepEqual(
    definition.versions.map((version) => version.version),
    ['v1', 'v1beta1'],
  );
  const [v1, beta] = definition.versions;
  assert.equal(beta?.deprecationWarning, 'example.com/v1beta1 Widget is deprecated');
  assert.deepEqual(
    v1?.subresources.map((one) => one.name),
    ['status', 'scale'],
  );
  assert.equal(v1?.subresources[1]?.scale?.specReplicasPath, 'spec.replicas');
  assert.deepEqual([...(v1?.selectableFields ?? [])], [['spec.colour', 'spec.colour']]);
  const widget: KubeObject = {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name: 'w' },
    spec: { replicas: 3, x: 1 },
  };
  assert.deepEqual(pruneUnknown(v1!.schema, widget), ['spec.x']);
  applyDefaults(v1!.schema, widget);
  assert.deepEqual(validateValue(v1!.schema, widget), []);
  assert.deepEqual(
    v1?.columns.map((column) => column.value(widget, new Date())),
    ['w', 'red', 3],
  );
  assert.equal(definitionFromCrd(cloneJson(object)), definition);
});

test('metadata is validated, and may be narrowed in its name', () => {
  const narrowed = created((o) => {
    (schemaOf(o)['properties'] as JsonObject)['metadata'] = {
      type: 'object',
      properties: { name: { type: 'string', maxLength: 3 } },
    };
  });
  assert.deepEqual(errorsOf(narrowed), []);
  const { schema } = definitionFromCrd(narrowed).versions[0]!;
  const widget = (metadata: JsonObject) => ({ apiVersion: 'example.com/v1', kind: 'Widget', metadata });
  assert.deepEqual(validateValue(schema, widget({ name: 'abc' })), []);
  assert.deepEqual(
    validateValue(schema, widget({ name: 'abcd' })).map((error) => error.field),
    ['metadata.name'],
  );
  assert.deepEqual(
    validateValue(schema, widget({ labels: { a: 1 } })).map((error) => error.field),
    ['metadata.labels.a'],
  );
});

test('a CRD that goes serves its instances without create', () => {
  const object = created((o) => {
    specOf(o).versions[0]!['served'] = false;
    o.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
  });
  const { versions, isTerminating } = definitionFromCrd(object);
  assert.equal(versions[0]?.served, true);
  assert.equal(isTerminating, true);
});

const fixtures = path.resolve(import.meta.dirname, '../../../../shared/fixtures/gateway-api');

test('the Gateway API CRDs are valid and define what they say', {
  skip: existsSync(fixtures) ? false : 'fixtures gateway-api are not here',
}, () => {
  let count = 0;
  for (const file of readdirSync(fixtures)) {
    // The file of admission policies holds several documents.
    if (file.includes('_vap_')) continue;
    const object = decodeYaml(readFileSync(path.join(fixtures, file))).value as KubeObject;
    if (object.kind !== 'CustomResourceDefinition') continue;
    count++;
    strategy.defaults?.(object, 'v1');
    strategy.prepareForCreate?.(object);
    assert.deepEqual(errorsOf(object), [], file);
    const definition = definitionFromCrd(object);
    assert.equal(`${definition.resource}.${definition.group}`, object.metadata.name);
    for (const version of definition.versions) {
      const sample: KubeObject = {
        apiVersion: `${definition.group}/${version.version}`,
        kind: definition.kind,
        metadata: { name: 'x' },
        spec: {},
      };
      applyDefaults(version.schema, sample);
      validateValue(version.schema, sample);
      assert.equal(version.columns.length > 1, true);
    }
  }
  assert.equal(count >= 10, true);
});
