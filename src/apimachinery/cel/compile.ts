import type {
  BindExpr,
  CallExpr,
  ComprehensionExpr,
  Expr,
  ListExpr,
  MapExpr,
  OptionalMapExpr,
  SelectExpr,
  StructExpr,
} from './ast.ts';
import { CelProgramError, type Checked } from './checker.ts';
import type { StructType } from './environment.ts';
import { noOverloadOf } from './functions/operands.ts';
import { contains, indexThrough, optionalIndex } from './functions/operators.ts';
import { dispatch, type Overload } from './functions/registry.ts';
import { matches } from './functions/standard.ts';
import {
  ArrayList,
  CelFault,
  CelList,
  CelMap,
  JsonMap,
  NativeMap,
  noOverload,
  Optional,
  Uint,
  type Value,
} from './values.ts';

/** The cost of an evaluation passed its limit. */
export class CelCostError extends Error {
  override readonly name = 'CelCostError';
  /** When it was ended. */
  readonly cost: number;

  constructor(cost: number) {
    super('operation cancelled: actual cost limit exceeded');
    this.cost = cost;
  }
}

/** One evaluation: variables in slots, and what it has cost so far. */
export class Frame {
  readonly slots: Value[];
  cost = 0;
  readonly #costMax: number;

  constructor(slots: Value[], costMax: number) {
    this.slots = slots;
    this.#costMax = costMax;
  }

  spend(cost: number): void {
    this.cost += cost;
    if (this.cost > this.#costMax) throw new CelCostError(this.cost);
  }
}

export type Code = (frame: Frame) => Value;

/** Steps that a comprehension costs beside its parts, for one element (cel-go's expansion of the macros). */
const quantifierCost = 3;
const appendCost = 12;
const countCost = 2;
const insertCost = 4;
const listCost = 10;
const mapCost = 30;
const structCost = 40;

/** Functions that are called when the expression is compiled where their argument stands in it (cel-go interpreter/decorators.go). */
const conversions: ReadonlySet<string> = new Set(
  'bool bytes double duration dyn int string timestamp type uint'.split(' '),
);
const patternFunctions: ReadonlySet<string> = new Set(['matches', 'find', 'findAll']);

interface CompileOptions {
  /** The slot of a variable; those from `localsFrom` on are the code's own. */
  readonly slotOf: (name: string) => number;
  readonly localsFrom: number;
  /** Whether what can be told to fail whenever it runs is refused, as Kubernetes does. */
  readonly refuses: boolean;
}

/** Code for a checked expression. Throws CelProgramError when it `refuses`. */
export function compileChecked(checked: Checked, { slotOf, localsFrom, refuses }: CompileOptions): Code {
  return new Compiler(checked, slotOf, localsFrom, refuses).compile(checked.expr);
}

class Compiler {
  readonly #checked: Checked;
  readonly #slotOf: (name: string) => number;
  readonly #locals: { readonly name: string; readonly slot: number }[] = [];
  /** What code gives that depends on nothing. */
  readonly #constants = new Map<Code, Value>();
  readonly #refuses: boolean;
  #nextSlot: number;

  constructor(checked: Checked, slotOf: (name: string) => number, localsFrom: number, refuses: boolean) {
    this.#checked = checked;
    this.#refuses = refuses;
    this.#slotOf = slotOf;
    this.#nextSlot = localsFrom;
  }

  compile(expr: Expr): Code {
    switch (expr.kind) {
      case 'literal': {
        return this.#constant(expr.value);
      }
      case 'ident':
        return this.#reference(expr, expr.name);
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return this.#struct(expr, this.#checked.structs.get(expr) as StructType);
      case 'comprehension':
        return this.#comprehension(expr);
      case 'bind':
        return this.#bind(expr);
      case 'optMap':
        return this.#optionalMap(expr);
    }
  }

  #constant(value: Value): Code {
    const code = () => value;
    this.#constants.set(code, value);
    return code;
  }

  #areConstant(codes: readonly Code[]): boolean {
    return codes.every((code) => this.#constants.has(code));
  }

