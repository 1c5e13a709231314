import type { Checked } from './checked.ts';
import { accumulator, type CostCall, type CostFold, type CostNode, costTreeOf } from './cost-tree.ts';
import type { CelEnvironment } from './environment.ts';
import { plus, times, union } from './functions/costs.ts';
import { type EstimatedArgument, fixed, type Overload, type Range } from './functions/registry.ts';
import type { CelType, Decl } from './types.ts';

/** Sizes of the keys and values in a list or map. */
interface EntrySizes {
  readonly isList: boolean;
  readonly key: Range;
  readonly value: Range;
}

interface Local {
  readonly path: Path;
  readonly size: Range | undefined;
  readonly entries: EntrySizes | undefined;
}

/** From a variable through fields, `@items`, `@keys` and `@values`; empty for what no declaration is known of. */
type Path = readonly string[];

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
  return new Estimator(environment).cost(costTreeOf(checked, environment));
}

class Estimator {
  readonly #environment: CelEnvironment;
  readonly #paths = new Map<CostNode, Path>();
  readonly #sizes = new Map<CostNode, Range>();
  readonly #entries = new Map<CostNode, EntrySizes>();
  readonly #locals = new Map<string, Local[]>();
  readonly #costs = new Map<CostNode, Range>();

  constructor(environment: CelEnvironment) {
    this.#environment = environment;
  }

  /** Nodes that stand in two places, as what `optMap` is about, are reckoned with once: nested, they would double at each level. */
  cost(node: CostNode): Range {
    const known = this.#costs.get(node);
    if (known !== undefined) return known;
    const cost = this.#costOf(node);
    this.#costs.set(node, cost);
    return cost;
  }

