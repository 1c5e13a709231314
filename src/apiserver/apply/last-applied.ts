import { canonicalJson } from '#apimachinery/canonical-json.ts';
import { decodeJsonText } from '#apimachinery/decode-json.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { appliedFields, checkConfig } from './applied-config.ts';
import type { ApplyType } from './apply-type.ts';
import { compareObjects } from './compare.ts';
import { difference, emptySet, type FieldSet } from './field-set.ts';
import { escapeHtml } from './path-element.ts';

export const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';

/** KUBERNETES.md O4: all annotations of an object together. */
const annotationBytesMax = 256 * 1024;

/** The only manager that upgrades from client-side apply (KUBERNETES.md P7). */
export const upgradingManager = 'kubectl';

/**
 * What client-side apply owned: the fields of the last-applied annotation that still are in `live` as they were
 * applied. The first server-side apply by kubectl may take these from whoever holds them (KUBERNETES.md P7). Nothing when
 * the annotation is not one that the schema allows (managedfields lastAppliedManager).
 */
export function lastAppliedFields(type: ApplyType, live: KubeObject, apiVersion: string): FieldSet {
  const config = parseConfig(live.metadata.annotations?.[lastAppliedAnnotation]);
  if (config === undefined || config.apiVersion !== apiVersion) return emptySet;
  if (checkConfig(type, config).length > 0) return emptySet;
  const changed = compareObjects(type, config, live);
  let fields = appliedFields(type, config);
  for (const set of [changed.modified, changed.added, changed.removed]) fields = difference(fields, set);
  return fields;
}

function parseConfig(text: string | undefined): KubeObject | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    const value = decodeJsonText(text);
    if (!isJsonObject(value) || typeof value['apiVersion'] !== 'string') return undefined;
    const metadata = isJsonObject(value['metadata']) ? value['metadata'] : {};
    return { ...value, metadata } as KubeObject;
  } catch {
    return undefined;
  }
}

/**
 * The annotations with the last-applied one brought up to date, so that going back to client-side apply works; without
 * it when all annotations would become too large. Undefined when there is none to update.
 */
export function updatedLastApplied(
  annotations: { readonly [key: string]: string } | undefined,
  applied: JsonObject,
): { [key: string]: string } | undefined {
  const standing = annotations?.[lastAppliedAnnotation];
  if (annotations === undefined || standing === undefined || standing === '') return undefined;
  const updated: { [key: string]: string } = {
    ...annotations,
    [lastAppliedAnnotation]: `${escapeHtml(canonicalJson(withoutItself(applied)))}\n`,
  };
  let bytes = 0;
  for (const key in updated) bytes += Buffer.byteLength(key) + Buffer.byteLength(updated[key] as string);
  if (bytes > annotationBytesMax) delete updated[lastAppliedAnnotation];
  return updated;
}

function withoutItself(applied: JsonObject): JsonObject {
  const metadata = applied['metadata'];
  if (!isJsonObject(metadata) || !isJsonObject(metadata['annotations'])) return applied;
  const { [lastAppliedAnnotation]: _, ...annotations } = metadata['annotations'];
  return { ...applied, metadata: { ...metadata, annotations } };
}
