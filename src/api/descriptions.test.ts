import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';

/** What Kubernetes defines: its texts stand in tables of their own. */
const notOurs = new Set(['builtin', 'apiextensions']);

async function ownDefinitions(): Promise<ResourceDefinition[]> {
  const found = new Set<ResourceDefinition>();
  for (const folder of await readdir(import.meta.dirname, { withFileTypes: true })) {
    if (!folder.isDirectory() || notOurs.has(folder.name)) continue;
    const files = await readdir(`${import.meta.dirname}/${folder.name}`);
    for (const file of files) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
      const exported: unknown = await import(`./${folder.name}/${file}`);
      for (const one of Object.values(exported as object)) if (isDefinition(one)) found.add(one);
    }
  }
  return [...found];
}

function isDefinition(value: unknown): value is ResourceDefinition {
  return typeof value === 'object' && value !== null && 'storedAs' in value && 'versions' in value;
}

/** Fields that every object has, told by the server itself. */
const common = new Set(['apiVersion', 'kind', 'metadata']);

function undescribed(schema: Schema, at: string, isTop = false): string[] {
  const missing: string[] = [];
  for (const [name, field] of schema.properties ?? []) {
    if (isTop && common.has(name)) continue;
    const path = `${at}.${name}`;
    if ((field.description ?? '') === '') missing.push(path);
    missing.push(...undescribed(field, path));
  }
  if (schema.items !== undefined) missing.push(...undescribed(schema.items, `${at}[]`));
  if (schema.additionalProperties !== undefined)
    missing.push(...undescribed(schema.additionalProperties, `${at}{}`));
  return missing;
}

test('every field of the kinds of our own says what it is for (kubectl explain)', async () => {
  const definitions = await ownDefinitions();
  assert.ok(definitions.length >= 20, `${definitions.length} kinds were found`);
  const missing = definitions.flatMap(({ kind, versions }) =>
    versions.flatMap(({ schema }) => undescribed(schema, kind, true)),
  );
  assert.deepEqual([...new Set(missing)], []);
});
