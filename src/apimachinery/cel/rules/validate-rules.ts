import { duplicate, type FieldError, forbiddenField, invalid, required } from '../../field-error.ts';
import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import type { CelRule, Schema } from '../../schema.ts';
import { declOf } from '../decl.ts';
import { listMapKey } from '../equality.ts';
import { CelCostError } from '../frame.ts';
import { valueOfJson } from '../json-values.ts';
import type { CelProgram } from '../program.ts';
import type { Decl } from '../types.ts';
import { CelFault, Optional, type Value } from '../values.ts';
import { hasRules } from './has-rules.ts';
import { type RuleProgram, rulesOf } from './rule-program.ts';

/** Cost of one evaluation, and of all evaluations for one object (apiserver/pkg/apis/cel/config.go). */
export const callCostMax = 1_000_000;
export const objectCostMax = 10_000_000;
const messageBytesMax = 5 * 1024;
const errorsMax = 100;

export interface RuleResult {
  readonly errors: readonly FieldError[];
  /** Errors of what has not changed, which are let pass (R5), as warnings. */
  readonly ratcheted: readonly FieldError[];
}

const nothing: RuleResult = { errors: [], ratcheted: [] };

/**
 * Evaluates the CEL rules of a schema against an object that has passed the schema otherwise (KUBERNETES.md R4, R5), with
 * Kubernetes' error texts. `old` is what it replaces. At once done when the schema has no rules.
 */
export function validateRules(schema: Schema, value: JsonObject, old: JsonValue | undefined): RuleResult {
  if (!hasRules(schema)) return nothing;
  const walk = new RuleWalk(true);
  walk.visit(schema, true, value, old, '', { isUnchanged: undefined, old });
  return walk;
}

/**
 * The errors of a default: it must hold as what replaces itself, and as what is new (apiextensions defaulting/validation.go).
 */
export function validateRulesOfDefault(
  schema: Schema,
  isResource: boolean,
  value: JsonValue,
  path: string,
): readonly FieldError[] {
  if (!hasRules(schema)) return [];
  const errorsWith = (old: JsonValue | undefined): readonly FieldError[] => {
    const walk = new RuleWalk(false);
    walk.visit(schema, isResource, value, old, path, { isUnchanged: undefined, old });
    return walk.errors;
  };
  const errors = errorsWith(value);
  return errors.length > 0 ? errors : errorsWith(undefined);
}

/** Where a node stands among what has an old counterpart. */
interface Correlation {
  /** Of the nearest ancestor with an old counterpart: whether the two are equal; undefined when not asked yet. */
  isUnchanged: boolean | undefined;
  readonly old: JsonValue | undefined;
}

class RuleWalk implements RuleResult {
  readonly errors: FieldError[] = [];
  readonly ratcheted: FieldError[] = [];
  readonly #letsPass: boolean;
  #budget = objectCostMax;

  /** `letsPass`: whether errors of what has not changed are told apart. */
  constructor(letsPass: boolean) {
    this.#letsPass = letsPass;
  }

  /** False when nothing more is to be evaluated. */
  visit(
    schema: Schema,
    isResource: boolean,
    value: JsonValue,
    old: JsonValue | undefined,
    path: string,
    nearest: Correlation,
  ): boolean {
    if (value === null || this.errors.length >= errorsMax) return true;
    const correlation: Correlation =
      old === undefined || old === null ? nearest : { isUnchanged: undefined, old };
    // The nearest ancestor that can be correlated must be compared as the whole that it is.
    const isOwn = correlation !== nearest;
    const isUnchanged = (): boolean => {
      if (isOwn) correlation.isUnchanged ??= equalJson(value, old);
      return correlation.isUnchanged === true;
    };
    if (schema.celRules !== undefined && !this.#evaluate(schema, isResource, value, old, path, isUnchanged)) {
      return false;
    }
    for (const branch of schema.validation?.allOf ?? []) {
      if (hasRules(branch) && !this.#allOf(schema, branch, isResource, value, old, path)) return false;
    }
    if (Array.isArray(value)) return this.#items(schema, value, old, path, correlation, isUnchanged);
    if (isJsonObject(value)) return this.#members(schema, value, old, path, correlation, isUnchanged);
    return true;
  }

  /** Rules inside allOf are about the fields that stand outside of it; their errors are not ratcheted. */
  #allOf(
    schema: Schema,
    branch: Schema,
    isResource: boolean,
    value: JsonValue,
    old: JsonValue | undefined,
    path: string,
  ): boolean {
    const merged = mergedBranch(schema, branch);
    return this.visit(merged, isResource, value, old, path, { isUnchanged: false, old: undefined });
  }

