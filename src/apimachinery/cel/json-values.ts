import type { JsonObject, JsonValue } from '../json.ts';
import { valueOfText } from './text-formats.ts';
import type { Decl, DeclField } from './types.ts';
import { ArrayList, CelList, CelMap, Optional, Uint, type Value } from './values.ts';

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

/** A list made by `+`; `decl`, where it goes on one of an object, is that one's. */
export class JoinedList extends ArrayList {
  readonly decl: Decl | undefined;

  constructor(values: readonly Value[], decl?: Decl) {
    super(values);
    this.decl = decl;
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
  if (typeof json === 'string') return decl?.format === undefined ? json : valueOfText(json, decl.format);
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

export function jsonOrNull(value: Value): JsonValue {
  if (value instanceof JsonMap) return value.json;
  if (value instanceof JsonList) return value.json as JsonValue[];
  return jsonOfValue(value) ?? null;
}

/** The declaration of a list of an object, also where something was added to it. */
export const listDeclOf = (list: CelList): Decl | undefined =>
  list instanceof JsonList || list instanceof JoinedList ? list.decl : undefined;
