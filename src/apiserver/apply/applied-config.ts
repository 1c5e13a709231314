import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { goSyntax, goText, goTypeOf } from '../patch/go-text.ts';
import {
  type ApplyType,
  elementPath,
  formFor,
  insideElement,
  insideMember,
  memberPath,
  memberType,
} from './apply-type.ts';
import { isUnmanaged } from './compare.ts';
import { emptySet, type FieldSet, type FieldSetDraft, leaf } from './field-set.ts';
import { type PathElement, printElement, printPath, self } from './path-element.ts';

/**
 * What an applied configuration claims: its leaves, the members of open maps and of lists with their keys; not the
 * declared fields that only lead there. Nulls and empty maps are claimed as they are (structured-merge-diff
 * ToFieldSet).
 */
export function appliedFields(type: ApplyType, config: JsonObject): FieldSet {
  return appliedMembers(type, config, 'root') ?? emptySet;
}

function appliedMembers(
  type: ApplyType,
  value: JsonObject,
  place: 'root' | 'metadata' | 'inside',
): FieldSetDraft | undefined {
  let result: FieldSetDraft | undefined;
  for (const name in value) {
    const child = value[name];
    if (child === undefined || (place !== 'inside' && isUnmanaged(place === 'root', name))) continue;
    const declared = type.fields?.has(name) === true;
    const inMetadata = place === 'root' && name === 'metadata';
    const set = appliedNode(memberType(type, name), child, !declared, inMetadata);
    if (set === undefined || (inMetadata && set === leaf)) continue;
    result ??= {};
    result[memberPath(type, name)] = set;
  }
  return result;
}

/** `member`: whether the node counts itself although it has members. */
function appliedNode(
  type: ApplyType | undefined,
  value: JsonValue,
  member: boolean,
  inMetadata: boolean,
): FieldSet | undefined {
  if (type === undefined || value === null) return leaf;
  const form = formFor(type, value);
  if (form === 'leaf') return leaf;
  if (form === 'map') {
    const map = value as JsonObject;
    const members = appliedMembers(type, map, inMetadata ? 'metadata' : 'inside');
    if (members === undefined) return member || Object.keys(map).length === 0 ? leaf : undefined;
    return member ? { [self]: leaf, ...members } : members;
  }
  let items: FieldSetDraft | undefined;
  for (const item of value as JsonValue[]) {
    const at = elementPath(type, item);
    if ('error' in at) continue;
    items ??= {};
    items[at.path] = appliedNode(type.element, item, true, false) ?? leaf;
  }
  if (items === undefined) return member ? leaf : undefined;
  return member ? { [self]: leaf, ...items } : items;
}

/** More faults than this are not looked for: nobody reads them. */
const faultsMax = 100;

/**
 * What is wrong with an applied configuration, one text per fault: fields that the schema does not declare, values of
 * another type, elements without keys and elements given twice (KUBERNETES.md P6).
 */
export function checkConfig(type: ApplyType, config: JsonObject): string[] {
  const faults: string[] = [];
  if (!isPlain(type, config)) checkValue(type, config, [], faults);
  return faults;
}

/**
 * True only if there are no faults; false says nothing. Nearly every configuration is of the first sort, and a walk that
 * keeps no paths and makes none for elements is much cheaper.
 */
function isPlain(type: ApplyType, value: JsonValue): boolean {
  if (value === null || type.form === 'deduced') return true;
  switch (type.form) {
    case 'scalar':
      return scalarFault(type, value) === undefined;
    case 'map':
    case 'atomicMap':
      if (!isJsonObject(value)) return false;
      for (const name in value) {
        const child = value[name];
        if (child === undefined) continue;
        const childType = insideMember(type, name);
        if (childType === undefined || !isPlain(childType, child)) return false;
      }
      return true;
    default:
      return Array.isArray(value) && isPlainList(type, value);
  }
}

function isPlainList(type: ApplyType, value: readonly JsonValue[]): boolean {
  const element = insideElement(type);
  if (type.form !== 'atomicList' && !hasDistinctKeys(type, value)) return false;
  if (element === undefined) return true;
  for (const item of value) if (!isPlain(element, item)) return false;
  return true;
}

