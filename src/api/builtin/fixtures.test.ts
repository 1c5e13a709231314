import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import { cloneJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { validateValue } from '#apimachinery/schema-walk/validate.ts';
import { builtinDefinitions } from './definitions.ts';

const fixtures = fileURLToPath(new URL('../../../../shared/fixtures/online-boutique', import.meta.url));

function documents(): KubeObject[] {
  const objects: KubeObject[] = [];
  for (const file of readdirSync(fixtures)
    .filter((name) => name.endsWith('.yaml'))
    .sort()) {
    for (const document of parseAllDocuments(readFileSync(`${fixtures}/${file}`, 'utf8'), {
      version: '1.1',
    })) {
      const object = document.toJS() as KubeObject | null;
      if (object !== null && object.kind !== 'Kustomization') objects.push(object);
    }
  }
  return objects;
}

test('public manifests are defaulted and valid, and defaulting again changes nothing', {
  skip: existsSync(fixtures) ? false : 'needs ../shared/fixtures/online-boutique beside the repository',
}, () => {
  const objects = documents();
  assert.ok(objects.length > 20);
  for (const object of objects) {
    const where = `${object.kind} ${object.metadata.name}`;
    const { group, version } = parseApiVersion(object.apiVersion)!;
    const definition = builtinDefinitions().find((one) => one.group === group && one.kind === object.kind);
    assert.ok(definition, where);
    const { schema } = definition.versions.find((one) => one.version === version)!;
    object.metadata.namespace = 'shop';
    definition.strategy.defaults?.(object, version);
    const once: JsonObject = cloneJson(object);
    definition.strategy.defaults?.(object, version);
    assert.deepEqual(object, once, where);
    definition.strategy.prepareForCreate?.(object);
    assert.deepEqual(validateValue(schema, object), [], where);
    assert.deepEqual(definition.strategy.validate?.(object) ?? [], [], where);
    assert.deepEqual(definition.strategy.validateUpdate?.(object, once as KubeObject, '') ?? [], [], where);
  }
});
