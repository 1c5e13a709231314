import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts';
import type { Decl, DeclField } from './decl.ts';
import {
  boolType,
  bytesType,
  CelType,
  doubleType,
  durationType,
  intType,
  listType,
  mapType,
  nullType,
  optionalType,
  stringType,
  timestampType,
  typeType,
  uintType,
} from './types.ts';

/** A value at run time: `int` is a bigint, `double` a number. */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Uint
  | Timestamp
  | Duration
  | CelList
  | CelMap
  | CelType
  | Optional
  | Opaque
  | CelFault;

/** What went wrong in an evaluation. A value, since `||` and `&&` may absorb it and throwing is slow. */
export class CelFault {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

export const noOverload = new CelFault('no such overload');

export class Uint {
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }
}

export class Timestamp {
  /** Since 1970. */
  readonly nanos: bigint;
  /** Of the zone in which it is shown; reckoned with is UTC. */
  readonly offsetMinutes: number;

  constructor(nanos: bigint, offsetMinutes = 0) {
    this.nanos = nanos;
    this.offsetMinutes = offsetMinutes;
  }
}

export class Duration {
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class Optional {
  static readonly none = new Optional(undefined);
  readonly value: Value | undefined;

  constructor(value: Value | undefined) {
    this.value = value;
  }
}

/** A value of a type that only functions look into: quantities, addresses, authorizers. */
export abstract class Opaque {
  abstract readonly type: CelType;
  abstract equals(other: Opaque): boolean;
  /** For cost; 1 where there is nothing to count. */
  get size(): number {
    return 1;
  }
}

export abstract class CelList {
  abstract readonly size: number;
  abstract at(index: number): Value;

  toArray(): Value[] {
    const values: Value[] = new Array(this.size);
    for (let i = 0; i < values.length; i++) values[i] = this.at(i);
    return values;
  }
}

export class ArrayList extends CelList {
  readonly values: readonly Value[];

  constructor(values: readonly Value[]) {
    super();
    this.values = values;
  }

  get size(): number {
    return this.values.length;
  }

  at(index: number): Value {
    return this.values[index] as Value;
  }

  override toArray(): Value[] {
    return [...this.values];
  }
}

export abstract class CelMap {
  abstract readonly size: number;
  /** Undefined for an absent key. */
  abstract get(key: Value): Value | undefined;
  abstract keys(): readonly Value[];
}

/** A map made by an expression. */
export class NativeMap extends CelMap {
  readonly #entries = new Map<
    string | number | bigint | boolean,
    { readonly key: Value; readonly value: Value }
  >();

  get size(): number {
    return this.#entries.size;
  }

  get(key: Value): Value | undefined {
    const index = mapIndex(key);
    return index === undefined ? undefined : this.#entries.get(index)?.value;
  }

