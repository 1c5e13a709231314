import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import { cloneJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import { builtinDefinitions } from '../definitions.ts';
import { vectors } from '../testing/vectors.ts';

interface Row {
  readonly from: KubeObject;
  readonly to: string;
  readonly result: JsonObject;
}

function definitionOf(apiVersion: string, kind: string) {
  const { group, version } = parseApiVersion(apiVersion)!;
  const definition = builtinDefinitions().find((one) => one.group === group && one.kind === kind)!;
  const found = definition.versions.find((one) => one.version === version)!;
  return { definition, version: found, group };
}

/** As the registry does: to the storage version and from there to the one asked for. */
function convert(object: KubeObject, to: string): KubeObject {
  const source = definitionOf(object.apiVersion, object.kind);
  const target = definitionOf(to, object.kind);
  const { group } = source.definition.storedAs;
  const stored: ResourceVersion['toStorage'] = source.version.toStorage;
  const storageVersion = `${group === '' ? '' : `${group}/`}${source.definition.storageVersion}`;
  const inStorage = stored === undefined ? { ...object, apiVersion: storageVersion } : stored(object);
  const back = target.version.fromStorage;
  return back === undefined ? { ...inStorage, apiVersion: to } : back(inStorage);
}

/** Without what says nothing; annotations that carry JSON are compared by what they say. */
function plain(value: JsonValue | undefined): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((one) => plain(one) ?? null);
  if (!isJsonObject(value)) return value ?? undefined;
  const kept: JsonObject = {};
  for (const key in value) {
    const text = value[key];
    const isCarried = key.startsWith('autoscaling.alpha.kubernetes.io/') && typeof text === 'string';
    const one = plain(isCarried ? (JSON.parse(text) as JsonValue) : text);
    if (
      one === undefined ||
      one === '' ||
      (typeof one === 'object' && Object.keys(one as object).length === 0)
    )
      continue;
    kept[key] = one;
  }
  return kept;
}

/** An object's status is its controllers' to complete: its zeros say nothing. */
function comparable(object: JsonObject): JsonValue | undefined {
  const copy = cloneJson(object);
  const { status } = copy;
  if (isJsonObject(status)) for (const key in status) if (status[key] === 0) delete status[key];
  return plain(copy);
}

test('versions are converted as Kubernetes does', () => {
  const rows = vectors<Row>('conversion.jsonl');
  assert.ok(rows.length > 40);
  for (const { from, to, result } of rows) {
    const object = cloneJson(from as JsonObject) as KubeObject;
    const { definition, version } = definitionOf(object.apiVersion, object.kind);
    definition.strategy.defaults?.(object, version.version);
    const before = cloneJson(object as JsonObject);
    const converted = convert(object, to);
    assert.deepEqual(comparable(converted), comparable(result), `${JSON.stringify(from)} to ${to}`);
    assert.deepEqual(object, before, 'a conversion leaves its argument as it was');
  }
});

/** autoscaling/v1 has a field for the first cpu metric: it comes back as the last one. */
function sortMetrics(object: JsonObject): void {
  const metrics = isJsonObject(object['spec']) ? object['spec']['metrics'] : undefined;
  if (!Array.isArray(metrics)) return;
  const keyed = metrics.map((one): [string, JsonValue] => [JSON.stringify(sorted(one)), one]);
  keyed.sort(([a], [b]) => (a < b ? -1 : 1));
  metrics.splice(0, metrics.length, ...keyed.map(([, one]) => one));
}

function sorted(value: JsonValue | undefined): JsonValue | undefined {
  if (!isJsonObject(value)) return value;
  const copy: JsonObject = {};
  for (const key of Object.keys(value).sort()) copy[key] = sorted(value[key]);
  return copy;
}

test('a way through another version and back loses nothing', () => {
  for (const { from, to } of vectors<Row>('conversion.jsonl')) {
    const object = cloneJson(from as JsonObject) as KubeObject;
    const { definition, version } = definitionOf(object.apiVersion, object.kind);
    definition.strategy.defaults?.(object, version.version);
    // An autoscaler without any metric becomes one with the default metric, in Kubernetes too.
    if (object.apiVersion.startsWith('autoscaling/') && !JSON.stringify(object).includes('tilization'))
      continue;
    const there = convert(object, to);
    const back = convert(there, object.apiVersion);
    for (const one of [back, object]) sortMetrics(one);
    assert.deepEqual(plain(back['spec']), plain(object['spec']), JSON.stringify(from));
  }
});

test('a carried annotation that nests deeper than any object may is dropped', () => {
  const deep = `{"scaleUp":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
  const carrying: KubeObject = {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'a', annotations: { 'autoscaling.alpha.kubernetes.io/behavior': deep } },
    spec: { maxReplicas: 1, scaleTargetRef: { kind: 'Deployment', name: 'a' } },
  };
  const { spec } = convert(carrying, 'autoscaling/v2');
  assert.equal(JSON.stringify((spec as JsonObject)['behavior'] ?? {}), '{}');
});
