import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { clusterTaintPolicyDefinition } from '#api/policy/cluster-taint-policy.ts';
import { inheritedDefinitions, projectDefinitions } from '#api/policy/definitions.ts';
import { schedulingProfileDefinition } from '#api/policy/scheduling-profile.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';

/** Written by the scheduler alone: a person's fields there are no policy. */
const ownKinds = new Set(['ResourceBinding', 'ClusterResourceBinding', 'TemplateRevision']);
const definitions = [
  ...projectDefinitions(),
  ...inheritedDefinitions(),
  clusterTaintPolicyDefinition,
  schedulingProfileDefinition,
].filter(({ kind }) => !ownKinds.has(kind));

/** A field of a spec: its path with `[]` for items, and a value of it with all that is above. */
interface Field {
  readonly path: string;
  readonly name: string;
  readonly object: KubeObject;
}

function fieldsOf({ kind, versions }: ResourceDefinition): Field[] {
  const fields: Field[] = [];
  const walk = (schema: Schema, at: string, around: (value: JsonValue) => JsonValue): void => {
    for (const [name, child] of schema.properties ?? []) {
      const within = (value: JsonValue): JsonValue => around({ [name]: value });
      const here = `${at}.${name}`;
      const object = { apiVersion: 'x/v1', kind, metadata: { name: 'x' }, spec: within(sampleOf(child)) };
      fields.push({ path: here, name, object });
      if (child.items !== undefined) walk(child.items, `${here}[]`, (value) => within([value]));
      walk(child, here, within);
    }
  };
  const spec = versions[0]?.schema.properties?.get('spec');
  if (spec !== undefined) walk(spec, 'spec', (value) => value);
  return fields;
}

function sampleOf(schema: Schema): JsonValue {
  const first = schema.validation?.enum?.find((value) => value !== '');
  if (first !== undefined) return first;
  switch (schema.type) {
    case 'boolean':
      return true;
    case 'integer':
    case 'number':
      return 1;
    case 'array':
      return [schema.items === undefined ? 'x' : sampleOf(schema.items)];
    case 'object': {
      if (schema.additionalProperties !== undefined) return { x: 'x' };
      const properties = [...(schema.properties ?? [])];
      const needed = properties.filter(([name]) => schema.required?.includes(name) === true);
      const some = needed.length > 0 ? needed : properties.slice(0, 1);
      return Object.fromEntries(some.map(([name, child]) => [name, sampleOf(child)]));
    }
    default:
      return 'x';
  }
}

/** The code that acts on policies, without schemas, types and validation. */
async function actingCode(): Promise<string> {
  const folders = ['src/scheduler', 'src/apimachinery', 'src/federator'];
  const files: string[] = [];
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const isCode = entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts');
      if (isCode && !entry.parentPath.includes('testing'))
        files.push(path.join(entry.parentPath, entry.name));
    }
  }
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return texts.join('\n').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
}

test('every field of every policy is acted on, or refused by its path', async () => {
  const code = await actingCode();
  const silent: string[] = [];
  let acted = 0;
  let refused = 0;
  for (const definition of definitions) {
    const { kind, strategy } = definition;
    for (const { path: field, name, object } of fieldsOf(definition)) {
      if (new RegExp(`\\b${name}\\b`).test(code)) {
        acted++;
        continue;
      }
      const errors = strategy.validate?.(object) ?? [];
      const pattern = field.replaceAll('[]', '[0]');
      if (errors.some((error) => error.field.startsWith(pattern))) refused++;
      else silent.push(`${kind} ${field}`);
    }
  }
  assert.deepEqual(silent, []);
  assert.ok(acted > 200 && refused > 0, `the test must see the fields: ${acted} and ${refused}`);
});

/** As sigs.k8s.io/yaml, which kubectl reads manifests with, has it of YAML 1.1. */
const yamlBooleans = /^(y|n|yes|no|on|off|true|false)$/i;

test('no field of a policy is a word that kubectl takes for true or false', () => {
  const taken = definitions.flatMap((definition) =>
    fieldsOf(definition).flatMap(({ path: at, name }) =>
      yamlBooleans.test(name) ? [`${definition.kind} ${at}`] : [],
    ),
  );
  // The former name of `triggers`.
  assert.deepEqual(
    taken.filter((at) => !at.endsWith(' spec.reschedule.on')),
    [],
  );
});
