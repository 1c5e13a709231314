import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { type ApplyType, elementPath, formFor, memberPath, memberType } from './apply-type.ts';
import { emptySet, type FieldSet, type FieldSetDraft, leaf } from './field-set.ts';
import { type PathElement, self, sortElements } from './path-element.ts';

/** What differs between two objects, as field sets; each may be empty. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** Never managed, whoever writes them (KUBERNETES.md P4). */
const unmanagedRoots = new Set(['apiVersion', 'kind']);
const unmanagedMetadata = new Set([
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'generation',
  'resourceVersion',
  'managedFields',
]);

export function isUnmanaged(atRoot: boolean, name: string): boolean {
  return (atRoot ? unmanagedRoots : unmanagedMetadata).has(name);
}

/** Where in the object a walk stands: root and metadata leave members out, empty structs decide about `.`. */
type Place = 'root' | 'metadata' | 'inside';

function placeOf(parent: Place, name: string): Place {
  return parent === 'root' && name === 'metadata' ? 'metadata' : 'inside';
}

function skips(place: Place, name: string): boolean {
  return place !== 'inside' && isUnmanaged(place === 'root', name);
}

/** `value` and all that is in it: every container counts itself (`.`), an empty one is a leaf. */
function allFields(type: ApplyType | undefined, value: JsonValue): FieldSet {
  if (typeof value !== 'object' || value === null || type === undefined) return leaf;
  const form = formFor(type, value);
  if (form === 'leaf') return leaf;
  const set =
    form === 'list'
      ? listFields(type, value as JsonValue[], true)
      : mapFields(type, value as JsonObject, true);
  return set ?? leaf;
}

function mapFields(type: ApplyType, value: JsonObject, member: boolean): FieldSet | undefined {
  const result: FieldSetDraft = {};
  let count = 0;
  if (member) result[self] = leaf;
  const fields = type.fields;
  for (const name of sortedNames(value)) {
    const child = value[name];
    if (child === undefined) continue;
    const field = fields?.get(name);
    const childType = field?.type ?? memberType(type, name);
    if (isAbsent(childType, child)) continue;
    result[field?.path ?? memberPath(type, name)] = allFields(childType, child);
    count++;
  }
  return count === 0 ? undefined : result;
}

function listFields(type: ApplyType, value: readonly JsonValue[], member: boolean): FieldSet | undefined {
  const found: FieldSetDraft = {};
  const order: PathElement[] = [];
  for (const item of value) {
    const at = elementPath(type, item);
    if ('error' in at) continue;
    if (found[at.path] !== undefined) {
      // Duplicates have no members of their own.
      found[at.path] = leaf;
      continue;
    }
    found[at.path] = allFields(type.element, item);
    order.push(at.path);
  }
  if (order.length === 0) return undefined;
  const result: FieldSetDraft = {};
  if (member) result[self] = leaf;
  for (const path of sortElements(order)) result[path] = found[path] as FieldSet;
  return result;
}

/** Typed kinds know no null: what is not nullable is simply not there. */
function isAbsent(type: ApplyType | undefined, value: JsonValue): boolean {
  return value === null && type !== undefined && type.schema !== undefined && type.schema.nullable !== true;
}

function sortedNames(value: JsonObject): string[] {
  const names = Object.keys(value);
  for (let i = 1; i < names.length; i++) {
    if ((names[i - 1] as string) > (names[i] as string)) return names.sort();
  }
  return names;
}

interface Differences {
  /** Whether a null stands for itself, as in a merge with an applied configuration, or for nothing. */
  readonly nullIsValue: boolean;
  added: FieldSetDraft | undefined;
  modified: FieldSetDraft | undefined;
  removed: FieldSetDraft | undefined;
}

/**
 * Compares two objects of one kind, leaving out what is never managed. Identical subtrees cost one comparison. Fields
 * that are not nullable count as absent when null, unless `nullIsValue`: an applied null claims its field.
 */
export function compareObjects(
  type: ApplyType,
  before: KubeObject,
  after: KubeObject,
  nullIsValue = false,
): Comparison {
  const found: Differences = { nullIsValue, added: undefined, modified: undefined, removed: undefined };
  compareMaps(type, before, after, 'root', found);
  return {
    added: found.added ?? emptySet,
    modified: found.modified ?? emptySet,
    removed: found.removed ?? emptySet,
  };
}

export function isSame(comparison: Comparison): boolean {
  return comparison.added === emptySet && comparison.modified === emptySet && comparison.removed === emptySet;
}

function compareMaps(
  type: ApplyType,
  before: JsonObject,
  after: JsonObject,
  place: Place,
  out: Differences,
): void {
  for (const name in after) {
    const now = after[name];
    const was = Object.hasOwn(before, name) ? before[name] : undefined;
    if (now === was || now === undefined || skips(place, name)) continue;
    compareMember(type, name, was, now, placeOf(place, name), out);
  }
  for (const name in before) {
    if (before[name] === undefined || skips(place, name)) continue;
    if (after[name] !== undefined && Object.hasOwn(after, name)) continue;
    compareMember(type, name, before[name], undefined, 'inside', out);
  }
}

function compareMember(
  type: ApplyType,
  name: string,
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  place: Place,
  out: Differences,
): void {
  const child = memberType(type, name);
  const absent = (value: JsonValue | undefined) =>
    value === null && !out.nullIsValue && isAbsent(child, value);
  const was = absent(before) ? undefined : before;
  const now = absent(after) ? undefined : after;
  comparePath(memberPath(type, name), child, was, now, place, out);
}