  keys(): readonly Value[] {
    return [...this.#entries.values()].map(({ key }) => key);
  }

  /** False when the key is there already; undefined when it cannot be a key. */
  add(key: Value, value: Value): boolean | undefined {
    const index = mapIndex(key);
    if (index === undefined || typeof key === 'number') return undefined;
    if (this.#entries.has(index)) return false;
    this.#entries.set(index, { key, value });
    return true;
  }

  override toString(): string {
    return '{}';
  }
}

/** Equal numbers of all types are one key. */
function mapIndex(key: Value): string | bigint | boolean | undefined {
  if (typeof key === 'string' || typeof key === 'boolean' || typeof key === 'bigint') return key;
  if (key instanceof Uint) return key.value;
  if (typeof key === 'number' && Number.isInteger(key)) return BigInt(key);
  return undefined;
}

/** A list made by `+`; `decl`, where it goes on one of an object, is that one's. */
export class JoinedList extends ArrayList {
  readonly decl: Decl | undefined;

  constructor(values: readonly Value[], decl?: Decl) {
    super(values);
    this.decl = decl;
  }
}

/** A list in an object that a request brought. */
export class JsonList extends CelList {
  readonly json: readonly JsonValue[];
  readonly decl: Decl | undefined;

  constructor(json: readonly JsonValue[], decl: Decl | undefined) {
    super();
    this.json = json;
    this.decl = decl;
  }

  get size(): number {
    return this.json.length;
  }

  at(index: number): Value {
    return valueOfJson(this.json[index] as JsonValue, this.decl?.element);
  }
}

/** An object or a map in an object that a request brought. */
export class JsonMap extends CelMap {
  readonly json: JsonObject;
  /** Undefined: nothing is known, all members are seen under their own names. */
  readonly decl: Decl | undefined;
  #keys: readonly string[] | undefined;

  constructor(json: JsonObject, decl: Decl | undefined) {
    super();
    this.json = json;
    this.decl = decl;
  }

  get size(): number {
    return this.keys().length;
  }

  get(key: Value): Value | undefined {
    if (typeof key !== 'string') return undefined;
    const fields = this.decl?.fields;
    if (fields === undefined) return this.#own(key, this.decl?.element);
    const field = fields.get(key);
    return field === undefined ? undefined : this.field(field);
  }

  /**
   * The value of a declared field; undefined when absent, as what is `null` is to rules (k8s.io/apiserver/pkg/cel/common,
   * unstructuredMap.Find), other than in a map.
   */
  field(field: DeclField): Value | undefined {
    return this.#own(field.jsonName, field.decl) ?? undefined;
  }

  #own(name: string, decl: Decl | undefined): Value | undefined {
    const value = this.json[name];
    if (value === undefined || !Object.hasOwn(this.json, name)) return undefined;
    return valueOfJson(value, decl);
  }

  keys(): readonly string[] {
    if (this.#keys === undefined) {
      const fields = this.decl?.fields;
      this.#keys =
        fields === undefined
          ? Object.keys(this.json).filter((name) => this.json[name] !== undefined)
          : [...fields].filter(([, field]) => this.field(field) !== undefined).map(([name]) => name);
    }
    return this.#keys;
  }
}

/** JSON as expressions see it: converted where it is looked at. `decl` undefined: by its own kind. */
export function valueOfJson(json: JsonValue, decl: Decl | undefined): Value {
  if (json === null || typeof json === 'boolean') return json;
  if (typeof json === 'number') {
    if (decl?.kind === 'double') return json;
    return Number.isInteger(json) ? BigInt(json) : json;
  }
  if (typeof json === 'string') return decl === undefined ? json : (decl.fromString?.(json) ?? json);
  if (Array.isArray(json)) return new JsonList(json, decl);
  return new JsonMap(json, decl);
}

/** JSON of a value; undefined for what JSON cannot say. Numbers must be exact. */
export function jsonOfValue(value: Value): JsonValue | undefined {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (value instanceof Uint) return jsonOfValue(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof JsonList && value.decl === undefined) return value.json as JsonValue[];
  if (value instanceof JsonMap && value.decl === undefined) return value.json;
  if (value instanceof CelList) {
    const list: JsonValue[] = [];
    for (const item of value.toArray()) {
      const json = jsonOfValue(item);
      if (json === undefined) return undefined;
      list.push(json);
    }
    return list;
  }
  if (value instanceof CelMap) return jsonOfMap(value);
  if (value instanceof Optional) return value.value === undefined ? undefined : jsonOfValue(value.value);
  return undefined;
}

function jsonOfMap(map: CelMap): JsonObject | undefined {
  const object: JsonObject = {};
  for (const key of map.keys()) {
    if (typeof key !== 'string' || key === '__proto__') return undefined;
    const json = jsonOfValue(map.get(key) as Value);
    if (json === undefined) return undefined;
    object[key] = json;
  }
  return object;
}

export function typeOf(value: Value): CelType {
  if (value === null) return nullType;
  switch (typeof value) {
    case 'boolean':
      return boolType;
    case 'bigint':
      return intType;
    case 'number':
      return doubleType;
    case 'string':
      return stringType;
  }
  if (value instanceof Uint) return uintType;
  if (value instanceof CelList) return listType;
  if (value instanceof JsonMap && value.decl?.kind === 'object') return value.decl.type;
  if (value instanceof CelMap) return mapType;
  if (value instanceof Timestamp) return timestampType;
  if (value instanceof Duration) return durationType;
  if (value instanceof Uint8Array) return bytesType;
  if (value instanceof Optional) return optionalType;
  if (value instanceof CelType) return typeType;
  if (value instanceof Opaque) return value.type;
  return nullType;
}

/** Equality of CEL: numbers across their types, everything else only within a type; never an error. */
export function equalValues(a: Value, b: Value): boolean {
  if (a === b) return true;
  // Integers are compared with doubles as doubles, as cel-go does.
  if (typeof a === 'bigint') {
    if (typeof b === 'bigint') return false;
    if (typeof b === 'number') return Number(a) === b;
    return b instanceof Uint && a === b.value;
  }
  if (typeof a === 'number') {
    if (typeof b === 'bigint') return a === Number(b);
    return b instanceof Uint && a === Number(b.value);
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return a instanceof Uint && equalValues(b, a);
  }
  if (a instanceof Uint) return b instanceof Uint && a.value === b.value;
  if (a instanceof CelList) return b instanceof CelList && equalLists(a, b);
  if (a instanceof CelMap) return b instanceof CelMap && equalMaps(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof CelType) return b instanceof CelType && a.name === b.name && a.decl === b.decl;
  if (a instanceof Optional) {
    if (!(b instanceof Optional)) return false;
    if (a.value === undefined || b.value === undefined) return a.value === b.value;
    return equalValues(a.value, b.value);
  }
  return a instanceof Opaque && b instanceof Opaque && a.type === b.type && a.equals(b);
}

function equalLists(a: CelList, b: CelList): boolean {
  if (a.size !== b.size) return false;
  const decl = listDeclOf(a);
  if (decl?.listType === 'set') return equalUnordered(a, b, (item) => canonicalText(jsonOrNull(item)));
  if (decl?.listType === 'map') return equalKeyed(a, b, decl);
  for (let i = 0; i < a.size; i++) if (!equalValues(a.at(i), b.at(i))) return false;
  return true;
}

function equalUnordered(a: CelList, b: CelList, keyOf: (item: Value) => string): boolean {
  const keys = new Set(a.toArray().map(keyOf));
  return b.toArray().every((item) => keys.has(keyOf(item)));
}

function equalKeyed(a: CelList, b: CelList, decl: Decl): boolean {
  const items = new Map(a.toArray().map((item) => [listMapKey(item, decl), item]));
  return b.toArray().every((item) => {
    const other = items.get(listMapKey(item, decl));
    return other !== undefined && equalValues(other, item);
  });
}

/** One text for the key fields of an item of a map list. */
export function listMapKey(item: Value, decl: Decl): string {
  if (item instanceof JsonMap)
    return canonicalText((decl.listMapKeys ?? []).map((name) => item.json[name] ?? null));
  return canonicalText(jsonOrNull(item));
}

export function jsonOrNull(value: Value): JsonValue {
  if (value instanceof JsonMap) return value.json;
  if (value instanceof JsonList) return value.json as JsonValue[];
  return jsonOfValue(value) ?? null;
}

export function canonicalText(json: JsonValue): string {
  if (Array.isArray(json)) return `[${json.map(canonicalText).join(',')}]`;
  if (!isJsonObject(json)) return JSON.stringify(json);
  const names = Object.keys(json).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalText(json[name] ?? null)}`).join(',')}}`;
}

function equalMaps(a: CelMap, b: CelMap): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) {
    const other = b.get(key);
    if (other === undefined || !equalValues(a.get(key) as Value, other)) return false;
  }
  return true;
}

