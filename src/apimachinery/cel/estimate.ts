import type { CallExpr, ComprehensionExpr, Expr } from './ast.ts';
import type { Checked } from './checker.ts';
import type { Decl } from './decl.ts';
import type { CelEnvironment } from './environment.ts';
import { plus, times, union } from './functions/costs.ts';
import { type EstimatedArgument, fixed, type Range } from './functions/registry.ts';
import type { CelType } from './types.ts';
import { codePointCount, type Value } from './values.ts';

/** What is known of an expression's value before there is one. */
interface Estimate {
  readonly cost: Range;
  readonly size: Range | undefined;
  /** Sizes of the keys and values in a list or map. */
  readonly key?: Range | undefined;
  readonly element?: Range | undefined;
  readonly decl?: Decl | undefined;
}

const unknown: Range = { min: 0, max: Number.POSITIVE_INFINITY };
const one = fixed(1);
const none = fixed(0);
const listCost = fixed(10);
const mapCost = fixed(30);
const structCost = fixed(40);

/**
 * The least and most that an expression can cost to evaluate, Infinity where nothing bounds it (cel-go's
 * checker/cost.go with Kubernetes' library/cost.go). Sizes come from the declarations of the environment's variables.
 */
export function estimateCost(checked: Checked, environment: CelEnvironment): Range {
  return new Estimator(checked, environment).estimate(checked.expr).cost;
}

class Estimator {
  readonly #checked: Checked;
  readonly #environment: CelEnvironment;
  readonly #locals: { readonly name: string; readonly estimate: Estimate }[] = [];

  constructor(checked: Checked, environment: CelEnvironment) {
    this.#checked = checked;
    this.#environment = environment;
  }

  estimate(expr: Expr): Estimate {
    switch (expr.kind) {
      case 'literal':
        return { cost: none, size: fixed(literalSize(expr.value)) };
      case 'ident':
        return this.#name(expr, expr.name);
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list': {
        const elements = expr.elements.map(({ value }) => this.estimate(value));
        return {
          cost: elements.reduce((sum, { cost }) => plus(sum, cost), listCost),
          size: { min: expr.elements.filter((element) => !element.isOptional).length, max: elements.length },
          element: unionOf(
            elements,
            expr.elements.map(({ value }) => this.#type(value)),
          ),
        };
      }
      case 'map': {
        const keys = expr.entries.map(({ key }) => this.estimate(key));
        const values = expr.entries.map(({ value }) => this.estimate(value));
        return {
          cost: [...keys, ...values].reduce((sum, { cost }) => plus(sum, cost), mapCost),
          size: { min: expr.entries.filter((entry) => !entry.isOptional).length, max: values.length },
          key: unionOf(
            keys,
            expr.entries.map(({ key }) => this.#type(key)),
          ),
          element: unionOf(
            values,
            expr.entries.map(({ value }) => this.#type(value)),
          ),
        };
      }
      case 'struct': {
        const fields = expr.fields.map(({ value }) => this.estimate(value));
        return {
          cost: fields.reduce((sum, { cost }) => plus(sum, cost), structCost),
          size: fixed(fields.length),
        };
      }
      case 'comprehension':
        return this.#comprehension(expr);
      case 'bind': {
        const value = this.estimate(expr.value);
        const body = this.#within([[expr.name, value]], () => this.estimate(expr.body));
        return { ...body, cost: plus(plus(listCost, value.cost), body.cost) };
      }
      case 'optMap': {
        const target = this.estimate(expr.target);
        const body = this.#within([[expr.name, target]], () => this.estimate(expr.body));
        return { ...body, cost: plus(plus(target.cost, fixed(2)), { min: 0, max: body.cost.max + 10 }) };
      }
    }
  }

  #type(expr: Expr): CelType | undefined {
    return this.#checked.types.get(expr);
  }

  #within<T>(locals: readonly (readonly [string, Estimate])[], body: () => T): T {
    for (const [name, estimate] of locals) this.#locals.push({ name, estimate });
    const result = body();
    this.#locals.length -= locals.length;
    return result;
  }

  #name(expr: Expr, name: string): Estimate {
    const reference = this.#checked.references.get(expr);
    if (reference?.kind === 'local') {
      const local = this.#locals.findLast((one) => one.name === name) as { estimate: Estimate };
      return { ...local.estimate, cost: one };
    }
    if (reference?.kind === 'variable') {
      return declared(this.#environment.variables.get(reference.name)?.decl, one);
    }
    return { cost: one, size: one };
  }

