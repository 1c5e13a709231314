import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FieldError, invalid } from '#apimachinery/field-error.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import { cloneJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { dns1123Subdomain } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, ResourceVersion } from '#apimachinery/resource-definition.ts';
import { validateValue } from '#apimachinery/schema-walk/validate.ts';
import { builtinDefinitions } from './definitions.ts';
import { variant, vectors } from './testing/vectors.ts';

interface Served {
  readonly definition: ResourceDefinition;
  readonly version: ResourceVersion;
}

function servedOf({ apiVersion, kind }: KubeObject): Served {
  const { group, version } = parseApiVersion(apiVersion)!;
  const definition = builtinDefinitions().find(
    (one) => one.group === group && one.kind === kind && one.virtual !== true,
  )!;
  return { definition, version: definition.versions.find((one) => one.version === version)! };
}

function created(object: KubeObject): KubeObject {
  const { definition, version } = servedOf(object);
  definition.strategy.defaults?.(object, version.version);
  object.metadata.uid = '8f0a3d52-6a5b-4f0e-9d43-1c2f5c6b7a80';
  definition.strategy.prepareForCreate?.(object);
  definition.strategy.completeNew?.(object);
  return object;
}

function updated(object: KubeObject, old: KubeObject): KubeObject {
  const { definition, version } = servedOf(object);
  definition.strategy.defaults?.(object, version.version);
  object.metadata.uid ??= old.metadata.uid;
  definition.strategy.prepareForUpdate?.(object, old, '');
  return object;
}

function errorsOf(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { definition, version } = servedOf(object);
  const { strategy } = definition;
  const name = object.metadata.name ?? '';
  return [
    ...(strategy.validateName ?? dns1123Subdomain)(name).map((why) => invalid('metadata.name', name, why)),
    ...validateValue(version.schema, object),
    ...(old === undefined
      ? (strategy.validate?.(object) ?? [])
      : (strategy.validateUpdate?.(object, old, '') ?? [])),
  ];
}

/** `reason field: message` of each, once. */
function told(errors: readonly FieldError[]): Set<string> {
  return new Set(errors.map(({ type, field, message }) => `${type} ${field}: ${message}`));
}

interface RuleRow {
  readonly base: string;
  readonly update?: true;
  readonly set: JsonObject;
  /** `reason field`, with `: message` where that does not show Go's own form of a value. */
  readonly errors: readonly string[];
}

test('what Kubernetes refuses is refused with its reasons, and nothing else is (C11)', () => {
  const rows = vectors<RuleRow>('rules.jsonl');
  assert.ok(rows.length > 300);
  for (const row of rows) {
    const where = `${row.update ? 'update' : 'create'} ${row.base} ${JSON.stringify(row.set)}`;
    const object = variant(row.base, row.set) as KubeObject;
    let old: KubeObject | undefined;
    if (row.update) {
      old = variant(row.base, {}) as KubeObject;
      servedOf(old).definition.strategy.defaults?.(old, servedOf(old).version.version);
      old.metadata.uid = 'u';
      updated(object, old);
    } else created(object);
    const found = told(errorsOf(object, old));
    const unexpected = new Set(found);
    for (const expected of row.errors) {
      const matches = [...found].filter((one) => one === expected || one.startsWith(`${expected}: `));
      assert.ok(matches.length > 0, `${where}: lacks ${expected}; has ${[...found].join('; ')}`);
      for (const one of matches) unexpected.delete(one);
    }
    assert.deepEqual([...unexpected], [], where);
  }
});

interface DefaultsRow {
  readonly base: string;
  readonly set: JsonObject;
  readonly object: JsonObject;
}

/** What says nothing is left out, and generated identities are made alike. */
function plain(value: JsonValue | undefined): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((one) => plain(one) ?? null);
  if (!isJsonObject(value)) return value ?? undefined;
  const kept: JsonObject = {};
  for (const key of Object.keys(value).sort()) {
    const one = plain(value[key]);
    if (one === undefined || (typeof one === 'object' && Object.keys(one as object).length === 0)) continue;
    kept[key] = /(^|\/)controller-uid$/.test(key) ? 'uid' : one;
  }
  return kept;
}

function comparable(object: JsonObject): JsonValue | undefined {
  const { status: _status, ...rest } = cloneJson(object);
  const { uid: _uid, namespace: _namespace, annotations, ...metadata } = rest['metadata'] as JsonObject;
  // Kubernetes keeps a count of its own that only DaemonSets of 2017 were read by.
  const kept = { ...(annotations as JsonObject | undefined) };
  delete kept['deprecated.daemonset.template.generation'];
  return plain({ ...rest, metadata: { ...metadata, annotations: kept } });
}

test('a new object is completed as Kubernetes does (C11)', () => {
  const rows = vectors<DefaultsRow>('defaults.jsonl');
  assert.ok(rows.length > 60);
  for (const { base, set, object } of rows) {
    let made = created(variant(base, set) as KubeObject);
    const { version } = servedOf(made);
    if (version.toStorage !== undefined) made = version.fromStorage!(version.toStorage(made));
    assert.deepEqual(comparable(made), comparable(object), `${base} ${JSON.stringify(set)}`);
  }
});

test('defaulting what has been defaulted changes nothing', () => {
  for (const { base, set } of vectors<DefaultsRow>('defaults.jsonl')) {
    const object = created(variant(base, set) as KubeObject);
    const once = cloneJson(object as JsonObject);
    const { definition, version } = servedOf(object);
    definition.strategy.defaults?.(object, version.version);
    assert.deepEqual(object, once, base);
  }
});