function hasDistinctKeys(type: ApplyType, value: readonly JsonValue[]): boolean {
  const [key] = type.keys;
  const byOne = key !== undefined && type.keys.length === 1 && type.keyDefaults[0] === undefined;
  const seen = new Set<string>();
  for (const item of value) {
    // Where there is one key, and a text for it, elements differ as these do.
    const only = byOne && isJsonObject(item) ? item[key] : undefined;
    if (typeof only === 'string') {
      seen.add(only);
      continue;
    }
    const at = elementPath(type, item);
    if ('error' in at) return false;
    seen.add(at.path);
  }
  return seen.size === value.length;
}

function checkValue(type: ApplyType, value: JsonValue, path: PathElement[], faults: string[]): void {
  if (value === null || type.form === 'deduced' || faults.length >= faultsMax) return;
  const say = (text: string) => faults.push(path.length === 0 ? text : `${printPath(path)}: ${text}`);
  switch (type.form) {
    case 'scalar': {
      const fault = scalarFault(type, value);
      if (fault !== undefined) say(fault);
      return;
    }
    case 'map':
    case 'atomicMap':
      if (!isJsonObject(value)) say(`expected map, got ${plainly(value)}`);
      else checkMembers(type, value, path, faults);
      return;
    default:
      if (!Array.isArray(value)) say(`expected list, got ${plainly(value)}`);
      else checkElements(type, value, path, faults);
  }
}

function checkMembers(type: ApplyType, value: JsonObject, path: PathElement[], faults: string[]): void {
  for (const name in value) {
    const child = value[name];
    if (child === undefined) continue;
    if (faults.length >= faultsMax) return;
    const childType = insideMember(type, name);
    path.push(memberPath(type, name));
    if (childType === undefined) faults.push(`${printPath(path)}: field not declared in schema`);
    else checkValue(childType, child, path, faults);
    path.pop();
  }
}

function checkElements(
  type: ApplyType,
  value: readonly JsonValue[],
  path: PathElement[],
  faults: string[],
): void {
  const seen = new Set<PathElement>();
  for (let i = 0; i < value.length && faults.length < faultsMax; i++) {
    const item = value[i] as JsonValue;
    if (type.form === 'atomicList') {
      const element = insideElement(type);
      if (element !== undefined) checkAt(`i:${i}`, element, item, path, faults);
      continue;
    }
    const at = elementPath(type, item);
    if ('error' in at) {
      // What follows cannot be named either: it is looked at no further.
      faults.push(`${printPath(path)}: element ${i}: ${at.error}`);
      return;
    }
    if (seen.has(at.path)) {
      faults.push(`${printPath(path)}: duplicate entries for key ${printElement(at.path)}`);
    }
    seen.add(at.path);
    if (type.element !== undefined) checkAt(at.path, type.element, item, path, faults);
  }
}

function checkAt(
  element: PathElement,
  type: ApplyType,
  value: JsonValue,
  path: PathElement[],
  faults: string[],
): void {
  path.push(element);
  checkValue(type, value, path, faults);
  path.pop();
}

/** structured-merge-diff typed/validate.go, for the types that kube-openapi's schemaconv makes of OpenAPI's. */
function scalarFault({ schema }: ApplyType, value: JsonValue): string | undefined {
  switch (schema?.type) {
    case 'integer':
    case 'number':
      return typeof value === 'number'
        ? undefined
        : `expected numeric (int or float), got ${goTypeOf(value)}`;
    case 'string':
      if (hasOwnForm(schema)) return untypedFault(value);
      return typeof value === 'string'
        ? undefined
        : `expected string, got ${cut(`&value.valueUnstructured{Value:${goSyntax(value)}}`)}`;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got ${plainly(value)}`;
    default:
      return untypedFault(value);
  }
}

/** Of a text with a format it is not known that it is one, but for bytes. */
function hasOwnForm({ validation }: Schema): boolean {
  const format = validation?.format ?? '';
  return format !== '' && format !== 'byte';
}

function untypedFault(value: JsonValue): string | undefined {
  return typeof value === 'object' ? `expected any scalar, got ${plainly(value)}` : undefined;
}

/** A value as structured-merge-diff prints what holds it: `&{map[a:1]}`. */
function plainly(value: JsonValue): string {
  return cut(`&{${goText(value)}}`);
}

const shownMax = 1024;

function cut(text: string): string {
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}
