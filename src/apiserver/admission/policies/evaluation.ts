import { CelCostError } from '#apimachinery/cel/frame.ts';
import { JsonMap } from '#apimachinery/cel/json-values.ts';
import type { CelProgram } from '#apimachinery/cel/program.ts';
import { CelFault, CelMap, type Value } from '#apimachinery/cel/values.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { type CelAuthorizer, requestResourceCheck } from './cel-authorizer.ts';
import { namespaceDecl, requestDecl } from './policy-environment.ts';

/** Cost of one expression; of a policy for one binding; of the match conditions of one policy or webhook. */
export const callCostMax = 1_000_000;
export const policyCostMax = 10_000_000;
export const conditionsCostMax = 2_500_000;

/** All evaluations together have cost what they may. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError';

  constructor() {
    super('validation failed due to running out of cost budget, no further validation rules will be run');
  }
}

export interface EvaluationInput {
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
  /** AdmissionRequest without its objects. */
  readonly request: JsonObject;
  readonly params?: KubeObject | undefined;
  readonly namespace?: KubeObject | undefined;
  readonly authorizer: CelAuthorizer | undefined;
  /** A policy's own variables, each evaluated at most once, when it is asked for. */
  readonly own?: ReadonlyMap<string, CelProgram> | undefined;
}

/** The expressions of one sort of one policy over one request; its variables are evaluated for each sort. */
export class Evaluation {
  readonly #input: EvaluationInput;
  readonly #values = new Map<string, Value>();
  #budget: number;

  constructor(input: EvaluationInput, costMax: number) {
    this.#input = input;
    this.#budget = costMax;
  }

  get budget(): number {
    return this.#budget;
  }

  /** The result, a CelFault for what went wrong. Throws BudgetError, and PendingDecision of the authorizer. */
  run(program: CelProgram): Value {
    const { value, cost } = this.#run(program);
    // What it asked for of the policy's variables is spent already.
    if (cost > this.#budget) throw new BudgetError();
    this.#budget -= cost;
    return value;
  }

  #run(program: CelProgram): { readonly value: Value; readonly cost: number } {
    try {
      return program.run((name) => this.#variable(name), callCostMax);
    } catch (error) {
      if (!(error instanceof CelCostError)) throw error;
      return { value: new CelFault(error.message), cost: error.cost };
    }
  }

  #variable(name: string): Value {
    let value = this.#values.get(name);
    if (value === undefined) {
      value = this.#make(name);
      this.#values.set(name, value);
    }
    return value;
  }

  #make(name: string): Value {
    const { object, oldObject, request, params, namespace, authorizer, own } = this.#input;
    switch (name) {
      case 'object':
        return viewOf(object);
      case 'oldObject':
        return viewOf(oldObject);
      case 'request':
        return new JsonMap(request, requestDecl);
      case 'params':
        return viewOf(params);
      case 'namespaceObject':
        return namespace === undefined ? null : new JsonMap(namespace, namespaceDecl);
      case 'authorizer':
        return authorizer ?? new CelFault('no authorizer');
      case 'authorizer.requestResource':
        return authorizer === undefined
          ? new CelFault('no authorizer')
          : requestResource(authorizer, request);
      case 'variables':
        return new LazyVariables(own ?? new Map(), (program) => this.run(program));
      default:
        return new CelFault(`no such attribute: ${name}`);
    }
  }
}

function viewOf(object: KubeObject | undefined): Value {
  return object === undefined ? null : new JsonMap(object, undefined);
}

function requestResource(authorizer: CelAuthorizer, request: JsonObject): Value {
  const { group, resource } = request['requestResource'] as JsonObject;
  return requestResourceCheck(authorizer, {
    group: String(group),
    resource: String(resource),
    subresource: String(request['requestSubResource'] ?? ''),
    namespace: String(request['namespace'] ?? ''),
    name: String(request['name'] ?? ''),
  });
}

class LazyVariables extends CelMap {
  readonly #programs: ReadonlyMap<string, CelProgram>;
  readonly #run: (program: CelProgram) => Value;
  readonly #values = new Map<string, Value>();

  constructor(programs: ReadonlyMap<string, CelProgram>, run: (program: CelProgram) => Value) {
    super();
    this.#programs = programs;
    this.#run = run;
  }

  get size(): number {
    return this.#programs.size;
  }

  get(key: Value): Value | undefined {
    if (typeof key !== 'string') return undefined;
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    const program = this.#programs.get(key);
    if (program === undefined) return undefined;
    const found = this.#run(program);
    const value =
      found instanceof CelFault
        ? new CelFault(`composited variable "${key}" fails to evaluate: ${found.message}`)
        : found;
    this.#values.set(key, value);
    return value;
  }

  keys(): readonly Value[] {
    return [...this.#programs.keys()];
  }
}