  #items(
    schema: Schema,
    list: readonly JsonValue[],
    old: JsonValue | undefined,
    path: string,
    correlation: Correlation,
    isUnchanged: () => boolean,
  ): boolean {
    const { items } = schema;
    if (items === undefined || !hasRules(items)) return true;
    const before = schema.listType === 'map' && Array.isArray(old) ? oldItems(schema, old) : undefined;
    const decl = declOf(schema, false);
    for (let index = 0; index < list.length; index++) {
      const item = list[index] as JsonValue;
      const counterpart =
        before === undefined || decl === undefined
          ? undefined
          : before.get(listMapKey(valueOfJson(item, decl.element), decl));
      if (counterpart === undefined) correlation.isUnchanged ??= isUnchanged();
      const isResource = items.embeddedResource === true;
      if (!this.visit(items, isResource, item, counterpart, `${path}[${index}]`, correlation)) return false;
    }
    return true;
  }

  #members(
    schema: Schema,
    object: JsonObject,
    old: JsonValue | undefined,
    path: string,
    correlation: Correlation,
    isUnchanged: () => boolean,
  ): boolean {
    const { properties, additionalProperties } = schema;
    for (const key in object) {
      const property = properties?.get(key);
      const child = property ?? additionalProperties;
      const value = object[key];
      if (child === undefined || value === undefined || !hasRules(child)) continue;
      const before = isJsonObject(old) && Object.hasOwn(old, key) ? old[key] : undefined;
      if (before === undefined || before === null) correlation.isUnchanged ??= isUnchanged();
      const at = property === undefined ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
      if (!this.visit(child, child.embeddedResource === true, value, before, at, correlation)) return false;
    }
    return true;
  }

  #evaluate(
    schema: Schema,
    isResource: boolean,
    value: JsonValue,
    old: JsonValue | undefined,
    path: string,
    isUnchanged: () => boolean,
  ): boolean {
    const decl = declOf(schema, isResource);
    const self = valueOfJson(value, decl);
    const hasOld = old !== undefined && old !== null;
    const oldSelf = hasOld ? valueOfJson(old, decl) : undefined;
    const type = schema.type ?? '';
    // Whether the rule's is optional or not, it never is in its message.
    const messageVariables = (name: string): Value => (name === 'self' ? self : (oldSelf ?? noOldSelf));
    for (const rule of rulesOf(schema, isResource)) {
      if (this.errors.length >= errorsMax) return false;
      if (rule.error !== undefined) {
        this.errors.push(invalid(nameOf(path), type, `rule compile error: ${rule.error}`));
        continue;
      }
      if (rule.program === undefined) continue;
      const isOptional = rule.rule.optionalOldSelf === true;
      if (rule.usesOldSelf && !hasOld && !isOptional) continue;
      const oldValue = isOptional && hasOld ? optionalOf(old, decl) : isOptional ? Optional.none : oldSelf;
      const variables = (name: string): Value => (name === 'self' ? self : (oldValue ?? null));
      const found = this.#run(rule.program, variables, rule.rule, nameOf(path), type);
      if (found === 'stop') return false;
      if (found === 'failed' || found === true) continue;
      const at = below(path, rule.fieldPath);
      const detail = this.#message(rule, messageVariables, nameOf(at), type);
      if (detail === undefined) return false;
      const error = errorFor(rule.rule, nameOf(at), value, detail);
      if (this.#letsPass && !rule.usesOldSelf && isUnchanged()) this.ratcheted.push(error);
      else this.errors.push(error);
    }
    return true;
  }

  /** Whether a rule holds; `failed` when it went wrong (its error is recorded), `stop` when the budget is used up. */
  #run(
    program: CelProgram,
    variables: (name: string) => Value,
    rule: CelRule,
    path: string,
    type: string,
  ): boolean | 'failed' | 'stop' {
    let result: { value: Value; cost: number };
    try {
      result = program.run(variables, Math.min(callCostMax, this.#budget));
    } catch (error) {
      if (!(error instanceof CelCostError)) throw error;
      this.errors.push(invalid(path, type, costText(this.#budget, error.message, ruleText(rule))));
      return 'stop';
    }
    this.#budget -= result.cost;
    const { value } = result;
    if (!(value instanceof CelFault)) return value === true;
    const text = value.message.startsWith('no such overload')
      ? `'${value.message}': call arguments did not match a supported operator, function or macro signature for rule: ${ruleText(rule)}`
      : `${value.message} evaluating rule: ${ruleText(rule)}`;
    this.errors.push(invalid(path, type, text));
    return 'failed';
  }

  /** The message of a failed rule; undefined (with an error recorded) when the budget is used up. */
  #message(
    { message, rule }: RuleProgram,
    variables: (name: string) => Value,
    path: string,
    type: string,
  ): string | undefined {
    const plain =
      rule.message === undefined || rule.message === ''
        ? `failed rule: ${ruleText(rule)}`
        : rule.message.trim();
    if (message === undefined) return plain;
    try {
      const { value, cost } = message.run(variables, Math.min(callCostMax, this.#budget));
      this.#budget -= cost;
      return messageText(value) ?? plain;
    } catch (error) {
      if (!(error instanceof CelCostError)) throw error;
      const source = JSON.stringify(message.source);
      this.errors.push(
        invalid(
          path,
          type,
          this.#budget < callCostMax
            ? 'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run'
            : `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${source}`,
        ),
      );
      return undefined;
    }
  }
}

const noOldSelf = new CelFault('no such attribute(s): oldSelf');

/**
 * An optional `oldSelf`: an object or a list in it is plain JSON, without the names and formats of the schema, for cel-go makes it
 * anew from its content where it stands for a variable (interpreter/attributes.go applyQualifiers).
 */
function optionalOf(old: JsonValue, decl: Decl | undefined): Optional {
  return new Optional(valueOfJson(old, typeof old === 'object' ? undefined : decl));
}

/** The text of a messageExpression's result; undefined for what cannot be shown on one line. */
export function messageText(value: Value): string | undefined {
  const text = typeof value === 'string' ? value.trim() : '';
  if (text === '' || text.includes('\n') || Buffer.byteLength(text) > messageBytesMax) return undefined;
  return text;
}

function costText(budget: number, message: string, rule: string): string {
  if (budget < callCostMax) {
    return 'validation failed due to running out of cost budget, no further validation rules will be run';
  }
  return `'${message}': no further validation rules will be run due to call cost exceeds limit for rule: ${rule}`;
}

function ruleText(rule: CelRule): string {
  return rule.message === undefined || rule.message === '' ? rule.rule.trim() : rule.message.trim();
}

/** Only scalars are shown (apiextensions cel/validation.go: OmitValueType for objects and arrays). */
function errorFor(rule: CelRule, path: string, value: JsonValue, detail: string): FieldError {
  const isShown = typeof value !== 'object' || value === null;
  switch (rule.reason) {
    case 'FieldValueForbidden':
      return forbiddenField(path, detail);
    case 'FieldValueRequired':
      return required(path, detail);
    case 'FieldValueDuplicate':
      return isShown
        ? duplicate(path, value)
        : { type: 'FieldValueDuplicate', field: path, message: 'Duplicate value' };
    default:
      return isShown
        ? invalid(path, value, detail)
        : { type: 'FieldValueInvalid', field: path, message: `Invalid value: ${detail}` };
  }
}

function below(path: string, inner: string): string {
  if (path === '' || inner === '') return path + inner;
  return inner.startsWith('[') ? `${path}${inner}` : `${path}.${inner}`;
}

function nameOf(path: string): string {
  return path === '' ? '<nil>' : path;
}

function oldItems(schema: Schema, list: readonly JsonValue[]): ReadonlyMap<string, JsonValue> | undefined {
  const decl = declOf(schema, false);
  if (decl === undefined) return undefined;
  return new Map(list.map((item) => [listMapKey(valueOfJson(item, decl.element), decl), item]));
}

const merged = new WeakMap<Schema, WeakMap<Schema, Schema>>();

/** The structure of a schema with the rules of one of its allOf branches. */
function mergedBranch(schema: Schema, branch: Schema): Schema {
  let branches = merged.get(schema);
  if (branches === undefined) {
    branches = new WeakMap();
    merged.set(schema, branches);
  }
  let result = branches.get(branch);
  if (result === undefined) {
    result = withRulesOf(schema, branch);
    branches.set(branch, result);
  }
  return result;
}

function withRulesOf(schema: Schema, branch: Schema): Schema {
  const { validation, celRules: _, ...structure } = schema;
  const { allOf: __, ...checks } = validation ?? {};
  const properties = new Map(
    [...(schema.properties ?? [])].map(([name, child]) => {
      const narrowed = branch.properties?.get(name);
      return [name, narrowed === undefined ? withoutRules(child) : withRulesOf(child, narrowed)] as const;
    }),
  );
  const items =
    schema.items === undefined
      ? undefined
      : branch.items === undefined
        ? withoutRules(schema.items)
        : withRulesOf(schema.items, branch.items);
  return {
    ...structure,
    ...(schema.properties === undefined ? {} : { properties }),
    ...(items === undefined ? {} : { items }),
    validation: {
      ...checks,
      ...(branch.validation?.allOf === undefined ? {} : { allOf: branch.validation.allOf }),
    },
    ...(branch.celRules === undefined ? {} : { celRules: branch.celRules }),
  };
}

function withoutRules(schema: Schema): Schema {
  return hasRules(schema) ? withRulesOf(schema, {}) : schema;
}
