import {
  duplicate,
  type FieldError,
  invalid,
  notSupported,
  required,
  tooLong,
  tooMany,
  typeInvalid,
} from '../field-error.ts';
import { goRegexp, RegexpCostError } from '../go-regexp.ts';
import { RegexpSyntaxError } from '../go-regexp-syntax.ts';
import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '../json.ts';
import { dns1035Label } from '../names.ts';
import type { Schema, ValueValidation } from '../schema.ts';
import { type CompiledSchema, compiled } from './compiled-schema.ts';
import { goBytes, hasNumberFormat, hasStringFormat, isKnownStringFormat } from './formats.ts';

/** Validation stops here: more would help nobody, and messages must fit a response. */
const errorsMax = 100;

type Segment = string | number;

/**
 * What found an error: an update is let off those of the schema where nothing changed, those of lists where the old object
 * has such as well, and never those of embedded resources (apiextensions customResourceStrategy.ValidateUpdate).
 */
type Origin = 'schema' | 'list' | 'embedded';

interface Found {
  readonly error: FieldError;
  readonly origin: Origin;
  /** Where the value that was validated lies: for a missing field its parent. */
  readonly owner: readonly Segment[];
}

/**
 * Validates against a schema as Kubernetes validates custom resources, with its error texts: types, required, enum,
 * pattern (Go syntax, linear time), format, bounds, allOf/anyOf/oneOf/not, repeated items of set and map lists.
 * `path` is put before every field. At most 100 errors. Defaults must have been applied, and nulls with them.
 * Lists inside Kubernetes' own types (`definition` io.k8s.…) are not checked for repeated keys: Kubernetes allows,
 * for one, an environment variable given twice.
 */
export function validateValue(schema: Schema, value: JsonValue, path = ''): FieldError[] {
  const walk = new Walk(path);
  walk.validate(compiled(schema), value, 0, true);
  return distinct(walk.found);
}

/** Each once: a junctor may say again what is said without it. */
function distinct(found: readonly Found[]): FieldError[] {
  const seen = new Set<string>();
  const isNew = ({ origin, error: { field, message } }: Found) =>
    origin !== 'schema' || (!seen.has(`${field}: ${message}`) && seen.add(`${field}: ${message}`));
  return found.filter(isNew).map(({ error }) => error);
}

/** What is wrong with a custom resource, by who finds it: Kubernetes asks one after the other (apiextensions customResourceStrategy). */
export interface CustomFaults {
  readonly schema: readonly FieldError[];
  readonly embedded: readonly FieldError[];
  readonly lists: readonly FieldError[];
}

/**
 * Like `validateValue`, for custom resources. In an update, of an `old` object, errors of values that were there before,
 * unchanged, are let pass (KUBERNETES.md R5, KEP-4008). Items of map lists are found again by their keys; other lists must be
 * unchanged as a whole. Lists are told of only if nothing was wrong with the old object's.
 */
export function customFaults(schema: Schema, value: JsonValue, old: JsonValue | undefined): CustomFaults {
  const walk = new Walk('');
  walk.validate(compiled(schema), value, 0, true);
  const of = (origin: Origin) => walk.found.filter((one) => one.origin === origin);
  const ruled = of('schema').filter(
    ({ owner }) => old === undefined || !isUnchanged(compiled(schema), value, old, owner),
  );
  const lists = of('list');
  const areOld = old !== undefined && lists.length > 0 && hasListFaults(schema, old);
  return {
    schema: distinct(ruled),
    embedded: of('embedded').map(({ error }) => error),
    lists: areOld ? [] : lists.map(({ error }) => error),
  };
}

/** Whether a list of the value has an item twice, or one that it may not have. */
export function hasListFaults(schema: Schema, value: JsonValue): boolean {
  const walk = new Walk('');
  walk.validate(compiled(schema), value, 0, true);
  return walk.found.some(({ origin }) => origin === 'list');
}

function isUnchanged(
  node: CompiledSchema | undefined,
  value: JsonValue | undefined,
  old: JsonValue | undefined,
  owner: readonly Segment[],
): boolean {
  let [schema, now, before] = [node, value, old];
  for (const segment of owner) {
    schema?.open();
    if (typeof segment === 'number') {
      if (!Array.isArray(now) || !Array.isArray(before)) return false;
      if (schema?.listType !== 'map') return equalJson(now, before);
      const key = mapKeyOf(schema, now[segment] as JsonValue);
      now = now[segment];
      const owningSchema: CompiledSchema = schema;
      before = before.find((item) => mapKeyOf(owningSchema, item) === key);
      schema = schema.items;
    } else {
      if (!isJsonObject(now) || !isJsonObject(before)) return false;
      now = now[segment];
      before = before[segment];
      schema = schema?.properties?.get(segment) ?? schema?.additional;
    }
    if (before === undefined) return false;
  }
  return now !== undefined && before !== undefined && isCorrelatedEqual(schema, now, before);
}

