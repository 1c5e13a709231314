import type { StructType } from '#apimachinery/cel/environment.ts';
import { FunctionTable } from '#apimachinery/cel/functions/registry.ts';
import { jsonOfValue } from '#apimachinery/cel/json-values.ts';
import { boolType, CelType, dynType, listOf, stringType } from '#apimachinery/cel/types.ts';
import { CelFault, CelList, CelMap, NativeMap, type Value } from '#apimachinery/cel/values.ts';
import {
  asObject,
  asObjects,
  asText,
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from '#apimachinery/json.ts';
import type { PolicyErrorType } from '../admission-metrics.ts';
import {
  BudgetError,
  conditionsCostMax,
  Evaluation,
  type EvaluationInput,
  policyCostMax,
} from './evaluation.ts';
import {
  compileVariables,
  type Expression,
  expressionOf,
  type NamedExpression,
  namedExpressions,
} from './expressions.ts';
import { conditionsHold } from './match-conditions.ts';
import { policyEnvironment } from './policy-environment.ts';
import { conditionInput } from './policy-input.ts';
import { type MatchResources, matchResourcesOf } from './policy-matching.ts';

export interface Mutation {
  readonly type: 'ApplyConfiguration' | 'JSONPatch';
  readonly expression: Expression;
}

/** A MutatingAdmissionPolicy, compiled. */
export interface MutatingPolicy {
  readonly match: MatchResources | undefined;
  readonly failsClosed: boolean;
  readonly reinvokes: boolean;
  readonly paramKind: JsonObject | undefined;
  readonly conditions: readonly NamedExpression[];
  readonly variables: readonly NamedExpression[];
  readonly mutations: readonly Mutation[];
}

const compilationFault = 'compilation error: ';

/** A mutation could not be made; the message says why. */
export class MutationError extends Error {
  override readonly name = 'MutationError';

  get type(): PolicyErrorType {
    if (this.cause instanceof BudgetError) return 'out_of_budget';
    return this.message.startsWith(compilationFault) ? 'compile_error' : 'invalid_error';
  }
}

/** `Object`, `Object.spec`, …: parts of an apply configuration, whose fields the resource's schema judges afterwards. */
const objectType = (name: string): CelType => new CelType('object', name);
const patchType = new CelType('object', 'JSONPatch');

/** A field that JSONPatch has not is one of no type: nothing fits it. */
const noType = new CelType('opaque', '');

/** What `Object.spec{…}` makes: it knows what it was called. */
class Initialised extends NativeMap {
  readonly typeName: string;

  constructor(typeName: string, fields: ReadonlyMap<string, Value>) {
    super();
    this.typeName = typeName;
    for (const [name, value] of fields) this.add(name, value);
  }
}

const patchFields: ReadonlyMap<string, CelType> = new Map([
  ['op', stringType],
  ['path', stringType],
  ['from', stringType],
  ['value', dynType],
]);

function structOf(name: string): StructType | undefined {
  if (name === 'JSONPatch') {
    return {
      type: patchType,
      fieldType: (field) => patchFields.get(field) ?? noType,
      make: (fields) => new Initialised(name, fields),
    };
  }
  if (name !== 'Object' && !name.startsWith('Object.')) return undefined;
  return {
    type: objectType(name),
    fieldType: () => dynType,
    make: (fields) => new Initialised(name, fields),
  };
}

/** `jsonpatch.escapeKey` (RFC 6901). */
const functions = new FunctionTable().add(['jsonpatch.escapeKey(string) string'], ([key]) =>
  (key as string).replaceAll('~', '~0').replaceAll('/', '~1'),
);

/** Compiles a policy's spec (KEP-3962); what does not compile stands in it as an error. */
export function compileMutatingPolicy(spec: JsonObject): MutatingPolicy {
  const paramKind = spec['paramKind'] === undefined ? undefined : asObject(spec['paramKind']);
  const uses = { params: paramKind !== undefined, namespaceObject: true, authorizer: true };
  const variables = compileVariables(spec['variables'], (own) => policyEnvironment({ ...uses, own }));
  const plain = policyEnvironment({ ...uses, own: variables.types });
  const environment = { ...plain, functions: plain.functions.with(functions), structOf };
  const conditions = policyEnvironment(uses);
  return {
    match: matchResourcesOf(spec['matchConstraints']),
    failsClosed: spec['failurePolicy'] !== 'Ignore',
    reinvokes: spec['reinvocationPolicy'] === 'IfNeeded',
    paramKind,
    conditions: namedExpressions(spec['matchConditions'], (source) =>
      expressionOf(source.trim(), conditions, [boolType]),
    ),
    variables: variables.list,
    mutations: asObjects(spec['mutations']).map((mutation): Mutation => {
      const isPatch = mutation['patchType'] === 'JSONPatch';
      const source = asText(asObject(mutation[isPatch ? 'jsonPatch' : 'applyConfiguration'])['expression']);
      return {
        type: isPatch ? 'JSONPatch' : 'ApplyConfiguration',
        expression: expressionOf(source.trim(), environment, [
          isPatch ? listOf(patchType) : objectType('Object'),
        ]),
      };
    }),
  };
}

export type Change =
  | { readonly type: 'ApplyConfiguration'; readonly config: JsonObject }
  | { readonly type: 'JSONPatch'; readonly operations: readonly JsonValue[] };

/** Whether a policy's conditions hold. Throws MutationError where that cannot be said. */
export function mutationApplies(policy: MutatingPolicy, input: Omit<EvaluationInput, 'own'>): boolean {
  if (policy.conditions.length === 0) return true;
  const result = withinBudget(() =>
    conditionsHold(policy.conditions, new Evaluation(conditionInput(input), conditionsCostMax)),
  );
  if (result.error !== undefined) throw new MutationError(result.error);
  return result.matches;
}

/** What one mutation asks for, of the object as it is now. Throws MutationError and PendingDecision. */
export function changeOf(
  mutation: Mutation,
  policy: MutatingPolicy,
  input: Omit<EvaluationInput, 'own'>,
): Change {
  const { expression, type } = mutation;
  if (expression.program === undefined) throw new MutationError(`${compilationFault}${expression.error}`);
  const { program } = expression;
  const own = new Map(
    policy.variables.flatMap((variable) =>
      variable.expression.program === undefined
        ? []
        : [[variable.name, variable.expression.program] as const],
    ),
  );
  const value = withinBudget(() => new Evaluation({ ...input, own }, policyCostMax).run(program));
  if (value instanceof CelFault) {
    throw new MutationError(`expression '${expression.source}' resulted in error: ${value.message}`);
  }
  if (type === 'ApplyConfiguration') {
    checkNames(value, 'Object');
    return { type, config: configOf(value) };
  }
  if (!(value instanceof CelList)) throw new MutationError('a JSONPatch expression must evaluate to a list');
  return { type, operations: value.toArray().map(operationOf) };
}

function withinBudget<T>(evaluate: () => T): T {
  try {
    return evaluate();
  } catch (error) {
    if (error instanceof BudgetError) throw new MutationError(error.message, { cause: error });
    throw error;
  }
}

/** Types of initializers must be called after the fields that they stand in (cel/mutation/dynamic CheckTypeNamesMatchFieldPathNames). */
function checkNames(value: Value, name: string): void {
  const faults = namesNotOf(value, name);
  if (faults.length > 0) throw new MutationError(`type mismatch: ${faults.join('\n')}`);
}

function namesNotOf(value: Value, name: string): string[] {
  if (value instanceof CelList) return value.toArray().flatMap((item) => namesNotOf(item, name));
  if (!(value instanceof CelMap)) return [];
  const isNamed = value instanceof Initialised;
  const wrong =
    isNamed && value.typeName !== name
      ? [
          `unexpected type name "${value.typeName}", expected "${name}", which matches field name path from root Object type`,
        ]
      : [];
  const inside = value
    .keys()
    .flatMap((key) => namesNotOf(value.get(key) as Value, isNamed ? `${name}.${String(key)}` : name));
  return [...wrong, ...inside];
}

function operationOf(value: Value): JsonValue {
  const set = value instanceof CelMap ? value.get('value') : undefined;
  if (set instanceof Initialised) checkNames(set, set.typeName);
  const json = jsonOfValue(value);
  if (!isJsonObject(json))
    throw new MutationError('a JSONPatch expression must evaluate to a list of JSONPatch');
  return json;
}

/**
 * What an object is and what the server says of it is passed over; to what it is called no policy may lead it (KEP-3962).
 */
function configOf(value: Value): JsonObject {
  const json = jsonOfValue(value);
  if (!isJsonObject(json))
    throw new MutationError('an applyConfiguration expression must evaluate to an Object');
  const { apiVersion: _, kind: __, ...config } = json;
  if (!isJsonObject(config['metadata'])) return config;
  const { uid, creationTimestamp, selfLink, ...metadata } = config['metadata'];
  for (const name of ['name', 'namespace']) {
    if (metadata[name] !== undefined) {
      throw new MutationError(`metadata.${name} must not be set by an apply configuration`);
    }
  }
  return { ...config, metadata };
}