  #reference(expr: Expr, name: string): Code {
    const reference = this.#checked.references.get(expr);
    if (reference?.kind === 'type') {
      const { type } = reference;
      return () => type;
    }
    const slot =
      reference?.kind === 'variable'
        ? this.#slotOf(reference.name)
        : (this.#locals.findLast((local) => local.name === name) as { slot: number }).slot;
    return (frame) => {
      frame.spend(1);
      return frame.slots[slot] as Value;
    };
  }

  #local<T>(names: readonly string[], body: (slots: readonly number[]) => T): T {
    const slots = names.map((name) => {
      const slot = this.#nextSlot++;
      this.#locals.push({ name, slot });
      return slot;
    });
    const result = body(slots);
    this.#locals.length -= names.length;
    this.#nextSlot -= names.length;
    return result;
  }

  #select(expr: SelectExpr): Code {
    if (this.#checked.references.has(expr)) return this.#reference(expr, '');
    const operand = this.compile(expr.operand);
    const { field } = expr;
    const declared = this.#checked.types.get(expr.operand)?.decl;
    const known = declared?.fields?.get(field);
    const read = (value: Value): Value | undefined => {
      if (known !== undefined && value instanceof JsonMap && value.decl === declared)
        return value.field(known);
      return selectField(value, field);
    };
    if (expr.isTest) {
      return (frame) => {
        const value = operand(frame);
        if (value instanceof CelFault) return value;
        const found = read(value);
        if (value instanceof Optional && found instanceof Optional) return found.value !== undefined;
        return found instanceof CelFault ? found : found !== undefined;
      };
    }
    if (expr.isOptional) {
      return (frame) => {
        const value = operand(frame);
        if (value instanceof CelFault) return value;
        frame.spend(1);
        const found = read(value);
        if (found === undefined) return Optional.none;
        return found instanceof CelFault || found instanceof Optional ? found : new Optional(found);
      };
    }
    const absent = new CelFault(`no such key: ${field}`);
    return (frame) => {
      const value = operand(frame);
      if (value instanceof CelFault) return value;
      frame.spend(1);
      const found = read(value);
      return found === undefined ? absent : found;
    };
  }

  #call(expr: CallExpr): Code {
    const { overloads, args } = this.#checked.calls.get(expr) as { overloads: Overload[]; args: Expr[] };
    const codes = args.map((arg) => this.compile(arg));
    const [first, second, third] = codes as [Code, Code, Code];
    switch (expr.name) {
      case '_&&_':
        return logical(first, second, false);
      case '_||_':
        return logical(first, second, true);
      case '_?_:_':
        return (frame) => {
          const condition = first(frame);
          if (condition === true) return second(frame);
          if (condition === false) return third(frame);
          return condition instanceof CelFault ? condition : noOverload;
        };
      case '_[_]':
        return indexing(first, second, indexThrough);
      case '_[?_]':
        return indexing(first, second, optionalIndex);
      case 'or':
      case 'orValue':
        if (expr.target !== undefined && expr.args.length === 1)
          return alternative(first, second, expr.name === 'or');
        break;
    }
    const folded = this.#folded(expr, overloads, codes);
    if (folded !== undefined) return folded;
    if (codes.length === 1) return unaryCall(first, expr.name, overloads);
    if (codes.length === 2) return binaryCall(first, second, expr.name, overloads);
    return anyCall(codes, expr.name, overloads);
  }

  /** What is known of a call before anything runs; undefined for a call like any other. */
  #folded(expr: CallExpr, overloads: readonly Overload[], codes: readonly Code[]): Code | undefined {
    const [first, second] = codes as [Code, Code];
    const isConversion = codes.length === 1 && expr.target === undefined && conversions.has(expr.name);
    if (isConversion && this.#constants.has(first)) {
      const value = run(nowhere, expr.name, overloads, [this.#constants.get(first) as Value]);
      if (!(value instanceof CelFault)) return this.#constant(value);
      if (this.#refuses) throw new CelProgramError(value.message);
    }
    const other = second === undefined ? undefined : this.#constants.get(second);
    if (this.#refuses && patternFunctions.has(expr.name) && typeof other === 'string') {
      const found = matches('', other);
      if (found instanceof CelFault) throw new CelProgramError(found.message);
    }
    if (expr.name !== '@in' || !(other instanceof CelList)) return undefined;
    if (other.size === 0) return this.#constant(false);
    if (!other.toArray().every(isHashable)) return undefined;
    // A look-up in a set takes no step.
    return (frame) => {
      const item = first(frame);
      return item instanceof CelFault ? item : contains(other, item);
    };
  }

  #list(expr: ListExpr): Code {
    const elements = expr.elements.map(({ value, isOptional }) => ({
      code: this.compile(value),
      isOptional,
    }));
    const codes = elements.map(({ code }) => code);
    if (this.#areConstant(codes) && !elements.some(({ isOptional }) => isOptional))
      return this.#constant(new ArrayList(codes.map((code) => code(nowhere))));
    return (frame) => {
      frame.spend(listCost);
      const values: Value[] = [];
      for (const { code, isOptional } of elements) {
        const value = code(frame);
        if (value instanceof CelFault) return value;
        if (!isOptional) values.push(value);
        else if (!(value instanceof Optional)) return noOverload;
        else if (value.value !== undefined) values.push(value.value);
      }
      return new ArrayList(values);
    };
  }

  #map(expr: MapExpr): Code {
    const entries = expr.entries.map(({ key, value, isOptional }) => ({
      key: this.compile(key),
      value: this.compile(value),
      isOptional,
    }));
    const make = (frame: Frame): Value => {
      frame.spend(mapCost);
      const map = new NativeMap();
      for (const entry of entries) {
        const key = entry.key(frame);
        if (key instanceof CelFault) return key;
        let value = entry.value(frame);
        if (value instanceof CelFault) return value;
        if (entry.isOptional) {
          if (!(value instanceof Optional)) return noOverload;
          if (value.value === undefined) continue;
          value = value.value;
        }
        const fault = insert(map, key, value);
        if (fault !== undefined) return fault;
      }
      return map;
    };
    const isConstant =
      this.#areConstant(entries.flatMap(({ key, value }) => [key, value])) &&
      !entries.some(({ isOptional }) => isOptional);
    return isConstant ? this.#constant(make(nowhere)) : make;
  }

  #struct(expr: StructExpr, struct: StructType): Code {
    const fields = expr.fields.map(({ name, value, isOptional }) => ({
      name,
      code: this.compile(value),
      isOptional,
    }));
    return (frame) => {
      frame.spend(structCost);
      const values = new Map<string, Value>();
      for (const { name, code, isOptional } of fields) {
        const value = code(frame);
        if (value instanceof CelFault) return value;
        if (!isOptional) values.set(name, value);
        else if (!(value instanceof Optional)) return noOverload;
        else if (value.value !== undefined) values.set(name, value.value);
      }
      return struct.make(values);
    };
  }

  #bind(expr: BindExpr): Code {
    const value = this.compile(expr.value);
    return this.#local([expr.name], ([slot]) => {
      const body = this.compile(expr.body);
      return (frame) => {
        frame.slots[slot as number] = value(frame);
        return body(frame);
      };
    });
  }

  #optionalMap(expr: OptionalMapExpr): Code {
    const target = this.compile(expr.target);
    return this.#local([expr.name], ([slot]) => {
      const body = this.compile(expr.body);
      return (frame) => {
        const value = target(frame);
        if (value instanceof CelFault) return value;
        if (!(value instanceof Optional)) return noOverload;
        if (value.value === undefined) return value;
        frame.spend(1);
        frame.slots[slot as number] = value.value;
        const result = body(frame);
        if (result instanceof CelFault) return result;
        if (!expr.isFlat) return new Optional(result);
        return result instanceof Optional ? result : noOverload;
      };
    });
  }

  #comprehension(expr: ComprehensionExpr): Code {
    const range = this.compile(expr.range);
    const names = expr.second === undefined ? [expr.first] : [expr.first, expr.second];
    return this.#local(names, ([first, second]) => {
      const predicate = expr.predicate === undefined ? undefined : this.compile(expr.predicate);
      const transform = expr.transform === undefined ? undefined : this.compile(expr.transform);
      const loop = new Loop(range, first as number, second);
      switch (expr.macro) {
        case 'all':
          return quantifier(loop, predicate as Code, false);
        case 'exists':
          return quantifier(loop, predicate as Code, true);
        case 'exists_one':
          return exactlyOne(loop, predicate as Code);
        case 'filter':
          return collect(loop, predicate, (frame) => frame.slots[first as number] as Value);
        case 'map':
        case 'transformList':
          return collect(loop, predicate, transform as Code);
        case 'transformMap':
          return collectMap(loop, predicate, transform as Code, (map, key, value) => insert(map, key, value));
        case 'transformMapEntry':
          return collectMap(loop, predicate, transform as Code, (map, _, value) => insertAll(map, value));
      }
    });
  }
}