/**
 * Whether two values are equal member by member, each of a schema of its own: what the schema does not describe counts as
 * changed, items of map lists are held against those with their keys (apiserver cel/common CorrelatedObject.CachedDeepEqual).
 */
function isCorrelatedEqual(node: CompiledSchema | undefined, now: JsonValue, before: JsonValue): boolean {
  node?.open();
  if (Array.isArray(now) && Array.isArray(before)) {
    if (node?.listType !== 'map') return equalJson(now, before);
    const old = new Map(before.map((item) => [mapKeyOf(node, item), item]));
    return (
      now.length === before.length &&
      now.every((item) => {
        const known = old.get(mapKeyOf(node, item));
        return known !== undefined && isCorrelatedEqual(node.items, item, known);
      })
    );
  }
  if (!isJsonObject(now) || !isJsonObject(before)) return equalJson(now, before);
  const names = Object.keys(now);
  if (names.length !== Object.keys(before).length) return false;
  return names.every((name) => {
    const child = node?.properties?.get(name) ?? node?.additional;
    const [value, known] = [now[name], before[name]];
    if (child === undefined || value === undefined || known === undefined) return false;
    return isCorrelatedEqual(child, value, known);
  });
}

/** A value's type, as errors name it. */
export function typeName(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function hasType(node: CompiledSchema, value: JsonValue): boolean {
  switch (node.type) {
    case undefined:
      return !node.intOrString || typeof value === 'string' || Number.isInteger(value);
    case 'object':
      return typeof value === 'object' && !Array.isArray(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value) || (node.intOrString && typeof value === 'string');
    case 'number':
      return typeof value === 'number';
    case 'string':
      // A list passes where a format is asked for: what has one is looked at no further (kube-openapi typeValidator).
      if (Array.isArray(value) && !node.isKubernetesType) return checkedFormat(node) !== undefined;
      return typeof value === 'string' || (node.intOrString && Number.isInteger(value));
    case 'boolean':
      return typeof value === node.type;
  }
}

/** The format that counts: others are passed over (StripUnsupportedFormatsPostProcess). */
function checkedFormat({ type, validation }: CompiledSchema): string | undefined {
  const format = validation?.format;
  if (format === undefined) return undefined;
  switch (type) {
    case 'string':
      return isKnownStringFormat(format) ? format : undefined;
    case 'integer':
      return format === 'int32' || format === 'int64' ? format : undefined;
    case 'number':
      return format === 'float' || format === 'double' ? format : undefined;
    default:
      return undefined;
  }
}

/** The format of a value that says itself which it has: numbers. */
function formatName(value: JsonValue): string {
  if (typeof value !== 'number') return '';
  return Number.isInteger(value) ? 'int64' : 'float64';
}

/** One text for each JSON value, the same whatever the order of an object's members. */
function canonical(value: JsonValue | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '';
  const parts = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${parts.join(',')}}`;
}

function mapKeyOf(list: CompiledSchema, item: JsonValue): string {
  const object = isJsonObject(item) ? item : {};
  return list.listMapKeys.map((key) => canonical(object[key])).join('\0');
}

/** Length in code points, counted only where it could matter. */
function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

function kindFault(kind: string): string | undefined {
  const wrong = dns1035Label(kind.toLowerCase());
  if (wrong.length === 0) return undefined;
  return `may have mixed case, but should otherwise match: ${wrong.join(',')}`;
}

function groupVersionFault(apiVersion: string): string | undefined {
  return apiVersion.split('/').length > 2 ? `unexpected GroupVersion string: ${apiVersion}` : undefined;
}

const int64Bound = 2 ** 63;

function isInt64(value: number): boolean {
  return Number.isInteger(value) && value >= -int64Bound && value < int64Bound;
}

/** `anyOf` of an x-kubernetes-int-or-string that says its types once more. */
const textOrInteger: readonly CompiledSchema[] = [
  compiled({ type: 'integer' }),
  compiled({ type: 'string' }),
];

/**
 * Whether Go's conversion of a number makes the allowed value of it: fractions are cut off where a whole number stands, and a
 * whole number is the code of a character (kube-openapi basicCommonValidator).
 */
function isConvertedTo(value: JsonValue, allowed: JsonValue): boolean {
  if (typeof value !== 'number') return false;
  if (typeof allowed === 'number') return isInt64(allowed) && Math.trunc(value) === allowed;
  if (typeof allowed !== 'string' || !Number.isInteger(value)) return false;
  const isCharacter = value >= 0 && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
  return allowed === (isCharacter ? String.fromCodePoint(value) : '\ufffd');
}

/** What a branch of a junctor found. */
interface Failures {
  readonly found: readonly Found[];
  readonly visited: number;
}

/** The branch that looked at more of the value is told, the first of equals (kube-openapi Result.MatchCount). */
function better(best: Failures | undefined, next: Failures): Failures {
  return best === undefined || next.visited > best.visited ? next : best;
}

class Walk {
  readonly found: Found[] = [];
  readonly #prefix: string;
  /** Scratch space: the first `depth` segments lead to the value at hand. */
  readonly #path: Segment[] = [];
  /** Which of them are keys of a map. */
  readonly #isMapKey: boolean[] = [];
  /** Values that a schema was held against. */
  #visited = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  validate(node: CompiledSchema, value: JsonValue, depth: number, checksLists: boolean): void {
    if (this.found.length >= errorsMax) return;
    this.#visited++;
    if (value === null) {
      const isAllowed = node.nullable || (node.type === undefined && !node.intOrString);
      if (!isAllowed) this.#wrongType(node, value, depth);
      if (node.validation?.enum !== undefined) this.#enum(node.validation.enum, value, depth);
      return;
    }
    if (node.type === 'integer' && typeof value === 'number' && !isInt64(value)) {
      this.#noInteger(node, value, depth, checksLists);
      return;
    }
    if (!hasType(node, value)) {
      // All else that is said of such a value holds nevertheless.
      this.#wrongType(node, value, depth);
      if (node.schema.repeatsTypes === true) this.#anyOf(textOrInteger, value, depth, checksLists);
      if (node.validation !== undefined) this.#rules(node, node.validation, value, depth, checksLists);
      return;
    }
    if (typeof value === 'object') {
      node.open();
      if (Array.isArray(value)) this.#items(node, value, depth, checksLists);
      else {
        this.#properties(node, value, depth, checksLists && !node.isKubernetesType);
        if (node.embeddedResource) this.#embedded(value, depth);
      }
    } else if (typeof value === 'number' && node.type === 'integer' && !Number.isSafeInteger(value)) {
      // Kept as a double it would not come back as it was written.
      this.#invalid(
        depth,
        value,
        `should be an integer between -${Number.MAX_SAFE_INTEGER} and ${Number.MAX_SAFE_INTEGER}`,
      );
    }
    if (node.validation !== undefined) this.#rules(node, node.validation, value, depth, checksLists);
  }

  #items(node: CompiledSchema, list: readonly JsonValue[], depth: number, checksLists: boolean): void {
    const { items } = node;
    if (items !== undefined) {
      for (let index = 0; index < list.length; index++) {
        this.#path[depth] = index;
        this.validate(items, list[index] as JsonValue, depth + 1, checksLists);
      }
    }
    if (!checksLists || node.listType === undefined) return;
    if (node.listType === 'map' && !this.#hasObjects(list, depth)) return;
    if (list.length > 1) this.#repeated(node, list, depth);
  }

  /** The first that is none ends what is said of a keyed list (apiextensions schema/listtype validateListMap). */
  #hasObjects(list: readonly JsonValue[], depth: number): boolean {
    const index = list.findIndex((item) => item !== null && !isJsonObject(item));
    if (index < 0) return true;
    this.#path[depth] = index;
    const why = 'must be an object for an array of list-type map';
    this.#add(invalid(this.#keyedField(depth + 1), list[index] as JsonValue, why), depth, 'list');
    return false;
  }

  #repeated(node: CompiledSchema, list: readonly JsonValue[], depth: number): void {
    const seen = new Map<string, number>();
    list.forEach((item, index) => {
      if (node.listType === 'map' && !isJsonObject(item)) return;
      const key = node.listType === 'set' ? canonical(item) : mapKeyOf(node, item);
      const times = (seen.get(key) ?? 0) + 1;
      seen.set(key, times);
      // Of what stands there often the second is told (apiextensions schema/listtype validateListSet).
      if (times !== 2) return;
      let shown = item;
      if (node.listType === 'map' && isJsonObject(item)) {
        const object: JsonObject = {};
        for (const name of node.listMapKeys) if (item[name] !== undefined) object[name] = item[name];
        shown = object;
      }
      this.#path[depth] = index;
      this.#add(duplicate(this.#keyedField(depth + 1), shown), depth, 'list');
    });
  }

  #properties(node: CompiledSchema, object: JsonObject, depth: number, checksLists: boolean): void {
    const { properties, additional } = node;
    if (properties !== undefined || additional !== undefined) {
      for (const key in object) {
        const property = properties?.get(key);
        const child = property ?? additional;
        const value = object[key];
        if (child === undefined || value === undefined) continue;
        this.#path[depth] = key;
        this.#isMapKey[depth] = property === undefined;
        this.validate(child, value, depth + 1, checksLists);
      }
    }
    if (node.required === undefined) return;
    for (const name of node.required) {
      // Own members only: a field may be called like one that every object inherits.
      if (object[name] !== undefined && Object.hasOwn(object, name)) continue;
      this.#path[depth] = name;
      this.#isMapKey[depth] = false;
      this.#add(required(this.#field(depth + 1)), depth);
    }
  }

  /** An embedded resource says what it is (apiextensions objectmeta.ValidateEmbeddedResource). */
  #embedded(object: JsonObject, depth: number): void {
    const tell = (name: string, error: (field: string) => FieldError) => {
      this.#path[depth] = name;
      this.#isMapKey[depth] = false;
      this.#add(error(this.#keyedField(depth + 1)), depth, 'embedded');
    };
    for (const name of ['apiVersion', 'kind'] as const) {
      const value = object[name];
      if (value === undefined || value === null) tell(name, (field) => required(field));
      else if (typeof value !== 'string') {
        tell(name, (field) => typeInvalid(field, value, 'must be a string'));
      } else if (value === '') tell(name, (field) => invalid(field, value, 'must not be empty'));
      else {
        const wrong = name === 'kind' ? kindFault(value) : groupVersionFault(value);
        if (wrong !== undefined) tell(name, (field) => invalid(field, value, wrong));
      }
    }
    const { metadata } = object;
    if (metadata === undefined || isJsonObject(metadata)) return;
    tell('metadata', (field) => typeInvalid(field, metadata, 'must be an object'));
  }

  #rules(
    node: CompiledSchema,
    rules: ValueValidation,
    value: JsonValue,
    depth: number,
    checksLists: boolean,
  ): void {
    if (rules.enum !== undefined) this.#enum(rules.enum, value, depth);
    if (typeof value === 'string') this.#stringRules(rules, value, depth);
    else if (typeof value === 'number') this.#numberRules(rules, value, depth);
    else if (Array.isArray(value)) this.#arrayRules(rules, value, depth);
    else if (typeof value === 'object') this.#objectRules(rules, value as JsonObject, depth);
    node.open();
    if (node.allOf !== undefined) this.#allOf(node, node.allOf, value, depth, checksLists);
    if (node.anyOf !== undefined) this.#anyOf(node.anyOf, value, depth, checksLists);
    if (node.oneOf !== undefined) this.#oneOf(node.oneOf, value, depth, checksLists);
    if (node.not !== undefined && this.#failuresOf(node.not, value, depth, checksLists).found.length === 0) {
      this.#general(depth, 'must not validate the schema (not)');
    }
  }

  #enum(allowed: readonly JsonValue[], value: JsonValue, depth: number): void {
    for (const one of allowed) if (equalJson(one, value) || isConvertedTo(value, one)) return;
    const shown = allowed.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
    this.#add(notSupported(this.#field(depth), value, shown), depth);
  }

  /** Of lengths and pattern the first that fails is told; the format is another matter. */
  #stringRules(rules: ValueValidation, text: string, depth: number): void {
    const { minLength, maxLength } = rules;
    if (maxLength !== undefined && text.length > maxLength && codePoints(text) > maxLength) {
      this.#add(tooLong(this.#field(depth), maxLength), depth);
    } else if (minLength !== undefined && codePoints(text) < minLength) {
      this.#invalid(depth, text, `should be at least ${minLength} chars long`);
    } else if (rules.pattern !== undefined) this.#pattern(rules.pattern, text, depth);
    if (rules === goBytes && text === '') return;
    if (rules.format !== undefined && !hasStringFormat(text, rules.format)) {
      const field = this.#field(depth);
      this.#add(
        typeInvalid(field, text, `${field} in body must be of type ${rules.format}: ${JSON.stringify(text)}`),
        depth,
      );
    }
  }

  #pattern(pattern: string, text: string, depth: number): void {
    try {
      if (!goRegexp(pattern).test(text)) this.#invalid(depth, text, `should match '${pattern}'`);
    } catch (error) {
      // Refused when the CRD is written; one that was stored before is like one that nothing matches.
      if (!(error instanceof RegexpSyntaxError) && !(error instanceof RegexpCostError)) throw error;
      this.#invalid(depth, text, `should match '${pattern}', but ${error.message}`);
    }
  }

  #numberRules(rules: ValueValidation, number: number, depth: number): void {
    const { format } = rules;
    // Integers are compared with integers, whatever is behind the point of the rule (MaximumNativeType and its like).
    const bound = (limit: number | undefined) =>
      limit !== undefined && isInt64(number) ? Math.trunc(limit) : limit;
    const [minimum, maximum, factor] = [rules.minimum, rules.maximum, rules.multipleOf].map(bound);
    if (maximum !== undefined) {
      if (rules.exclusiveMaximum === true ? number >= maximum : number > maximum) {
        const relation = rules.exclusiveMaximum === true ? 'less than' : 'less than or equal to';
        this.#invalid(depth, number, `should be ${relation} ${maximum}`);
      }
    }
    if (minimum !== undefined) {
      if (rules.exclusiveMinimum === true ? number <= minimum : number < minimum) {
        const relation = rules.exclusiveMinimum === true ? 'greater than' : 'greater than or equal to';
        this.#invalid(depth, number, `should be ${relation} ${minimum}`);
      }
    }
    if (factor !== undefined && factor <= 0) {
      const where = this.#pathText(depth, false);
      const why = `factor MultipleOf declared for ${where} must be positive: ${factor}`;
      this.#add(invalid(this.#field(depth), factor, why), depth);
    } else if (factor !== undefined && !isMultipleOf(number, factor)) {
      this.#invalid(depth, number, `should be a multiple of ${factor}`);
    }
    if (format !== undefined && Number.isInteger(number) && !hasNumberFormat(number, format)) {
      this.#unfitting(format, depth);
    }
  }

  #unfitting(format: string | undefined, depth: number): void {
    const form = format === undefined ? '(default format)' : `with format ${format}`;
    const text = `Checked value must be of type integer ${form} in ${this.#named(depth)}`;
    this.#add(invalid('<nil>', '', text), depth);
  }

  /** A number that is no integer, or none of 64 bits: what is said of it as kube-openapi says it. */
  #noInteger(node: CompiledSchema, number: number, depth: number, checksLists: boolean): void {
    const rules = node.validation;
    const format = checkedFormat(node);
    this.#unfitting(format, depth);
    const [name, wanted] = format === undefined ? ['number', 'integer'] : ['float64', format];
    const shown = this.#named(depth);
    this.#add(
      typeInvalid(this.#field(depth), name, `${shown} in body must be of type ${wanted}: "${name}"`),
      depth,
    );
    if (rules !== undefined) this.#rules(node, { ...rules, format: undefined }, number, depth, checksLists);
  }

  #arrayRules(rules: ValueValidation, list: readonly JsonValue[], depth: number): void {
    if (rules.maxItems !== undefined && list.length > rules.maxItems) {
      this.#add(tooMany(this.#field(depth), list.length, rules.maxItems), depth);
    }
    if (rules.minItems !== undefined && list.length < rules.minItems) {
      this.#invalid(depth, list.length, `should have at least ${rules.minItems} items`);
    }
    if (rules.uniqueItems === true && new Set(list.map(canonical)).size !== list.length) {
      this.#invalid(depth, list as JsonValue[], "shouldn't contain duplicates");
    }
  }

  #objectRules(rules: ValueValidation, object: JsonObject, depth: number): void {
    const { minProperties, maxProperties } = rules;
    if (minProperties === undefined && maxProperties === undefined) return;
    const count = Object.keys(object).length;
    if (maxProperties !== undefined && count > maxProperties) {
      this.#add(tooMany(this.#field(depth), count, maxProperties), depth);
    }
    if (minProperties !== undefined && count < minProperties) {
      this.#invalid(depth, count, `should have at least ${minProperties} properties`);
    }
  }

  #allOf(
    node: CompiledSchema,
    branches: readonly CompiledSchema[],
    value: JsonValue,
    depth: number,
    checksLists: boolean,
  ): void {
    let failed = 0;
    for (const branch of branches) {
      const before = this.found.length;
      this.validate(branch, value, depth, checksLists);
      if (this.found.length > before) failed++;
    }
    // What narrows a type of Kubernetes' own is our way to say it, not the schema's author's.
    if (failed === 0 || node.isKubernetesType) return;
    const none = failed === branches.length ? '. None validated' : '';
    this.#general(depth, `must validate all the schemas (allOf)${none}`);
  }

  #anyOf(branches: readonly CompiledSchema[], value: JsonValue, depth: number, checksLists: boolean): void {
    let best: Failures | undefined;
    for (const branch of branches) {
      const failures = this.#failuresOf(branch, value, depth, checksLists);
      if (failures.found.length === 0) return;
      best = better(best, failures);
    }
    this.#general(depth, 'must validate at least one schema (anyOf)');
    this.found.push(...(best?.found ?? []));
  }

  #oneOf(branches: readonly CompiledSchema[], value: JsonValue, depth: number, checksLists: boolean): void {
    let best: Failures | undefined;
    let valid = 0;
    for (const branch of branches) {
      const failures = this.#failuresOf(branch, value, depth, checksLists);
      if (failures.found.length === 0) valid++;
      else best = better(best, failures);
    }
    if (valid === 1) return;
    const count = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`;
    this.#general(depth, `must validate one and only one schema (oneOf). ${count}`);
    if (valid === 0) this.found.push(...(best?.found ?? []));
  }

  #failuresOf(branch: CompiledSchema, value: JsonValue, depth: number, checksLists: boolean): Failures {
    const start = this.found.length;
    // The bound counts for a branch as well: it is only asked whether it fails.
    const saved = this.found.splice(0, start >= errorsMax ? start : 0);
    const visitedBefore = this.#visited;
    this.validate(branch, value, depth, checksLists);
    const found = this.found.splice(start - saved.length);
    this.found.unshift(...saved);
    return { found, visited: this.#visited - visitedBefore };
  }

  #wrongType(node: CompiledSchema, value: JsonValue, depth: number): void {
    const format = value === null || typeof value === 'string' ? undefined : checkedFormat(node);
    const isByFormat = format !== undefined && !Array.isArray(value);
    const wanted = isByFormat ? format : (node.type ?? 'integer,string');
    const name = isByFormat ? formatName(value) : typeName(value);
    const shown = this.#named(depth);
    this.#add(
      typeInvalid(this.#field(depth), name, `${shown} in body must be of type ${wanted}: "${name}"`),
      depth,
    );
  }

  #invalid(depth: number, value: JsonValue, rule: string): void {
    this.#add(invalid(this.#field(depth), value, `${this.#named(depth)} in body ${rule}`), depth);
  }

  /** What is about no value in particular has no field either: only its text names it. */
  #general(depth: number, rule: string): void {
    this.#add(invalid('<nil>', '', `"${this.#pathText(depth, false)}" ${rule}`), depth);
  }

  #add(error: FieldError, ownerDepth: number, origin: Origin = 'schema'): void {
    this.found.push({ error, origin, owner: this.#path.slice(0, ownerDepth) });
  }

  #field(depth: number): string {
    return this.#pathText(depth, false).replace(/^\./, '') || '<nil>';
  }

  /** How texts name it: the whole value not at all. */
  #named(depth: number): string {
    return this.#pathText(depth, false);
  }

  /** With keys of maps in brackets, as what is not the schema's own rules names them (field.Path.Key). */
  #keyedField(depth: number): string {
    return this.#pathText(depth, true) || '<nil>';
  }

  #pathText(depth: number, isKeyed: boolean): string {
    let text = this.#prefix;
    for (let i = 0; i < depth; i++) {
      const segment = this.#path[i] as Segment;
      if (typeof segment === 'number' || (isKeyed && this.#isMapKey[i] === true)) text += `[${segment}]`;
      // Keys of a map that is the whole value keep their dot in texts (kube-openapi validate/object_validator.go).
      else text += text === '' && this.#isMapKey[i] !== true ? segment : `.${segment}`;
    }
    return text;
  }
}

/** Decimal fractions are no exact doubles: 0.3 is a multiple of 0.1. */
function isMultipleOf(number: number, factor: number): boolean {
  if (Number.isSafeInteger(number) && Number.isInteger(factor)) return number % factor === 0;
  const quotient = number / factor;
  return Math.abs(quotient - Math.round(quotient)) <= 1e-9 * Math.max(1, Math.abs(quotient));
}