/** The declaration of a list of an object, also where something was added to it. */
export const listDeclOf = (list: CelList): Decl | undefined =>
  list instanceof JsonList || list instanceof JoinedList ? list.decl : undefined;

/** Size as `size()` counts: code points, bytes, elements, entries; 1 for anything else. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return codePointCount(value);
  if (value instanceof CelList || value instanceof CelMap || value instanceof Opaque) return value.size;
  if (value instanceof Uint8Array) return value.length;
  return 1;
}

/** Length in code points. */
export function codePointCount(text: string): number {
  let count = text.length;
  for (let i = 0; i + 1 < text.length; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

/** Nodes and text of a value, in the unit of a call's cost: what comparing or copying it takes beyond its outermost level. */
export function weightOf(value: Value): number {
  if (value instanceof JsonList || value instanceof JsonMap) return jsonWeight(value.json as JsonValue);
  if (value instanceof CelList) {
    let weight = 1;
    for (let i = 0; i < value.size; i++) weight += weightOf(value.at(i));
    return weight;
  }
  if (value instanceof CelMap) {
    let weight = 1;
    for (const key of value.keys()) weight += weightOf(value.get(key) as Value);
    return weight;
  }
  return typeof value === 'string' ? 1 + value.length / 32 : 1;
}

function jsonWeight(json: JsonValue): number {
  if (typeof json === 'string') return 1 + json.length / 32;
  if (typeof json !== 'object' || json === null) return 1;
  let weight = 1;
  if (Array.isArray(json)) for (const item of json) weight += jsonWeight(item);
  else for (const key in json) weight += jsonWeight(json[key] ?? null);
  return weight;
}