  #select(expr: Expr & { kind: 'select' }): Estimate {
    if (this.#checked.references.has(expr)) return this.#name(expr, '');
    const operand = this.estimate(expr.operand);
    // A presence test costs nothing by itself in Kubernetes.
    if (expr.isTest) return { cost: operand.cost, size: one };
    const field =
      operand.decl?.fields?.get(expr.field)?.decl ??
      (operand.decl?.fields ? undefined : operand.decl?.element);
    return declared(field, plus(operand.cost, one));
  }

  #call(expr: CallExpr): Estimate {
    const call = this.#checked.calls.get(expr);
    if (call === undefined) return { cost: none, size: undefined };
    const args = call.args.map((arg) => this.estimate(arg));
    const sum = args.reduce((total, { cost }) => plus(total, cost), none);
    const [first, second, third] = args as [Estimate, Estimate, Estimate];
    switch (expr.name) {
      case '_&&_':
      case '_||_':
        return { cost: { min: first.cost.min, max: sum.max }, size: one };
      case '_?_:_':
        return {
          ...second,
          cost: plus(first.cost, union(second.cost, third.cost)),
          size: union(this.#size(second, call.args[1]), this.#size(third, call.args[2])),
          element: both(second.element, third.element),
          key: both(second.key, third.key),
          decl: second.decl === third.decl ? second.decl : undefined,
        };
      case '_[_]':
      case '_[?_]':
        return {
          ...declared(first.decl?.element, plus(sum, one)),
          ...(first.element && { size: first.element }),
        };
      case 'dyn':
        return { ...first, cost: plus(sum, one) };
      case 'or':
      case 'orValue':
        return {
          ...first,
          cost: plus(sum, one),
          size: union(this.#size(first, call.args[0]), this.#size(second, call.args[1])),
        };
      case 'value':
        return { ...first, cost: plus(sum, one) };
      case 'optional.of':
      case 'optional.ofNonZeroValue':
        return { ...first, cost: plus(sum, one) };
    }
    return this.#function(call.overloads, call.args, args, sum, expr);
  }

  #function(
    overloads: readonly {
      readonly cost: {
        readonly estimate: (args: readonly EstimatedArgument[]) => { cost: Range; size?: Range | undefined };
      };
    }[],
    exprs: readonly Expr[],
    args: readonly Estimate[],
    sum: Range,
    expr: Expr,
  ): Estimate {
    const known = args.map((arg, index) => this.#argument(arg, exprs[index] as Expr));
    let cost: Range | undefined;
    let size: Range | undefined;
    for (const overload of overloads) {
      const estimate = overload.cost.estimate(known);
      cost = cost === undefined ? estimate.cost : union(cost, estimate.cost);
      if (estimate.size !== undefined) size = size === undefined ? estimate.size : union(size, estimate.size);
    }
    return {
      cost: plus(sum, cost ?? one),
      size: size ?? scalarSize(this.#type(expr)),
      element: this.#elementOf(expr, args),
    };
  }

  /** Pieces of a text are no longer than the text; elements of joined lists are of both. */
  #elementOf(expr: Expr, args: readonly Estimate[]): Range | undefined {
    if (expr.kind !== 'call') return undefined;
    if (expr.name === 'split' || expr.name === 'findAll')
      return { min: 0, max: args[0]?.size?.max ?? unknown.max };
    if (expr.name === '_+_') return both(elementSize(args[0]), elementSize(args[1]));
    return undefined;
  }

  #argument(estimate: Estimate, expr: Expr): EstimatedArgument {
    const type = this.#type(expr);
    const elementType = type?.kind === 'list' ? type.params[0] : undefined;
    return {
      size: this.#size(estimate, expr),
      elementSize: elementSize(estimate) ?? scalarSize(elementType),
      hasTextElements: elementType?.kind === 'string' || elementType?.kind === 'bytes',
      isList: type?.kind === 'list',
    };
  }

  #size(estimate: Estimate, expr: Expr | undefined): Range {
    return estimate.size ?? scalarSize(expr === undefined ? undefined : this.#type(expr)) ?? unknown;
  }

