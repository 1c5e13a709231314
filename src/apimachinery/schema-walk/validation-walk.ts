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
import { goRegexp, RegexpCostError } from '../go-regexp/go-regexp.ts';
import { RegexpSyntaxError } from '../go-regexp/syntax-error.ts';
import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '../json.ts';
import { dns1035Label } from '../names.ts';
import type { ValueValidation } from '../schema.ts';
import { type CompiledSchema, compiled } from './compiled-schema.ts';
import { goBytes, hasNumberFormat, hasStringFormat } from './formats.ts';
import {
  canonical,
  checkedFormat,
  codePoints,
  formatName,
  hasType,
  isConvertedTo,
  isInt64,
  isMultipleOf,
  mapKeyOf,
  typeName,
} from './value-facts.ts';

/** Validation stops here: more would help nobody, and messages must fit a response. */
const errorsMax = 100;

export type Segment = string | number;

/**
 * What found an error: an update is let off those of the schema where nothing changed, those of lists where the old object
 * has such as well, and never those of embedded resources (apiextensions customResourceStrategy.ValidateUpdate).
 */
export type Origin = 'schema' | 'list' | 'embedded';

export interface Found {
  readonly error: FieldError;
  readonly origin: Origin;
  /** Where the value that was validated lies: for a missing field its parent. */
  readonly owner: readonly Segment[];
}

/** `anyOf` of an x-kubernetes-int-or-string that says its types once more. */
const textOrInteger: readonly CompiledSchema[] = [
  compiled({ type: 'integer' }),
  compiled({ type: 'string' }),
];

/** What a branch of a junctor found. */
interface Failures {
  readonly found: readonly Found[];
  readonly visited: number;
}

/** The branch that looked at more of the value is told, the first of equals (kube-openapi Result.MatchCount). */
function better(best: Failures | undefined, next: Failures): Failures {
  return best === undefined || next.visited > best.visited ? next : best;
}

