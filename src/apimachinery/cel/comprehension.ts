import type { ComprehensionMacro } from './ast.ts';
import type { Code, Frame } from './frame.ts';
import { typeOf } from './type-of.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  intType,
  nullType,
  optionalType,
  stringType,
  timestampType,
  typeType,
  uintType,
} from './types.ts';
import {
  ArrayList,
  CelFault,
  CelList,
  CelMap,
  NativeMap,
  noOverload,
  Uint,
  unsupportedKeyType,
  type Value,
} from './values.ts';

/**
 * What comprehensions cost beside their parts: what cel-go's expansions of the macros (parser/macro.go, ext/comprehensions.go)
 * come to when its interpreter/runtimecost.go watches each of their nodes. Looking at the accumulator is a step, and so is each
 * function that is called with it; `&&`, `||`, `?:`, a constant, and a name that is a branch of `?:` are none.
 */
const lookCost = 1;
const callCost = 1;
/** `[x]`, unless it is a constant. */
const listCost = 10;

/** A comprehension's parts, compiled. */
export interface Comprehension {
  readonly macro: ComprehensionMacro;
  readonly loop: Loop;
  readonly predicate: Code | undefined;
  readonly transform: Code | undefined;
  /** Whether what the transform gives is known before it runs. */
  readonly isConstant: boolean;
}

export function comprehensionCode({ macro, loop, predicate, transform, isConstant }: Comprehension): Code {
  switch (macro) {
    case 'all':
      return quantifier(loop, predicate as Code, false);
    case 'exists':
      return quantifier(loop, predicate as Code, true);
    case 'exists_one':
      return exactlyOne(loop, predicate as Code);
    case 'filter':
      return collect(loop, predicate, elementOf(loop), false);
    case 'map':
    case 'transformList':
      return collect(loop, predicate, transform as Code, isConstant);
    case 'transformMap':
      return collectMap(loop, predicate, insertingKey(transform as Code));
    case 'transformMapEntry':
      return collectMap(loop, predicate, insertingEntries(transform as Code));
  }
}

/** Walks a list or map, with its parts in the slots of the variables. */
export class Loop {
  readonly first: number;
  readonly #range: Code;
  readonly #second: number | undefined;

  constructor(range: Code, first: number, second: number | undefined) {
    this.#range = range;
    this.first = first;
    this.#second = second;
  }