function comparePath(
  path: PathElement,
  type: ApplyType | undefined,
  was: JsonValue | undefined,
  now: JsonValue | undefined,
  place: Place,
  out: Differences,
): void {
  if (was === now) return;
  if (was === undefined) {
    out.added ??= {};
    out.added[path] = allFields(type, now as JsonValue);
  } else if (now === undefined) {
    out.removed ??= {};
    out.removed[path] = allFields(type, was);
  } else compareBoth(path, type, was, now, place, out);
}

function compareBoth(
  path: PathElement,
  type: ApplyType | undefined,
  was: JsonValue,
  now: JsonValue,
  place: Place,
  out: Differences,
): void {
  const formWas = type === undefined ? 'leaf' : formFor(type, was);
  const formNow = type === undefined ? 'leaf' : formFor(type, now);
  if (was === null && holdsMembers(formNow, now)) {
    compareBoth(path, type, emptyOf(formNow), now, place, out);
    return;
  }
  if (now === null && holdsMembers(formWas, was)) {
    compareBoth(path, type, was, emptyOf(formWas), place, out);
    return;
  }
  if (formWas === 'leaf' && formNow === 'leaf') {
    if (!equalJson(was, now)) setWhole('modified', path, out);
    return;
  }
  if (type === undefined) return;
  const nested: Differences = {
    nullIsValue: out.nullIsValue,
    added: undefined,
    modified: undefined,
    removed: undefined,
  };
  if (formWas === 'map' && formNow === 'map') {
    compareMaps(type, was as JsonObject, now as JsonObject, place, nested);
  } else if (formWas === 'list' && formNow === 'list') {
    compareLists(type, was as JsonValue[], now as JsonValue[], nested);
  } else {
    // The value changed its form: the whole changed, and the old or new members go or come with it.
    setWhole('modified', path, out);
    if (formWas !== 'leaf') nested.removed = membersOf(type, was);
    if (formNow !== 'leaf') nested.added = membersOf(type, now);
  }
  nestInto(path, nested, out);
}

type Form = ReturnType<typeof formFor>;

/**
 * Whether null beside this value is like an empty one: where there is a map or a list, and it has members. Beside an empty one
 * it is another value (structured-merge-diff compareWalker.doMap, doList).
 */
function holdsMembers(form: Form, value: JsonValue): boolean {
  if (form === 'leaf') return false;
  return Object.keys(value as JsonObject).length > 0;
}

function emptyOf(form: Form): JsonValue {
  return form === 'list' ? [] : {};
}

/** Names an element, besides what may be named of its members already. */
function setWhole(how: 'added' | 'modified' | 'removed', path: PathElement, out: Differences): void {
  out[how] ??= {};
  const members = out[how][path];
  out[how][path] = members === undefined ? leaf : { [self]: leaf, ...members };
}

function membersOf(type: ApplyType, value: JsonValue): FieldSet | undefined {
  return Array.isArray(value)
    ? listFields(type, value, false)
    : isJsonObject(value)
      ? mapFields(type, value, false)
      : undefined;
}

function nestInto(path: PathElement, nested: Differences, out: Differences): void {
  if (nested.added !== undefined) {
    out.added ??= {};
    out.added[path] = nested.added;
  }
  if (nested.modified !== undefined) {
    out.modified ??= {};
    const whole = out.modified[path] !== undefined;
    out.modified[path] = whole ? { [self]: leaf, ...nested.modified } : nested.modified;
  }
  if (nested.removed !== undefined) {
    out.removed ??= {};
    out.removed[path] = nested.removed;
  }
}

/** Sets and keyed lists compare by key; elements without a key (invalid, but stored) count for nothing. */
function compareLists(
  type: ApplyType,
  before: readonly JsonValue[],
  after: readonly JsonValue[],
  out: Differences,
): void {
  // Most lists stay as they are: telling so is far cheaper than finding their elements by key.
  if (equalJson(before as JsonValue[], after as JsonValue[])) return;
  const was = byElement(type, before);
  const now = byElement(type, after);
  for (const [path, items] of now) {
    const old = was.get(path);
    if (items.length === 1) {
      if (old === undefined || old.length === 1) {
        comparePath(path, type.element, old?.[0], items[0], 'inside', out);
      } else {
        comparePath(path, type.element, undefined, items[0], 'inside', out);
        setWhole('removed', path, out);
      }
    } else if (old !== undefined && old.length > 1) {
      // Duplicates have no members of their own: they are owned together.
      if (!equalJson(old, items)) setWhole('modified', path, out);
    } else {
      if (old !== undefined) comparePath(path, type.element, old[0], undefined, 'inside', out);
      setWhole('added', path, out);
    }
  }
  for (const [path, items] of was) {
    if (now.has(path)) continue;
    if (items.length === 1) comparePath(path, type.element, items[0], undefined, 'inside', out);
    else setWhole('removed', path, out);
  }
}

function byElement(type: ApplyType, list: readonly JsonValue[]): Map<PathElement, JsonValue[]> {
  const map = new Map<PathElement, JsonValue[]>();
  for (const item of list) {
    const at = elementPath(type, item);
    if ('error' in at) continue;
    const same = map.get(at.path);
    if (same === undefined) map.set(at.path, [item]);
    else same.push(item);
  }
  return map;
}
