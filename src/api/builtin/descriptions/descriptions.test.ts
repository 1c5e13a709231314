import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { builtinSchema } from '../builtin-schema.ts';
import { builtinDefinitionNames, catalogueType } from '../catalogue-types.ts';
import { readDescriptions } from './description-table.ts';
import { definitionText, describedNames, fieldText } from './descriptions.ts';

describe('descriptions of built-in types (D5)', () => {
  test('every type and every field of the catalogue has one', () => {
    const missing: string[] = [];
    for (const name of builtinDefinitionNames()) {
      if (definitionText(name) === undefined) missing.push(name);
      for (const field of Object.keys(catalogueType(name.slice('io.k8s.'.length))?.p ?? {})) {
        if (fieldText(name, field) === undefined) missing.push(`${name} ${field}`);
      }
    }
    assert.deepEqual(missing, []);
  });

  test('what is described exists', () => {
    const known = new Map<string, Set<string>>();
    for (const name of builtinDefinitionNames()) {
      const plain = name.replace(/\.v\d+(?:(?:alpha|beta)\d+)?\.(?=[^.]+$)/, '.');
      const fields = known.get(plain) ?? new Set();
      for (const field of Object.keys(catalogueType(name.slice('io.k8s.'.length))?.p ?? {}))
        fields.add(field);
      known.set(plain, fields);
    }
    const stray: string[] = [];
    for (const { definition, fields } of describedNames()) {
      const there = known.get(definition);
      if (there === undefined) stray.push(definition);
      for (const field of fields) if (there?.has(field) === false) stray.push(`${definition} ${field}`);
    }
    assert.deepEqual(stray, []);
  });

  test('versions share what they have in common; a list says what it lists', () => {
    const rows: [string, string | undefined, RegExp | undefined][] = [
      ['io.k8s.api.apps.v1.Deployment', undefined, /interchangeable pods/],
      ['io.k8s.api.apps.v1.DeploymentList', undefined, /^A list of Deployment\.$/],
      ['io.k8s.api.apps.v1.DeploymentSpec', 'replicas', /Default 1/],
      ['io.k8s.api.core.v1.PodCondition', 'status', /^True, False or Unknown\.$/],
      ['io.k8s.api.core.v1.NFSVolumeSource', 'readOnly', /read-only/],
      ['io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerSpec', 'maxReplicas', /most/],
      ['io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec', 'maxReplicas', /most/],
      ['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta', 'uid', /Set by the server/],
      ['io.k8s.api.apps.v1.Absent', undefined, undefined],
      ['com.example.v1.Deployment', 'constructor', undefined],
      ['io.k8s.api.apps.v1.Deployment', 'constructor', undefined],
    ];
    for (const [definition, field, expected] of rows) {
      const text = field === undefined ? definitionText(definition) : fieldText(definition, field);
      if (expected === undefined) assert.equal(text, undefined, definition);
      else assert.match(text ?? '', expected, definition);
    }
    assert.ok(builtinSchema('io.k8s.api.apps.v1.Deployment') !== undefined);
  });

  test('a table that cannot be read says where', () => {
    for (const table of ['Pod', '  spec: a field alone', 'Pod: a\nPod: b', 'Pod: a\n  spec: a\n  spec: b']) {
      assert.throws(
        () => readDescriptions(table),
        /not a description|described twice|without a type, or twice/,
      );
    }
  });
});