/** What cel-go puts into a set: scalars but bytes. */
function isHashable(value: Value): boolean {
  return (
    value === null ||
    ['boolean', 'bigint', 'number', 'string'].includes(typeof value) ||
    value instanceof Uint
  );
}

const nowhere = new Frame([], Number.POSITIVE_INFINITY);

const unsupportedIndex = new CelFault("unsupported index type 'string' in list");

/** Undefined when absent, as it is in whatever has no fields (cel-go interpreter refQualify). */
function selectField(value: Value, field: string): Value | undefined {
  if (value instanceof CelMap) return value.get(field);
  if (value instanceof Optional) {
    if (value.value === undefined) return value;
    const found = selectField(value.value, field);
    if (found === undefined) return Optional.none;
    return found instanceof CelFault || found instanceof Optional ? found : new Optional(found);
  }
  return value instanceof CelList ? unsupportedIndex : undefined;
}

/** `&&` (decided by false) and `||` (decided by true): either side may decide, whatever the other one says. */
function logical(left: Code, right: Code, decisive: boolean): Code {
  return (frame) => {
    const a = left(frame);
    if (a === decisive) return decisive;
    const b = right(frame);
    if (b === decisive) return decisive;
    if (a === !decisive && b === !decisive) return b;
    if (a instanceof CelFault) return a;
    return b instanceof CelFault ? b : noOverload;
  };
}

