import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { ManagedFieldsEntry } from '#apimachinery/object.ts';
import { parseTime } from '#apimachinery/rfc3339.ts';
import { decodeFieldSet, emptySet, type FieldSet, isEmptySet, sorted, union } from './field-set.ts';
import { isInOrder } from './field-shapes.ts';

/** One managedFields entry, decoded. Immutable. */
export interface Manager {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  /** RFC 3339 in whole seconds; undefined when the entry has none. */
  readonly time: string | undefined;
  readonly fields: FieldSet;
  /** The entry that this came from and still equals, so that writing it back costs nothing. */
  readonly entry: ManagedFieldsEntry | undefined;
}

/** KUBERNETES.md P4. */
const updateManagersMax = 10;
const ancientChanges = 'ancient-changes';

/** Writing `[]` or `[{}]` asks for the object to become untracked (KUBERNETES.md P4). */
export function isReset(entries: JsonValue | undefined): boolean {
  if (!Array.isArray(entries)) return false;
  if (entries.length === 0) return true;
  const [first] = entries;
  return entries.length === 1 && isJsonObject(first) && Object.keys(first).length === 0;
}

/**
 * Decodes managedFields, or undefined when one entry is malformed: then all of them count for nothing, as upstream has
 * it. `trusted` entries were written by this server and are taken as they are.
 */
export function decodeManagers(
  entries: JsonValue | undefined,
  trusted: boolean,
): readonly Manager[] | undefined {
  if (entries === undefined || entries === null) return [];
  if (!Array.isArray(entries)) return undefined;
  const managers: Manager[] = [];
  for (const entry of entries) {
    const manager = decodeManager(entry, trusted);
    if (manager === undefined) return undefined;
    const at = managers.findIndex((other) => sameManager(other, manager));
    if (at < 0) managers.push(manager);
    else managers[at] = manager;
  }
  return managers;
}

function decodeManager(value: JsonValue, trusted: boolean): Manager | undefined {
  if (!isJsonObject(value)) return undefined;
  const { manager = '', operation, apiVersion, subresource = '', time, fieldsType, fieldsV1 } = value;
  if (operation !== 'Apply' && operation !== 'Update') return undefined;
  if (typeof apiVersion !== 'string' || apiVersion === '' || fieldsType !== 'FieldsV1') return undefined;
  if (typeof manager !== 'string' || typeof subresource !== 'string') return undefined;
  if (time !== undefined && time !== null && typeof time !== 'string') return undefined;
  const fields = trusted && isJsonObject(fieldsV1) ? (fieldsV1 as FieldSet) : decodeFieldSet(fieldsV1 ?? {});
  if (fields === undefined) return undefined;
  return {
    manager,
    operation,
    apiVersion,
    subresource,
    time: time ?? undefined,
    fields,
    entry: fields === fieldsV1 && time !== null ? (value as ManagedFieldsEntry) : undefined,
  };
}

/** An applier is one whatever version it applies; updaters are one per version (KUBERNETES.md P4). */
export function sameManager(a: Manager, b: Manager): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion)
  );
}

export function withFields(manager: Manager, fields: FieldSet): Manager {
  return fields === manager.fields ? manager : { ...manager, fields, entry: undefined };
}

/** The entries in the order in which Kubernetes writes them; managers without fields are left out. */
export function encodeManagers(managers: readonly Manager[]): ManagedFieldsEntry[] {
  const kept = managers.filter((one) => !isEmptySet(one.fields));
  if (kept.length > 1) kept.sort(compareManagers);
  return kept.map((one) => one.entry ?? encodeManager(one));
}

function encodeManager(manager: Manager): ManagedFieldsEntry {
  const entry: ManagedFieldsEntry = {};
  if (manager.manager !== '') entry.manager = manager.manager;
  entry.operation = manager.operation;
  entry.apiVersion = manager.apiVersion;
  if (manager.time !== undefined) entry.time = manager.time;
  entry.fieldsType = 'FieldsV1';
  entry.fieldsV1 = sorted(manager.fields, isInOrder) as JsonObject;
  if (manager.subresource !== '') entry.subresource = manager.subresource;
  return entry;
}

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function compareManagers(a: Manager, b: Manager): number {
  return (
    compareText(a.operation, b.operation) ||
    seconds(a) - seconds(b) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
}

function seconds(manager: Manager): number {
  if (manager.time === undefined) return 0;
  return Math.floor((parseTime(manager.time) ?? 0) / 1000);
}

/**
 * Keeps ten updaters: the oldest of a version are merged into `ancient-changes`, which bears the time of the youngest
 * merged into it (KUBERNETES.md P4).
 */
export function capUpdateManagers(managers: readonly Manager[]): readonly Manager[] {
  const updaters = managers.filter((one) => one.operation === 'Update' && !isEmptySet(one.fields));
  let excess = updaters.length - updateManagersMax;
  if (excess <= 0) return managers;
  updaters.sort((a, b) => seconds(a) - seconds(b) || compareText(identity(a), identity(b)));
  let result = [...managers];
  const oldestOf = new Map<string, Manager>();
  for (const updater of updaters) {
    if (excess <= 0) break;
    const oldest = oldestOf.get(updater.apiVersion);
    if (oldest === undefined) {
      oldestOf.set(updater.apiVersion, updater);
      continue;
    }
    const bucket: Manager = {
      manager: ancientChanges,
      operation: 'Update',
      apiVersion: updater.apiVersion,
      subresource: '',
      time: updater.time,
      fields: emptySet,
      entry: undefined,
    };
    const standing = result.find((one) => sameManager(one, bucket)) ?? oldest;
    const merged = { ...bucket, fields: union(updater.fields, standing.fields) };
    result = result.filter((one) => one !== updater && one !== standing);
    result.push(merged);
    oldestOf.set(updater.apiVersion, merged);
    excess--;
  }
  return result;
}

/** What tells managers apart, as text: upstream orders equal times by it. */
export function identity(manager: Manager): string {
  return JSON.stringify({
    manager: manager.manager,
    operation: manager.operation,
    ...(manager.operation === 'Apply' ? {} : { apiVersion: manager.apiVersion }),
    ...(manager.subresource === '' ? {} : { subresource: manager.subresource }),
  });
}
