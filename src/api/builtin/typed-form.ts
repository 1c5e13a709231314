import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { canonicalQuantity } from '#apimachinery/quantity.ts';
import type { CatalogueType, FieldExtras, TypeExpression } from './catalogue-types.ts';
import { catalogueType } from './catalogue-types.ts';
import { jsonSchemaPropsDefinition, jsonSchemaUnions } from './json-schema-unions.ts';

/**
 * What an object becomes when a Kubernetes server decodes it into its Go type: required fields that are not pointers
 * take their zero value, quantities their canonical text (`0.5` → `500m`), times UTC and whole seconds; optional ones
 * that its JSON leaves out when they are zero (`paused: false`, `name: ""`, `args: []`) are gone, so that saying them
 * changes nothing, and those that it always prints (structs) are there. So `required` errors of the schema are left for
 * what is a pointer in Go; emptiness is for each kind's validation to judge, as in Kubernetes.
 */
export function completeTypedForm(definition: string, object: JsonObject): void {
  let plan = rootPlans.get(definition);
  if (plan === undefined) {
    plan = planOf(definition.slice('io.k8s.'.length)) ?? 'nothing';
    rootPlans.set(definition, plan);
  }
  if (plan === 'nothing') return;
  const metadata = object['metadata'];
  const forgets = isForgetting(metadata);
  plan.complete(object);
  if (forgets) (metadata as JsonObject)['managedFields'] = [];
}

/** No managers at all are an order to forget them (KUBERNETES.md P4): of the object, not of what is in it. */
function isForgetting(metadata: JsonValue | undefined): boolean {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return false;
  const managers = metadata['managedFields'];
  return Array.isArray(managers) && managers.length === 0;
}

/** Plans by full names: of the kinds that there are. */
const rootPlans = new Map<string, Plan | 'nothing'>();

interface Plan {
  /** In place; returns the value to put instead where it cannot be changed in place. */
  complete(value: JsonValue): JsonValue;
}

const meta = 'apimachinery.pkg.apis.meta.v1';

const scalarPlans: { readonly [path: string]: (value: JsonValue) => JsonValue } = {
  'apimachinery.pkg.api.resource.Quantity': quantity,
  [`${meta}.Time`]: (value) => utcTime(value, 0),
  [`${meta}.MicroTime`]: (value) => utcTime(value, 6),
};

/** What is done with a field: work below it, undefined when there is none. */
interface FieldPlan {
  readonly below: Plan | undefined;
  /** Whether it goes when it is zero or empty. */
  readonly dropped: boolean;
}

class StructPlan implements Plan {
  /** Fields that there may be something to do with. */
  readonly fields = new Map<string, FieldPlan>();
  /** Fields that take a zero value when absent. */
  readonly zeros: { readonly field: string; readonly make: () => JsonValue }[] = [];

  complete(value: JsonValue): JsonValue {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    for (const { field, make } of this.zeros) if (value[field] === undefined) value[field] = make();
    // Of what a type knows, most objects have little: what is there is looked up, not what could be.
    for (const field in value) {
      const plan = this.fields.get(field);
      if (plan === undefined) continue;
      const present = value[field];
      if (present === undefined || present === null) continue;
      if (plan.dropped && isZero(present)) {
        delete value[field];
        continue;
      }
      if (plan.below === undefined) continue;
      const completed = plan.below.complete(present);
      if (completed !== present) value[field] = completed;
    }
    return value;
  }
}

/** What `omitempty` leaves out: no truth, number, text, item or key. */
function isZero(value: JsonValue): boolean {
  if (typeof value !== 'object') return value === '' || value === 0 || value === false;
  if (Array.isArray(value)) return value.length === 0;
  for (const _ in value) return false;
  return true;
}

/**
 * Lists whose emptiness validation tells from their absence (Go keeps an empty list until it encodes); by type, in every
 * version of it.
 */
const emptyIsSaid: { readonly [type: string]: readonly string[] } = {
  EphemeralContainer: ['ports', 'resizePolicy', 'restartPolicyRules'],
  DeviceAttribute: ['bools', 'ints', 'strings', 'versions'],
  HPAScalingRules: ['policies'],
};
/** The same of a field's struct, where it stands in that field alone: elsewhere what is empty is left out. */
const emptyIsSaidIn: { readonly [field: string]: readonly string[] } = {
  'EphemeralContainer.resources': ['claims', 'limits', 'requests'],
  'PodSpec.resources': ['claims'],
};

/** Plan of a named type, undefined when there is nothing to do in it or below it. */
const plans = new Map<string, StructPlan | undefined>();
/** Types whose plan is being made: a recursive reference is assumed to need work. */
const open = new Map<string, StructPlan>();

