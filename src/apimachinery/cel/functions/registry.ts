import { parseType, splitTypes } from '../type-text.ts';
import { CelType, type TypeKind } from '../types.ts';
import {
  CelList,
  CelMap,
  Duration,
  noOverload,
  Opaque,
  Optional,
  Timestamp,
  Uint,
  type Value,
} from '../values.ts';

/** A range of sizes or costs; `max` may be Infinity. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** What is known of an argument before it is there. */
export interface EstimatedArgument {
  readonly size: Range;
  /** Sizes that its declaration gives the elements of a list, whatever is known of them otherwise. */
  readonly elementSize: Range;
  /** Undefined for what is not known to be a list. */
  readonly elementKind: TypeKind | undefined;
  readonly typeName: string;
  /** Of a whole number that stands in the expression. */
  readonly integer: bigint | undefined;
}

export interface CostModel {
  /** Whether it is the same for all overloads, and known of the function by its name. */
  readonly isOfFunction?: boolean;
  readonly run: (args: readonly Value[], result: Value) => number;
  readonly estimate: (args: readonly EstimatedArgument[]) => {
    readonly cost: Range;
    readonly size?: Range | undefined;
  };
}

export interface Overload {
  readonly isMember: boolean;
  /** With the receiver first. */
  readonly params: readonly CelType[];
  readonly result: CelType;
  /** Whether a list must also begin with an element of the declared type. */
  readonly asksElements: boolean;
  /** Arguments are of the kinds of `params` when it is called. */
  readonly call: (args: readonly Value[]) => Value;
  readonly cost: CostModel;
}

export const fixed = (cost: number): Range => ({ min: cost, max: cost });

const unitRange = fixed(1);
/** One step, whatever the arguments. */
export const unit: CostModel = { run: () => 1, estimate: () => ({ cost: unitRange }) };

/** The functions of an environment, by name; overloads in the order in which they are tried. */
export class FunctionTable {
  readonly #overloads = new Map<string, Overload[]>();

  /**
   * Declares `name(a, b) result` or, with a receiver, `receiver->name(a) result`. Example: `string->contains(string) bool`.
   */
  add(signatures: readonly string[], call: (args: readonly Value[]) => Value, cost: CostModel = unit): this {
    return this.#add(signatures, call, cost, false);
  }

  /**
   * The same for a function that tells lists apart by their first element when it is called, as those of cel-go do that have an
   * implementation for each overload (common/types/types.go defaultIsAssignableRuntimeType).
   */
  addByElement(
    signatures: readonly string[],
    call: (args: readonly Value[]) => Value,
    cost: CostModel = unit,
  ): this {
    return this.#add(signatures, call, cost, true);
  }

  #add(
    signatures: readonly string[],
    call: (args: readonly Value[]) => Value,
    cost: CostModel,
    asksElements: boolean,
  ): this {
    for (const signature of signatures) {
      const { name, isMember, params, result } = parseSignature(signature);
      const list = this.#overloads.get(name) ?? [];
      list.push({ isMember, params, result, asksElements, call, cost });
      this.#overloads.set(name, list);
    }
    return this;
  }

  /** Declares an operator: names such as `_+_` cannot stand in a signature. */
  operator(
    name: string,
    types: readonly string[],
    call: (args: readonly Value[]) => Value,
    cost: CostModel = unit,
  ): this {
    const list = this.#overloads.get(name) ?? [];
    for (const text of types) {
      const params = splitTypes(text).map(parseType);
      const result = params.pop() as CelType;
      list.push({ isMember: false, params, result, asksElements: false, call, cost });
    }
    this.#overloads.set(name, list);
    return this;
  }

  /** Declares a function that can be checked but not run; `types` end with the result's. */
  declare(name: string, isMember: boolean, types: readonly CelType[]): this {
    const list = this.#overloads.get(name) ?? [];
    list.push({
      isMember,
      params: types.slice(0, -1),
      result: types.at(-1) as CelType,
      asksElements: false,
      call: () => noOverload,
      cost: unit,
    });
    this.#overloads.set(name, list);
    return this;
  }

  get(name: string): readonly Overload[] | undefined {
    return this.#overloads.get(name);
  }

  has(name: string): boolean {
    return this.#overloads.has(name);
  }

  names(): Iterable<string> {
    return this.#overloads.keys();
  }

  /** A table with the functions of both. */
  with(other: FunctionTable): FunctionTable {
    const table = new FunctionTable();
    for (const source of [this, other]) {
      for (const [name, list] of source.#overloads) {
        table.#overloads.set(name, [...(table.#overloads.get(name) ?? []), ...list]);
      }
    }
    return table;
  }
}

function parseSignature(signature: string): {
  readonly name: string;
  readonly isMember: boolean;
  readonly params: CelType[];
  readonly result: CelType;
} {
  const parts = /^(?:(.+)->)?([@\w.]+)\((.*?)\) ((?! )[^ ]+(?:, [^ ]+)*)$/.exec(signature);
  if (parts === null) throw new TypeError(`no signature: ${signature}`);
  const [, receiver, name, args, result] = parts;
  const params = splitTypes(args as string).map(parseType);
  if (receiver !== undefined) params.unshift(parseType(receiver));
  return {
    name: name as string,
    isMember: receiver !== undefined,
    params,
    result: parseType(result as string),
  };
}

/** Whether a value is of a parameter's kind, as far as choosing an overload needs it. */
export function isOfKind(value: Value, type: CelType): boolean {
  switch (type.kind) {
    case 'dyn':
    case 'param':
    case 'error':
      return true;
    case 'null':
      return value === null;
    case 'bool':
      return typeof value === 'boolean';
    case 'int':
      return typeof value === 'bigint';
    case 'uint':
      return value instanceof Uint;
    case 'double':
      return typeof value === 'number';
    case 'string':
      return typeof value === 'string';
    case 'bytes':
      return value instanceof Uint8Array;
    case 'timestamp':
      return value instanceof Timestamp;
    case 'duration':
      return value instanceof Duration;
    case 'list':
      return value instanceof CelList;
    case 'map':
    case 'object':
      return value instanceof CelMap;
    case 'type':
      return value instanceof CelType;
    case 'optional':
      return value instanceof Optional;
    case 'opaque':
      return value instanceof Opaque && value.type === type;
  }
}

/** The first overload that the arguments fit. */
export function dispatch(overloads: readonly Overload[], args: readonly Value[]): Overload | undefined {
  for (const overload of overloads) {
    const { params } = overload;
    if (params.length !== args.length) continue;
    let fits = true;
    for (let i = 0; i < params.length && fits; i++) fits = isOfKind(args[i] as Value, params[i] as CelType);
    if (fits && overload.asksElements) fits = args.every((arg, i) => beginsWith(arg, params[i] as CelType));
    if (fits) return overload;
  }
  return undefined;
}

function beginsWith(value: Value, { kind, params }: CelType): boolean {
  if (kind !== 'list' || !(value instanceof CelList) || value.size === 0) return true;
  return isOfKind(value.at(0), params[0] as CelType);
}