  #comprehension(expr: ComprehensionExpr): Estimate {
    const range = this.estimate(expr.range);
    const count = this.#size(range, expr.range);
    const isMap = this.#type(expr.range)?.kind === 'map';
    const element = elementEstimate(range);
    const key: Estimate = isMap
      ? { cost: one, size: range.key ?? keySize(range.decl) }
      : { cost: one, size: one };
    const locals: [string, Estimate][] =
      expr.second === undefined
        ? [[expr.first, isMap ? key : element]]
        : [
            [expr.first, key],
            [expr.second, element],
          ];
    return this.#within(locals, () => {
      const predicate = expr.predicate === undefined ? undefined : this.estimate(expr.predicate);
      const transform = expr.transform === undefined ? undefined : this.estimate(expr.transform);
      const { start, step, end } = loopCosts(expr, predicate?.cost, transform?.cost);
      const cost = plus(plus(range.cost, plus(start, end)), times(count, step));
      switch (expr.macro) {
        case 'all':
        case 'exists':
        case 'exists_one':
          return { cost, size: one };
        case 'filter':
          return { cost, size: count, element: isMap ? key.size : element.size };
        case 'map':
        case 'transformList':
          return {
            cost,
            size: count,
            element: transform === undefined ? undefined : this.#size(transform, expr.transform),
          };
        case 'transformMap':
          return { cost, size: count, key: key.size, element: transform?.size };
        case 'transformMapEntry':
          return { cost, size: count, key: transform?.key, element: transform?.element };
      }
    });
  }
}

/** Costs of the macros' expansions: before, for each element, and after. */
function loopCosts(
  expr: ComprehensionExpr,
  predicate: Range | undefined,
  transform: Range | undefined,
): { readonly start: Range; readonly step: Range; readonly end: Range } {
  const condition = predicate ?? none;
  switch (expr.macro) {
    case 'all':
    case 'exists':
      return { start: none, step: { min: 3, max: 3 + condition.max }, end: one };
    case 'exists_one':
      return { start: none, step: plus(condition, { min: 1, max: 2 }), end: fixed(2) };
    case 'filter':
      return { start: listCost, step: plus(condition, { min: 1, max: 13 }), end: one };
    case 'map':
    case 'transformList': {
      const append = plus(fixed(12), transform ?? none);
      const step = predicate === undefined ? append : plus(condition, { min: 1, max: append.max });
      return { start: listCost, step, end: one };
    }
    case 'transformMap':
    case 'transformMapEntry': {
      const insert = plus(fixed(3), transform ?? none);
      const step = predicate === undefined ? insert : plus(condition, { min: 1, max: insert.max });
      return { start: mapCost, step, end: one };
    }
  }
}

function declared(decl: Decl | undefined, cost: Range): Estimate {
  if (decl === undefined) return { cost, size: undefined };
  return { cost, size: { min: 0, max: decl.maxElements }, decl };
}

function elementSize(estimate: Estimate | undefined): Range | undefined {
  if (estimate?.element !== undefined) return estimate.element;
  const decl = estimate?.decl?.element;
  return decl === undefined ? undefined : { min: 0, max: decl.maxElements };
}

/** Kubernetes reckons with empty keys, since no schema bounds them. */
function keySize(decl: Decl | undefined): Range {
  return decl?.kind === 'map' ? none : unknown;
}

function elementEstimate(range: Estimate): Estimate {
  const element = declared(range.decl?.element, one);
  return range.element === undefined ? element : { ...element, size: range.element };
}

function both(a: Range | undefined, b: Range | undefined): Range | undefined {
  return a === undefined || b === undefined ? undefined : union(a, b);
}

function unionOf(estimates: readonly Estimate[], types: readonly (CelType | undefined)[]): Range {
  if (estimates.length === 0) return none;
  return estimates
    .map(({ size }, index) => size ?? scalarSize(types[index]) ?? unknown)
    .reduce((joined, size) => union(joined, size));
}

function scalarSize(type: CelType | undefined): Range | undefined {
  switch (type?.kind) {
    case 'bool':
    case 'int':
    case 'uint':
    case 'double':
    case 'timestamp':
    case 'duration':
      return one;
    case 'optional':
      return scalarSize(type.params[0]);
    default:
      return undefined;
  }
}

function literalSize(value: Value): number {
  if (typeof value === 'string') return codePointCount(value);
  return value instanceof Uint8Array ? value.length : 1;
}
