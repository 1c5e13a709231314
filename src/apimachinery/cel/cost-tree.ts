import type { ComprehensionExpr, Expr } from './ast.ts';
import type { Checked } from './checked.ts';
import type { CelEnvironment } from './environment.ts';
import type { Overload } from './functions/registry.ts';
import { codePointCount } from './sizes.ts';
import { boolType, type CelType, dynType, intType, listOf, mapOf } from './types.ts';
import type { Value } from './values.ts';

/**
 * An expression as cel-go reckons with it: macros expanded into folds, optional selections into calls. Estimates of costs follow
 * that form in everything, and Kubernetes refuses rules by them.
 */
export type CostNode = { readonly type: CelType } & (
  | { readonly kind: 'literal'; readonly size: number | undefined; readonly integer?: bigint | undefined }
  | { readonly kind: 'ident'; readonly name: string }
  | {
      readonly kind: 'select';
      readonly operand: CostNode;
      readonly field: string;
      readonly isTest: boolean;
    }
  | CostCall
  | { readonly kind: 'list'; readonly elements: readonly CostNode[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [CostNode, CostNode])[] }
  | { readonly kind: 'struct'; readonly values: readonly CostNode[] }
  | { readonly kind: 'bind'; readonly name: string; readonly value: CostNode; readonly body: CostNode }
  | CostFold
);

export interface CostCall {
  readonly kind: 'call';
  readonly name: string;
  /** The receiver first. Without any the call takes one step. */
  readonly overloads: readonly Overload[];
  readonly args: readonly CostNode[];
}

export interface CostFold {
  readonly kind: 'fold';
  readonly range: CostNode;
  readonly first: string;
  readonly second: string | undefined;
  readonly start: CostNode;
  readonly condition: CostNode;
  readonly step: CostNode;
  readonly result: CostNode;
}

/** The name under which a fold holds what it has so far; no expression can name it. */
export const accumulator = '@result';

const accumulated = (type: CelType): CostNode => ({ kind: 'ident', name: accumulator, type });
const literal = (type: CelType): CostNode => ({ kind: 'literal', size: 1, type });

export function costTreeOf(checked: Checked, environment: CelEnvironment): CostNode {
  return new Expansion(checked, environment).of(checked.expr);
}

class Expansion {
  readonly #checked: Checked;
  readonly #environment: CelEnvironment;

  constructor(checked: Checked, environment: CelEnvironment) {
    this.#checked = checked;
    this.#environment = environment;
  }

  of(expr: Expr): CostNode {
    const type = this.#checked.types.get(expr) ?? dynType;
    switch (expr.kind) {
      case 'literal':
        return {
          kind: 'literal',
          size: literalSize(expr.value),
          integer: typeof expr.value === 'bigint' ? expr.value : undefined,
          type,
        };
      case 'ident':
        return { kind: 'ident', name: expr.name, type };
      case 'select': {
        const reference = this.#checked.references.get(expr);
        if (reference?.kind === 'variable') return { kind: 'ident', name: reference.name, type };
        if (reference !== undefined) return { kind: 'ident', name: '', type };
        const operand = this.of(expr.operand);
        if (expr.isOptional && !expr.isTest) return this.#step('_?._', [operand, literal(dynType)], type);
        return { kind: 'select', operand, field: expr.field, isTest: expr.isTest, type };
      }
      case 'call': {
        const call = this.#checked.calls.get(expr);
        const args = (call?.args ?? []).map((arg) => this.of(arg));
        return { kind: 'call', name: expr.name, overloads: call?.overloads ?? [], args, type };
      }
      case 'list':
        return { kind: 'list', elements: expr.elements.map(({ value }) => this.of(value)), type };
      case 'map':
        return {
          kind: 'map',
          entries: expr.entries.map(({ key, value }) => [this.of(key), this.of(value)] as const),
          type,
        };
      case 'struct':
        return { kind: 'struct', values: expr.fields.map(({ value }) => this.of(value)), type };
      case 'bind':
        return { kind: 'bind', name: expr.name, value: this.of(expr.value), body: this.of(expr.body), type };
      case 'optMap': {
        // target.hasValue() ? optional.of(cel.bind(name, target.value(), body)) : optional.none()
        const target = this.of(expr.target);
        const held = target.type.params[0] ?? dynType;
        const body = this.of(expr.body);
        const bound: CostNode = {
          kind: 'bind',
          name: expr.name,
          value: this.#call('value', [target], held),
          body,
          type: body.type,
        };
        const present = expr.isFlat ? bound : this.#call('optional.of', [bound], type);
        return this.#call(
          '_?_:_',
          [this.#call('hasValue', [target], boolType), present, this.#call('optional.none', [], type)],
          type,
        );
      }
      case 'comprehension':
        return this.#fold(expr, type);
    }
  }