function planOf(path: string): Plan | undefined {
  const scalar = scalarPlans[path];
  if (scalar !== undefined) return { complete: scalar };
  if (jsonSchemaUnions[`io.k8s.${path}`] !== undefined) return unionPlan;
  if (plans.has(path)) return plans.get(path);
  const building = open.get(path);
  if (building !== undefined) return building;
  const type = catalogueType(path);
  if (type?.p === undefined) {
    plans.set(path, undefined);
    return undefined;
  }
  const plan = new StructPlan();
  open.set(path, plan);
  fill(plan, type, nameOf(path), emptyIsSaid[nameOf(path)] ?? []);
  open.delete(path);
  const useful = plan.fields.size > 0 || plan.zeros.length > 0 ? plan : undefined;
  plans.set(path, useful);
  return useful;
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('.') + 1);

/** `kept`: fields of the type that stay when they are empty. */
function fill(plan: StructPlan, type: CatalogueType, name: string, kept: readonly string[]): void {
  const pointers = new Set(type.rp);
  for (const field of type.r ?? []) {
    const zero = pointers.has(field) ? undefined : zeroOf(expressionOf(type, field));
    if (zero !== undefined) plan.zeros.push({ field, make: zero });
  }
  for (const field of type.a ?? []) {
    const zero = zeroOf(expressionOf(type, field));
    if (zero !== undefined) plan.zeros.push({ field, make: zero });
  }
  const omitted = new Set(type.z);
  for (const field of kept) omitted.delete(field);
  for (const field in type.p) {
    const below = fieldPlan(`${name}.${field}`, expressionOf(type, field));
    const dropped = omitted.has(field);
    if (below !== undefined || dropped) plan.fields.set(field, { below, dropped });
  }
}

function fieldPlan(field: string, expression: TypeExpression): Plan | undefined {
  const kept = emptyIsSaidIn[field];
  const path = expression.slice(1);
  const type = kept === undefined ? undefined : catalogueType(path);
  if (kept === undefined || type === undefined) return expressionPlan(expression);
  const plan = new StructPlan();
  fill(plan, type, nameOf(path), kept);
  return plan;
}

/** A schema, or several, or a plain value (json-schema-unions.ts). */
const unionPlan: Plan = {
  complete: (value) => {
    const schema = planOf(jsonSchemaPropsDefinition.slice('io.k8s.'.length));
    if (schema === undefined) return value;
    return Array.isArray(value) ? completeList(schema, value) : schema.complete(value);
  },
};

function expressionOf(type: CatalogueType, field: string): TypeExpression {
  const entry: TypeExpression | readonly [TypeExpression, FieldExtras] = type.p![field]!;
  return typeof entry === 'string' ? entry : entry[0];
}

function expressionPlan(expression: TypeExpression): Plan | undefined {
  if (expression.startsWith('#')) return planOf(expression.slice(1));
  const isList = expression.startsWith('[]');
  if (!isList && !expression.startsWith('{}')) return undefined;
  const element = expressionPlan(expression.slice(2));
  if (element === undefined) return undefined;
  return {
    complete: isList ? (value) => completeList(element, value) : (value) => completeMap(element, value),
  };
}

function completeList(element: Plan, value: JsonValue): JsonValue {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item = value[i]!;
      const completed = element.complete(item);
      if (completed !== item) value[i] = completed;
    }
  }
  return value;
}

function completeMap(element: Plan, value: JsonValue): JsonValue {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const key in value) {
      const member = value[key];
      if (member === undefined) continue;
      const completed = element.complete(member);
      if (completed !== member) value[key] = completed;
    }
  }
  return value;
}

/** The zero value that Go's encoder prints; undefined where that is null (times, raw JSON), which we leave out. */
function zeroOf(expression: TypeExpression): (() => JsonValue) | undefined {
  switch (expression) {
    case 'string':
    case 'bytes':
      return () => '';
    case 'bool':
      return () => false;
    case 'int32':
    case 'int64':
    case 'double':
      return () => 0;
    case '#apimachinery.pkg.api.resource.Quantity':
      return () => '0';
    case '#apimachinery.pkg.util.intstr.IntOrString':
      return () => 0;
    default:
      break;
  }
  if (expression.startsWith('[]')) return () => [];
  if (expression.startsWith('{}')) return () => ({});
  if (expression.startsWith('#') && catalogueType(expression.slice(1))?.p !== undefined) return () => ({});
  return undefined;
}

/** What is no quantity stays as it is, for validation to refuse. */
function quantity(value: JsonValue): JsonValue {
  if (typeof value !== 'string' && typeof value !== 'number') return value;
  try {
    return canonicalQuantity(value);
  } catch {
    return value;
  }
}

const plainUtc = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

function utcTime(value: JsonValue, fractionDigits: 0 | 6): JsonValue {
  if (typeof value !== 'string' || (fractionDigits === 0 && plainUtc.test(value))) return value;
  const match = rfc3339.exec(value);
  const timeMs = match === null ? Number.NaN : Date.parse(value.toUpperCase());
  if (Number.isNaN(timeMs)) return value;
  const whole = new Date(Math.floor(timeMs / 1000) * 1000).toISOString().slice(0, 19);
  if (fractionDigits === 0) return `${whole}Z`;
  return `${whole}.${(match![1] ?? '.').slice(1, 7).padEnd(6, '0')}Z`;
}