/** Holds one value against a schema, and all below it (kube-openapi validation/validate, apiextensions schema/listtype). */
export class ValidationWalk {
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
    const isOfType = hasType(node, value);
    if (!isOfType) {
      // All else that is said of such a value holds nevertheless.
      this.#wrongType(node, value, depth);
      if (node.schema.repeatsTypes === true) this.#anyOf(textOrInteger, value, depth, checksLists);
    } else if (typeof value === 'number' && node.type === 'integer' && !Number.isSafeInteger(value)) {
      // Kept as a double it would not come back as it was written.
      this.#invalid(
        depth,
        value,
        `should be an integer between -${Number.MAX_SAFE_INTEGER} and ${Number.MAX_SAFE_INTEGER}`,
      );
    }
    this.#rules(node, node.validation, value, depth, checksLists, isOfType);
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
    const isMap = node.listType === 'map';
    list.forEach((one, index) => {
      // Nothing is an object without its keys (validateListMap).
      const item = isMap && one === null ? {} : one;
      const key = isMap ? mapKeyOf(node, item) : canonical(item);
      const times = (seen.get(key) ?? 0) + 1;
      seen.set(key, times);
      // Of what stands there often the second is told (apiextensions schema/listtype validateListSet).
      if (times !== 2) return;
      let shown = item;
      if (isMap && isJsonObject(item)) {
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

  /** Behind the type, in the order of kube-openapi's validators (validate/schema.go NewSchemaValidator). */
  #rules(
    node: CompiledSchema,
    rules: ValueValidation | undefined,
    value: JsonValue,
    depth: number,
    checksLists: boolean,
    isOfType: boolean,
  ): void {
    if (rules !== undefined || typeof value === 'object') node.open();
    if (rules !== undefined) this.#junctors(node, value, depth, checksLists);
    if (node.type === 'integer' && typeof value === 'number' && !isInt64(value))
      this.#unfitting(checkedFormat(node), depth);
    if (typeof value === 'string' && rules !== undefined) this.#stringRules(rules, value, depth);
    else if (typeof value === 'number' && rules !== undefined) this.#numberRules(rules, value, depth);
    if (Array.isArray(value)) {
      if (isOfType) this.#items(node, value, depth, checksLists);
      if (rules !== undefined) this.#arrayRules(rules, value, depth);
    }
    if (rules?.enum !== undefined) this.#enum(rules.enum, value, depth);
    if (typeof value !== 'object' || Array.isArray(value)) return;
    const object = value as JsonObject;
    if (rules !== undefined) this.#objectRules(rules, object, depth);
    if (!isOfType) return;
    this.#properties(node, object, depth, checksLists && !node.isKubernetesType);
    if (node.embeddedResource) this.#embedded(object, depth);
  }

  /** In the order of its schemaPropsValidator (validate/schema_props.go). */
  #junctors(node: CompiledSchema, value: JsonValue, depth: number, checksLists: boolean): void {
    if (node.anyOf !== undefined) this.#anyOf(node.anyOf, value, depth, checksLists);
    if (node.oneOf !== undefined) this.#oneOf(node.oneOf, value, depth, checksLists);
    if (node.allOf !== undefined) this.#allOf(node, node.allOf, value, depth, checksLists);
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
      this.#notOfType(depth, text, rules.format);
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
    if (format !== undefined && Number.isInteger(number) && !hasNumberFormat(number, format)) {
      this.#unfitting(format, depth);
    }
    if (factor !== undefined && factor <= 0) {
      const where = this.#pathText(depth, false);
      const why = `factor MultipleOf declared for ${where} must be positive: ${factor}`;
      this.#add(invalid(this.#field(depth), factor, why), depth);
    } else if (factor !== undefined && !isMultipleOf(number, factor)) {
      this.#invalid(depth, number, `should be a multiple of ${factor}`);
    }
    if (minimum !== undefined) {
      if (rules.exclusiveMinimum === true ? number <= minimum : number < minimum) {
        const relation = rules.exclusiveMinimum === true ? 'greater than' : 'greater than or equal to';
        this.#invalid(depth, number, `should be ${relation} ${minimum}`);
      }
    }
    if (maximum !== undefined) {
      if (rules.exclusiveMaximum === true ? number >= maximum : number > maximum) {
        const relation = rules.exclusiveMaximum === true ? 'less than' : 'less than or equal to';
        this.#invalid(depth, number, `should be ${relation} ${maximum}`);
      }
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
    const [name, wanted] = format === undefined ? ['number', 'integer'] : ['float64', format];
    // The type is looked at first (kube-openapi validate/schema.go), as everywhere.
    this.#notOfType(depth, name, wanted);
    const others = rules === undefined ? undefined : { ...rules, format: undefined };
    this.#rules(node, others, number, depth, checksLists, false);
  }

  #arrayRules(rules: ValueValidation, list: readonly JsonValue[], depth: number): void {
    if (rules.minItems !== undefined && list.length < rules.minItems) {
      this.#invalid(depth, list.length, `should have at least ${rules.minItems} items`);
    }
    if (rules.maxItems !== undefined && list.length > rules.maxItems) {
      this.#add(tooMany(this.#field(depth), list.length, rules.maxItems), depth);
    }
    if (rules.uniqueItems === true && new Set(list.map(canonical)).size !== list.length) {
      this.#invalid(depth, list as JsonValue[], "shouldn't contain duplicates");
    }
  }

  #objectRules(rules: ValueValidation, object: JsonObject, depth: number): void {
    const { minProperties, maxProperties } = rules;
    if (minProperties === undefined && maxProperties === undefined) return;
    const count = Object.keys(object).length;
    if (minProperties !== undefined && count < minProperties) {
      this.#invalid(depth, count, `should have at least ${minProperties} properties`);
    }
    if (maxProperties !== undefined && count > maxProperties) {
      this.#add(tooMany(this.#field(depth), count, maxProperties), depth);
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
    this.#notOfType(depth, name, wanted);
  }

  /** `shown`: the value, or the name of what it is instead. */
  #notOfType(depth: number, shown: string, wanted: string): void {
    const text = `${this.#named(depth)} in body must be of type ${wanted}: ${JSON.stringify(shown)}`;
    this.#add(typeInvalid(this.#field(depth), shown, text), depth);
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

function kindFault(kind: string): string | undefined {
  const wrong = dns1035Label(kind.toLowerCase());
  if (wrong.length === 0) return undefined;
  return `may have mixed case, but should otherwise match: ${wrong.join(',')}`;
}

function groupVersionFault(apiVersion: string): string | undefined {
  return apiVersion.split('/').length > 2 ? `unexpected GroupVersion string: ${apiVersion}` : undefined;
}