  #call(name: string, args: readonly CostNode[], type: CelType): CostNode {
    return { kind: 'call', name, overloads: this.#environment.functions.get(name) ?? [], args, type };
  }

  /** A call that takes one step beside its arguments. */
  #step(name: string, args: readonly CostNode[], type: CelType): CostNode {
    return { kind: 'call', name, overloads: [], args, type };
  }

  #fold(expr: ComprehensionExpr, type: CelType): CostNode {
    const range = this.of(expr.range);
    const predicate = expr.predicate === undefined ? undefined : this.of(expr.predicate);
    const transform = expr.transform === undefined ? undefined : this.of(expr.transform);
    const { first, second } = expr;
    const parts = this.#parts(expr, predicate ?? literal(boolType), transform, type);
    return { kind: 'fold', range, first, second, type, ...parts };
  }

  #parts(
    { macro, first, range }: ComprehensionExpr,
    predicate: CostNode,
    transform: CostNode | undefined,
    type: CelType,
  ): Pick<CostFold, 'start' | 'condition' | 'step' | 'result'> {
    const so = accumulated(boolType);
    const always = literal(boolType);
    const mayStep = (step: CostNode, otherwise: CostNode): CostNode =>
      predicate.kind === 'literal' &&
      predicate.size === 1 &&
      transform !== undefined &&
      predicate.type === boolType
        ? step
        : this.#call('_?_:_', [predicate, step, otherwise], step.type);
    switch (macro) {
      case 'all':
        return {
          start: always,
          condition: this.#step('@not_strictly_false', [so], boolType),
          step: this.#call('_&&_', [so, predicate], boolType),
          result: so,
        };
      case 'exists':
        return {
          start: always,
          condition: this.#step('@not_strictly_false', [this.#step('!_', [so], boolType)], boolType),
          step: this.#call('_||_', [so, predicate], boolType),
          result: so,
        };
      case 'exists_one': {
        const count = accumulated(intType);
        const more = this.#step('_+_', [count, literal(intType)], intType);
        return {
          start: literal(intType),
          condition: always,
          step: this.#call('_?_:_', [predicate, more, count], intType),
          result: this.#call('_==_', [count, literal(intType)], boolType),
        };
      }
      case 'filter':
      case 'map':
      case 'transformList': {
        const list = accumulated(type);
        const element: CostNode = transform ?? {
          kind: 'ident',
          name: first,
          type: type.params[0] ?? dynType,
        };
        const one: CostNode = { kind: 'list', elements: [element], type: listOf(element.type) };
        const longer = this.#append(list, one, type);
        const step =
          macro === 'filter' ? this.#call('_?_:_', [predicate, longer, list], type) : mayStep(longer, list);
        return { start: { kind: 'list', elements: [], type }, condition: always, step, result: list };
      }
      case 'transformMap':
      case 'transformMapEntry': {
        const map = accumulated(type);
        const key: CostNode = {
          kind: 'ident',
          name: first,
          type: this.#checked.types.get(range)?.params[0] ?? dynType,
        };
        const inserted = transform ?? literal(mapOf(dynType, dynType));
        const args = macro === 'transformMap' ? [map, key, inserted] : [map, inserted];
        const step = mayStep(this.#step('cel.@mapInsert', args, type), map);
        return { start: { kind: 'map', entries: [], type }, condition: always, step, result: map };
      }
    }
  }

  #append(list: CostNode, one: CostNode, type: CelType): CostNode {
    const overloads = (this.#environment.functions.get('_+_') ?? []).filter(
      ({ params }) => params[0]?.kind === 'list',
    );
    return { kind: 'call', name: '_+_', overloads, args: [list, one], type };
  }
}

function literalSize(value: Value): number | undefined {
  if (typeof value === 'string') return codePointCount(value);
  return value instanceof Uint8Array ? value.length : 1;
}