/** `or` and `orValue`: the other side only where the first holds nothing. */
function alternative(target: Code, other: Code, keepsOptional: boolean): Code {
  return (frame) => {
    const value = target(frame);
    if (value instanceof CelFault) return value;
    frame.spend(1);
    if (!(value instanceof Optional)) return noOverload;
    if (value.value === undefined) return other(frame);
    return keepsOptional ? value : value.value;
  };
}

/** Lists take numbers of any type as an index, as long as they are whole. */
function indexing(container: Code, key: Code, look: (container: Value, key: Value) => Value): Code {
  return (frame) => {
    const a = container(frame);
    if (a instanceof CelFault) return a;
    const b = key(frame);
    if (b instanceof CelFault) return b;
    frame.spend(1);
    return look(a, b);
  };
}

function unaryCall(argument: Code, name: string, overloads: readonly Overload[]): Code {
  return (frame) => {
    const value = argument(frame);
    if (value instanceof CelFault) return value;
    return run(frame, name, overloads, [value]);
  };
}

function binaryCall(left: Code, right: Code, name: string, overloads: readonly Overload[]): Code {
  return (frame) => {
    const a = left(frame);
    if (a instanceof CelFault) return a;
    const b = right(frame);
    if (b instanceof CelFault) return b;
    return run(frame, name, overloads, [a, b]);
  };
}

function anyCall(codes: readonly Code[], name: string, overloads: readonly Overload[]): Code {
  return (frame) => {
    const args: Value[] = [];
    for (const code of codes) {
      const value = code(frame);
      if (value instanceof CelFault) return value;
      args.push(value);
    }
    return run(frame, name, overloads, args);
  };
}

/** Static types choose the overloads that may be meant; which one is, the values say (they may be null or unknown). */
function run(frame: Frame, name: string, overloads: readonly Overload[], args: readonly Value[]): Value {
  const overload = dispatch(overloads, args);
  if (overload === undefined) return noOverloadOf(name, args);
  const result = overload.call(args);
  frame.spend(overload.cost.run(args, result));
  return result;
}

function insert(map: NativeMap, key: Value, value: Value): CelFault | undefined {
  const added = map.add(key, value);
  if (added === true) return undefined;
  return new CelFault(
    added === undefined ? 'unsupported key type' : `insert failed: key ${String(key)} already exists`,
  );
}