  /** Calls `step` for each element until it says that it is enough. The fault of what is to be walked; undefined at the end. */
  run(frame: Frame, step: (frame: Frame) => boolean): CelFault | undefined {
    const range = this.#range(frame);
    if (range instanceof CelFault) return range;
    if (range instanceof CelList) this.#list(frame, range, step);
    else if (range instanceof CelMap) this.#map(frame, range, step);
    else return rangeFault(range, this.#second !== undefined);
    return undefined;
  }

  #list(frame: Frame, list: CelList, step: (frame: Frame) => boolean): void {
    const { slots } = frame;
    for (let i = 0; i < list.size; i++) {
      if (this.#second === undefined) {
        slots[this.first] = list.at(i);
      } else {
        slots[this.first] = BigInt(i);
        slots[this.#second] = list.at(i);
      }
      if (step(frame)) return;
    }
  }

  #map(frame: Frame, map: CelMap, step: (frame: Frame) => boolean): void {
    const { slots } = frame;
    for (const key of map.keys()) {
      slots[this.first] = key;
      if (this.#second !== undefined) slots[this.#second] = map.get(key) as Value;
      if (step(frame)) return;
    }
  }
}

/** Go's name of what is no list and no map; what libraries add has names of its own. */
const goTypes = new Map<CelType, string>([
  [boolType, 'types.Bool'],
  [intType, 'types.Int'],
  [uintType, 'types.Uint'],
  [doubleType, 'types.Double'],
  [stringType, 'types.String'],
  [bytesType, 'types.Bytes'],
  [nullType, 'types.Null'],
  [timestampType, 'types.Timestamp'],
  [durationType, 'types.Duration'],
  [optionalType, '*types.Optional'],
  [typeType, '*types.Type'],
]);

/** cel-go interpreter/interpretable.go, evalFold. */
function rangeFault(range: Value, isOfTwo: boolean): CelFault {
  const goType = goTypes.get(typeOf(range));
  if (goType === undefined) return noOverload;
  return new CelFault(
    isOfTwo ? `unsupported comprehension range type: ${goType}` : `got '${goType}', expected iterable type`,
  );
}

/** What stands where a bool should. */
const faultOf = (value: Value): CelFault => (value instanceof CelFault ? value : noOverload);

/**
 * `all` (ended by false): `@not_strictly_false(accu)`, then `accu && predicate`. `exists` (ended by true):
 * `@not_strictly_false(!accu)`, then `accu || predicate`. Faults count only when nothing decides.
 */
function quantifier(loop: Loop, predicate: Code, decisive: boolean): Code {
  const askCost = lookCost + (decisive ? 2 * callCost : callCost);
  return (frame) => {
    let held: Value = !decisive;
    const fault = loop.run(frame, () => {
      frame.spend(askCost);
      if (held === decisive) return true;
      frame.spend(lookCost);
      const value = predicate(frame);
      if (value === decisive) held = decisive;
      else if (value !== !decisive && !(held instanceof CelFault)) held = faultOf(value);
      return false;
    });
    if (fault !== undefined) return fault;
    frame.spend(lookCost);
    return held;
  };
}

/** `predicate ? accu + 1 : accu`, then `accu == 1`. It goes on after a fault, and the last one is told. */
function exactlyOne(loop: Loop, predicate: Code): Code {
  return (frame) => {
    let held: number | CelFault = 0;
    const fault = loop.run(frame, () => {
      const value = predicate(frame);
      if (value === true) {
        frame.spend(lookCost + callCost);
        if (typeof held === 'number') held++;
      } else if (value !== false) held = faultOf(value);
      return false;
    });
    if (fault !== undefined) return fault;
    frame.spend(lookCost + callCost);
    return typeof held === 'number' ? held === 1 : held;
  };
}

/** Calls `step` for elements that a predicate lets pass: `predicate ? step : accu`. Whatever goes wrong, it goes on. */
function collecting(
  loop: Loop,
  predicate: Code | undefined,
  frame: Frame,
  step: (held: CelFault | undefined) => CelFault | undefined,
): CelFault | undefined {
  let held: CelFault | undefined;
  const fault = loop.run(frame, () => {
    const taken = predicate === undefined || predicate(frame);
    if (taken === true) held = step(held) ?? held;
    else if (taken !== false) held = faultOf(taken);
    return false;
  });
  if (fault !== undefined) return fault;
  frame.spend(lookCost);
  return held;
}

/** The element itself, which `filter` names. */
function elementOf({ first }: Loop): Code {
  return (frame) => {
    frame.spend(lookCost);
    return frame.slots[first] as Value;
  };
}

/** `accu + [transform]`. */
function collect(loop: Loop, predicate: Code | undefined, transform: Code, isConstant: boolean): Code {
  const appendCost = lookCost + callCost + (isConstant ? 0 : listCost);
  return (frame) => {
    const values: Value[] = [];
    const fault = collecting(loop, predicate, frame, (held) => {
      frame.spend(appendCost);
      const value = transform(frame);
      if (value instanceof CelFault) return held ?? value;
      values.push(value);
      return undefined;
    });
    return fault ?? new ArrayList(values);
  };
}

type Inserting = (
  frame: Frame,
  map: NativeMap,
  key: Value,
  held: CelFault | undefined,
) => CelFault | undefined;

function collectMap(loop: Loop, predicate: Code | undefined, insert: Inserting): Code {
  return (frame) => {
    const map = new NativeMap();
    const fault = collecting(loop, predicate, frame, (held) =>
      insert(frame, map, frame.slots[loop.first] as Value, held),
    );
    return fault ?? map;
  };
}

/** `cel.@mapInsert(accu, key, transform)`: arguments after a fault are not looked at, and it costs nothing then. */
function insertingKey(transform: Code): Inserting {
  return (frame, map, key, held) => {
    frame.spend(lookCost);
    if (held !== undefined) return undefined;
    frame.spend(lookCost);
    const value = transform(frame);
    frame.spend(callCost);
    return value instanceof CelFault ? value : insert(map, key, value);
  };
}

/** `cel.@mapInsert(accu, transform)`: both of two arguments are looked at. */
function insertingEntries(transform: Code): Inserting {
  return (frame, map, _, held) => {
    frame.spend(lookCost);
    const value = transform(frame);
    frame.spend(callCost);
    return held ?? (value instanceof CelFault ? value : insertAll(map, value));
  };
}

/** Into a map of which no key may come twice (cel-go common/types/map.go, mutableMap.Insert); what is wrong when it cannot be. */
function insert(map: NativeMap, key: Value, value: Value): CelFault | undefined {
  const added = map.add(key, value);
  if (added === true) return undefined;
  return added === undefined
    ? unsupportedKeyType
    : new CelFault(`insert failed: key ${key instanceof Uint ? key.value : String(key)} already exists`);
}

function insertAll(map: NativeMap, entries: Value): CelFault | undefined {
  if (!(entries instanceof CelMap)) return noOverload;
  for (const key of entries.keys()) {
    const fault = insert(map, key, entries.get(key) as Value);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