  #costOf(node: CostNode): Range {
    switch (node.kind) {
      case 'literal':
        return none;
      case 'ident':
        this.#paths.set(node, this.#local(node.name)?.path ?? [node.name]);
        return one;
      case 'select': {
        const operand = this.cost(node.operand);
        // A presence test costs nothing by itself in Kubernetes.
        if (node.isTest) return operand;
        this.#paths.set(node, [...this.#path(node.operand), node.field]);
        const { kind } = node.operand.type;
        return kind === 'map' || kind === 'object' ? plus(operand, one) : operand;
      }
      case 'call':
        return this.#call(node);
      case 'list':
        return this.#list(node, node.elements);
      case 'map': {
        const costs = node.entries.flat().map((part) => this.cost(part));
        this.#entries.set(node, {
          isList: false,
          key: this.#unionOf(node.entries.map(([key]) => key)),
          value: this.#unionOf(node.entries.map(([, value]) => value)),
        });
        return costs.reduce(plus, mapCost);
      }
      case 'struct':
        return node.values.map((value) => this.cost(value)).reduce(plus, structCost);
      case 'bind': {
        const value = this.cost(node.value);
        const local = {
          path: this.#path(node.value),
          size: this.#size(node.value),
          entries: this.#entriesOf(node.value),
        };
        const body = this.#within([[node.name, local]], () => {
          const cost = this.cost(node.body);
          this.#copySizes(node, node.body);
          return cost;
        });
        return plus(plus(listCost, value), body);
      }
      case 'fold':
        return this.#fold(node, node);
    }
  }

  #list(node: CostNode, elements: readonly CostNode[]): Range {
    const costs = elements.map((element) => this.cost(element));
    this.#entries.set(node, { isList: true, key: one, value: this.#unionOf(elements) });
    return costs.reduce(plus, listCost);
  }

  #unionOf(nodes: readonly CostNode[]): Range {
    return nodes.length === 0 ? none : nodes.map((node) => this.#sizeOrUnknown(node)).reduce(union);
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1);
  }

  #within<T>(locals: readonly (readonly [string, Local])[], body: () => T): T {
    for (const [name, local] of locals) {
      const stack = this.#locals.get(name);
      if (stack === undefined) this.#locals.set(name, [local]);
      else stack.push(local);
    }
    const result = body();
    for (const [name] of locals) this.#locals.get(name)?.pop();
    return result;
  }

  #path(node: CostNode): Path {
    const local = node.kind === 'ident' ? this.#local(node.name) : undefined;
    return local?.path ?? this.#paths.get(node) ?? [];
  }

  #call(node: CostNode & CostCall): Range {
    const { name, args, overloads } = node;
    const [first, second, third] = args as [CostNode, CostNode, CostNode];
    const costs = args.map((arg) => this.cost(arg));
    const sum = costs.reduce(plus, none);
    switch (name) {
      case 'dyn':
        this.#copySizes(node, first);
        return plus(sum, one);
      case '_&&_':
      case '_||_':
        return { min: (costs[0] as Range).min, max: sum.max };
      case '_?_:_': {
        const [condition, then, otherwise] = costs as [Range, Range, Range];
        this.#setEntries(node, unionOfEntries(this.#entriesOf(second), this.#entriesOf(third)));
        this.#sizes.set(node, union(this.#sizeOrUnknown(second), this.#sizeOrUnknown(third)));
        return plus(condition, union(then, otherwise));
      }
      case '_+_':
        if (['string', 'bytes', 'list'].includes(node.type.kind) || node.type.kind === 'dyn')
          this.#setEntries(node, unionOfEntries(this.#entriesOf(first), this.#entriesOf(second)));
    }
    if (overloads.length === 0) return plus(sum, one);
    return plus(sum, this.#overloads(node, overloads));
  }

  #overloads(node: CostNode & CostCall, overloads: readonly Overload[]): Range {
    const { args } = node;
    const known = args.map((arg) => this.#argument(arg));
    let cost: Range | undefined;
    let size: Range | undefined;
    for (const { cost: model, params } of overloads) {
      const estimate = model.estimate(known);
      cost = cost === undefined ? estimate.cost : union(cost, estimate.cost);
      if (estimate.size !== undefined) size = size === undefined ? estimate.size : union(size, estimate.size);
      const container = node.name === '_[_]' ? params[0]?.kind : undefined;
      if (container === 'list' || container === 'map') {
        size = this.#entriesOf(args[0] as CostNode)?.value;
        const inner = container === 'list' ? '@items' : '@values';
        this.#paths.set(node, [...this.#path(args[0] as CostNode), inner]);
      }
      size ??= this.#size(node);
    }
    if (size !== undefined) this.#sizes.set(node, size);
    return cost ?? one;
  }

  #argument(node: CostNode): EstimatedArgument {
    const { type } = node;
    const path = this.#path(node);
    const elementType = type.kind === 'list' ? (type.params[0] as CelType) : undefined;
    const isKnown = path.length > 0 && path[0] !== accumulator;
    return {
      size: this.#sizeOrUnknown(node),
      elementSize: (isKnown ? this.#declaredSize([...path, '@items']) : undefined) ?? unknown,
      elementKind: elementType?.kind,
      typeName: type.name,
      integer: node.kind === 'literal' ? node.integer : undefined,
    };
  }

  #sizeOrUnknown(node: CostNode): Range {
    return this.#size(node) ?? unknown;
  }

  #size(node: CostNode): Range | undefined {
    const known = this.#sizes.get(node) ?? ownSize(node);
    if (known !== undefined) return known;
    const declared = this.#declaredSize(this.#path(node));
    if (declared !== undefined) {
      this.#sizes.set(node, declared);
      return declared;
    }
    const scalar = scalarSize(node.type);
    if (scalar !== undefined) return scalar;
    return node.kind === 'ident' ? this.#local(node.name)?.size : undefined;
  }

  /** Whatever a path begins with, Kubernetes looks it up below what the rule is about (apiextensions cel/compilation.go). */
  #declaredSize(path: Path): Range | undefined {
    const [root, ...rest] = path;
    if (root === undefined) return undefined;
    const { variables } = this.#environment;
    let decl = (variables.get(root) ?? variables.get('self'))?.decl;
    for (const name of rest) {
      if (decl === undefined) return undefined;
      if (name === '@keys') return decl.kind === 'map' ? none : undefined;
      const inner: Decl | undefined =
        name === '@items' || name === '@values' ? decl.element : decl.fields?.get(name)?.decl;
      decl = inner;
    }
    return decl === undefined ? undefined : { min: 0, max: decl.maxElements };
  }

  #entriesOf(node: CostNode): EntrySizes | undefined {
    const known = this.#entries.get(node);
    if (known !== undefined || node.kind !== 'ident') return known;
    return this.#local(node.name)?.entries;
  }

  #setEntries(node: CostNode, entries: EntrySizes | undefined): void {
    if (entries !== undefined) this.#entries.set(node, entries);
  }

  #copySizes(to: CostNode, from: CostNode): void {
    const size = this.#size(from);
    if (size !== undefined) this.#sizes.set(to, size);
    this.#setEntries(to, this.#entriesOf(from));
  }

  #fold(node: CostNode, fold: CostFold): Range {
    const { range, start, first, second } = fold;
    const before = plus(this.cost(range), this.cost(start));
    const entries = this.#entriesOf(range);
    const isList = entries?.isList ?? range.type.kind === 'list';
    const path = this.#path(range);
    const part = (segment: string, size: Range | undefined): Local => ({
      path: [...path, segment],
      size,
      entries: undefined,
    });
    const value = part(isList ? '@items' : '@values', entries?.value);
    const key = part(isList ? '@indices' : '@keys', entries?.key);
    const locals: [string, Local][] =
      second === undefined
        ? [[first, isList ? value : key]]
        : [
            [first, key],
            [second, value],
          ];
    const held = { path: this.#path(start), size: this.#size(start), entries: this.#entriesOf(start) };
    return this.#within([[accumulator, held]], () => {
      const step = this.#within(locals, () => plus(this.cost(fold.condition), this.cost(fold.step)));
      const after = this.cost(fold.result);
      const count = this.#sizeOrUnknown(range);
      this.#sizes.set(node, start.kind === 'literal' ? one : count);
      if (start.kind !== 'literal') this.#setEntries(node, this.#entriesOf(fold.step));
      return plus(plus(before, after), times(count, step));
    });
  }
}

function unionOfEntries(a: EntrySizes | undefined, b: EntrySizes | undefined): EntrySizes | undefined {
  if (a === undefined || b === undefined) return undefined;
  return { isList: a.isList, key: union(a.key, b.key), value: union(a.value, b.value) };
}

function ownSize(node: CostNode): Range | undefined {
  if (node.kind === 'list') return fixed(node.elements.length);
  if (node.kind === 'map') return fixed(node.entries.length);
  return node.kind === 'literal' && node.size !== undefined ? fixed(node.size) : undefined;
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