function insertAll(map: NativeMap, entries: Value): CelFault | undefined {
  if (!(entries instanceof CelMap)) return noOverload;
  for (const key of entries.keys()) {
    const fault = insert(map, key, entries.get(key) as Value);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Walks a list or map, with its parts in the slots of the variables. */
class Loop {
  readonly #range: Code;
  readonly #first: number;
  readonly #second: number | undefined;

  constructor(range: Code, first: number, second: number | undefined) {
    this.#range = range;
    this.#first = first;
    this.#second = second;
  }

  /** Calls `step` for each element until it gives a value, which is the result; undefined at the end. */
  run(frame: Frame, step: (frame: Frame, key: Value) => Value | undefined): Value | undefined {
    const range = this.#range(frame);
    if (range instanceof CelFault) return range;
    if (range instanceof CelList) return this.#list(frame, range, step);
    if (range instanceof CelMap) return this.#map(frame, range, step);
    return noOverload;
  }

  #list(
    frame: Frame,
    list: CelList,
    step: (frame: Frame, key: Value) => Value | undefined,
  ): Value | undefined {
    const { slots } = frame;
    for (let i = 0; i < list.size; i++) {
      if (this.#second === undefined) {
        slots[this.#first] = list.at(i);
      } else {
        slots[this.#first] = BigInt(i);
        slots[this.#second] = list.at(i);
      }
      const result = step(frame, this.#second === undefined ? null : (slots[this.#first] as Value));
      if (result !== undefined) return result;
    }
    return undefined;
  }

  #map(frame: Frame, map: CelMap, step: (frame: Frame, key: Value) => Value | undefined): Value | undefined {
    const { slots } = frame;
    for (const key of map.keys()) {
      slots[this.#first] = key;
      if (this.#second !== undefined) slots[this.#second] = map.get(key) as Value;
      const result = step(frame, key);
      if (result !== undefined) return result;
    }
    return undefined;
  }
}

/** `all` (ended by false) and `exists` (ended by true): faults count only when nothing decides. */
function quantifier(loop: Loop, predicate: Code, decisive: boolean): Code {
  return (frame) => {
    let fault: CelFault | undefined;
    const result = loop.run(frame, () => {
      frame.spend(quantifierCost);
      const value = predicate(frame);
      if (value === decisive) return decisive;
      if (value !== !decisive) fault ??= value instanceof CelFault ? value : noOverload;
      return undefined;
    });
    return result ?? fault ?? !decisive;
  };
}

function exactlyOne(loop: Loop, predicate: Code): Code {
  return (frame) => {
    let count = 0;
    const result = loop.run(frame, () => {
      frame.spend(countCost);
      const value = predicate(frame);
      if (value === true) count++;
      else if (value !== false) return value instanceof CelFault ? value : noOverload;
      return undefined;
    });
    return result ?? count === 1;
  };
}

function collect(loop: Loop, predicate: Code | undefined, transform: Code): Code {
  return (frame) => {
    const values: Value[] = [];
    frame.spend(listCost);
    const fault = loop.run(frame, () => {
      frame.spend(appendCost);
      const taken = predicate === undefined || predicate(frame);
      if (taken === false) return undefined;
      if (taken !== true) return taken instanceof CelFault ? taken : noOverload;
      const value = transform(frame);
      if (value instanceof CelFault) return value;
      values.push(value);
      return undefined;
    });
    return fault ?? new ArrayList(values);
  };
}

function collectMap(
  loop: Loop,
  predicate: Code | undefined,
  transform: Code,
  add: (map: NativeMap, key: Value, value: Value) => CelFault | undefined,
): Code {
  return (frame) => {
    const map = new NativeMap();
    frame.spend(mapCost);
    const fault = loop.run(frame, (_, key) => {
      frame.spend(insertCost);
      const taken = predicate === undefined || predicate(frame);
      if (taken === false) return undefined;
      if (taken !== true) return taken instanceof CelFault ? taken : noOverload;
      const value = transform(frame);
      return value instanceof CelFault ? value : add(map, key, value);
    });
    return fault ?? map;
  };
}
