import { equalValues } from '../equality.ts';
import { joinLists } from '../join-lists.ts';
import { JsonList, JsonMap } from '../json-values.ts';
import { intMax, intMin, uintMax } from '../lexer.ts';
import { durationMax, timestampMax, timestampMin } from '../time.ts';
import { typeOf } from '../type-of.ts';
import {
  CelFault,
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
import { comparing, concatenating, equating, joiningLists, membership } from './costs.ts';
import type { FunctionTable } from './registry.ts';

const overflow = new CelFault('integer overflow');
const unsignedOverflow = new CelFault('unsigned integer overflow');
const timestampOverflow = new CelFault('timestamp overflow');
const durationOverflow = new CelFault('duration overflow');

export function checkedInt(value: bigint): Value {
  return value > intMax || value < intMin ? overflow : value;
}

export function checkedUint(value: bigint): Value {
  return value > uintMax || value < 0n ? unsignedOverflow : new Uint(value);
}

/** In the zone of the moment from which it was reckoned. */
function checkedTimestamp(nanos: bigint, { offsetMinutes }: Timestamp): Value {
  return nanos > timestampMax || nanos < timestampMin
    ? timestampOverflow
    : new Timestamp(nanos, offsetMinutes);
}

export function checkedDuration(nanos: bigint): Value {
  return nanos > durationMax || nanos < -durationMax - 1n ? durationOverflow : new Duration(nanos);
}

function add(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkedInt(a + b);
  if (typeof a === 'string' && typeof b === 'string') return a + b;
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (a instanceof Uint && b instanceof Uint) return checkedUint(a.value + b.value);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return new Uint8Array(Buffer.concat([a, b]));
  if (a instanceof Timestamp && b instanceof Duration) return checkedTimestamp(a.nanos + b.nanos, a);
  if (a instanceof Duration && b instanceof Timestamp) return checkedTimestamp(a.nanos + b.nanos, b);
  if (a instanceof Duration && b instanceof Duration) return checkedDuration(a.nanos + b.nanos);
  return noOverload;
}

function subtract(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkedInt(a - b);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (a instanceof Uint && b instanceof Uint) return checkedUint(a.value - b.value);
  if (a instanceof Timestamp && b instanceof Timestamp) {
    const between = checkedDuration(a.nanos - b.nanos);
    return between instanceof CelFault ? overflow : between;
  }
  if (a instanceof Timestamp && b instanceof Duration) return checkedTimestamp(a.nanos - b.nanos, a);
  if (a instanceof Duration && b instanceof Duration) return checkedDuration(a.nanos - b.nanos);
  return noOverload;
}

function multiply(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkedInt(a * b);
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  if (a instanceof Uint && b instanceof Uint) return checkedUint(a.value * b.value);
  return noOverload;
}

const byZero = new CelFault('division by zero');
const modulusByZero = new CelFault('modulus by zero');

function divide(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return b === 0n ? byZero : checkedInt(a / b);
  if (typeof a === 'number' && typeof b === 'number') return a / b;
  if (a instanceof Uint && b instanceof Uint) return b.value === 0n ? byZero : new Uint(a.value / b.value);
  return noOverload;
}

function modulo(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    // Go refuses what would overflow in the division that goes with it.
    return b === 0n ? modulusByZero : a === intMin && b === -1n ? overflow : a % b;
  }
  if (a instanceof Uint && b instanceof Uint)
    return b.value === 0n ? modulusByZero : new Uint(a.value % b.value);
  return noOverload;
}

/** By code point: UTF-16 orders surrogates before the end of the basic plane. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    let [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    if (x >= 0xd800 && y >= 0xd800) {
      if (x < 0xe000) x += 0x10000;
      if (y < 0xe000) y += 0x10000;
    }
    return x - y;
  }
  return a.length - b.length;
}

/** Negative, zero, positive; NaN when a number is none; undefined for what has no order. */
export function compareValues(a: Value, b: Value): number | undefined {
  const x = a instanceof Uint ? a.value : a;
  const y = b instanceof Uint ? b.value : b;
  if (typeof x === 'bigint' && typeof y === 'bigint') return x < y ? -1 : x > y ? 1 : 0;
  if ((typeof x === 'bigint' || typeof x === 'number') && (typeof y === 'bigint' || typeof y === 'number')) {
    const order = Number(x) - Number(y);
    return Number(x) === Number(y) ? 0 : order;
  }
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Timestamp && b instanceof Timestamp)
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  if (a instanceof Duration && b instanceof Duration)
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return undefined;
}

/** What is told of a value that has no order; undefined for one that has. */
export function unordered(value: Value): CelFault | undefined {
  if (value instanceof CelFault) return value;
  const isOrdered =
    value === null || typeof value === 'object'
      ? [Uint, Timestamp, Duration, Uint8Array].some((kind) => value instanceof kind)
      : true;
  return isOrdered ? undefined : noOverload;
}

/** Types that only functions look into do not say of another type that it is unequal (`Equal` in k8s.io/apiserver/pkg/cel). */
function equate(a: Value, b: Value): Value {
  if (a instanceof Opaque && b !== null && typeOf(b) !== a.type) return noOverload;
  return equalValues(a, b);
}

export function contains(list: CelList, item: Value): boolean {
  for (let i = 0; i < list.size; i++) if (equalValues(list.at(i), item)) return true;
  return false;
}

/** The element or entry at an index or key; undefined when there is none. */
export function lookUp(container: CelList | CelMap, index: Value): Value | undefined {
  if ('at' in container) {
    const position = listIndex(index);
    if (position === undefined) return noOverload;
    return position < 0 || position >= container.size ? undefined : container.at(position);
  }
  return container.get(index);
}

function listIndex(index: Value): number | undefined {
  if (typeof index === 'bigint') return Number(index);
  if (index instanceof Uint) return Number(index.value);
  return typeof index === 'number' && Number.isInteger(index) ? index : undefined;
}

/** How Go names what cannot be a key, of what has keys of any type (cel-go interpreter/attributes.go newQualifier). */
function keyKind(key: Value): string | undefined {
  if (key === null) return '<nil>';
  if (key instanceof JsonList) return '[]interface {}';
  return key instanceof JsonMap ? 'map[string]interface {}' : undefined;
}

/** What an index or key looks like in an error. */
export function showKey(key: Value): string {
  if (key instanceof Uint) return String(key.value);
  return typeof key === 'object' ? 'key' : String(key);
}

export function index(container: CelList | CelMap, key: Value): Value {
  const found = lookUp(container, key);
  if (found !== undefined) return found;
  return new CelFault(
    'at' in container ? `index out of bounds: ${showKey(key)}` : `no such key: ${showKey(key)}`,
  );
}

export function optionalIndex(container: Value, key: Value): Value {
  const kind = keyKind(key);
  if (kind !== undefined) return new CelFault(`invalid qualifier type: ${kind}`);
  if (container instanceof Optional) {
    return container.value === undefined ? container : optionalIndex(container.value, key);
  }
  if (!(container instanceof CelList) && !(container instanceof CelMap)) return Optional.none;
  const found = lookUp(container, key);
  if (found instanceof CelFault) return found;
  return found === undefined ? Optional.none : new Optional(found);
}

/** What has no parts has none of any key (cel-go interpreter refQualify). */
export function indexThrough(container: Value, key: Value): Value {
  const kind = keyKind(key);
  if (kind !== undefined) return new CelFault(`invalid qualifier type: ${kind}`);
  if (container instanceof Optional) return optionalIndex(container, key);
  if (container instanceof CelList || container instanceof CelMap) return index(container, key);
  return new CelFault(`no such key: ${showKey(key)}`);
}

const binary =
  (operation: (a: Value, b: Value) => Value) =>
  ([a, b]: readonly Value[]): Value =>
    operation(a as Value, b as Value);

const compared =
  (test: (order: number) => boolean) =>
  ([a, b]: readonly Value[]): Value => {
    const order = compareValues(a as Value, b as Value);
    return order === undefined ? noOverload : test(order);
  };

const numbers = ['int', 'uint', 'double'];
const ordered = [
  ...numbers.flatMap((a) => numbers.map((b) => `${a}, ${b}, bool`)),
  'bool, bool, bool',
  'timestamp, timestamp, bool',
  'duration, duration, bool',
];
const orderedTexts = ['string, string, bool', 'bytes, bytes, bool'];

/** Operators of the CEL specification, with the comparisons across number types. */
export function addOperators(table: FunctionTable): void {
  const timestamps = [
    'timestamp, duration, timestamp',
    'duration, timestamp, timestamp',
    'duration, duration, duration',
  ];
  table
    .operator(
      '_+_',
      ['int, int, int', 'uint, uint, uint', 'double, double, double', ...timestamps],
      binary(add),
    )
    .operator('_+_', ['string, string, string', 'bytes, bytes, bytes'], binary(add), concatenating)
    .operator(
      '_+_',
      ['list(A), list(A), list(A)'],
      ([a, b]) => joinLists(a as CelList, b as CelList),
      joiningLists,
    )
    .operator(
      '_-_',
      [
        'int, int, int',
        'uint, uint, uint',
        'double, double, double',
        'timestamp, timestamp, duration',
        'timestamp, duration, timestamp',
        'duration, duration, duration',
      ],
      binary(subtract),
    )
    .operator('_*_', ['int, int, int', 'uint, uint, uint', 'double, double, double'], binary(multiply))
    .operator('_/_', ['int, int, int', 'uint, uint, uint', 'double, double, double'], binary(divide))
    .operator('_%_', ['int, int, int', 'uint, uint, uint'], binary(modulo))
    .operator('-_', ['int, int'], ([a]) => checkedInt(-(a as bigint)))
    .operator('-_', ['double, double'], ([a]) => -(a as number))
    .operator('!_', ['bool, bool'], ([a]) => !a)
    .operator('_==_', ['A, A, bool'], binary(equate), equating)
    // Of what cannot be compared it is true (cel-go types.Equal is neither true nor false then).
    .operator('_!=_', ['A, A, bool'], ([a, b]) => !equalValues(a as Value, b as Value), comparing)
    .operator('@in', ['A, list(A), bool'], ([a, b]) => contains(b as CelList, a as Value), membership)
    .operator('@in', ['A, map(A, B), bool'], ([a, b]) => (b as CelMap).get(a as Value) !== undefined)
    .operator('_[_]', ['list(A), int, A', 'map(A, B), A, B'], binary(indexThrough))
    .operator(
      '_[_]',
      ['optional(list(A)), int, optional(A)', 'optional(map(A, B)), A, optional(B)'],
      binary(indexThrough),
    )
    .operator(
      '_[?_]',
      [
        'list(A), int, optional(A)',
        'optional(list(A)), int, optional(A)',
        'map(A, B), A, optional(B)',
        'optional(map(A, B)), A, optional(B)',
      ],
      binary(optionalIndex),
    )
    // Conditions are checked by these and run by themselves, since they look at one side only.
    .operator('_&&_', ['bool, bool, bool'], () => noOverload)
    .operator('_||_', ['bool, bool, bool'], () => noOverload)
    .operator('_?_:_', ['bool, A, A, A'], () => noOverload);
  const orders: [string, (order: number) => boolean][] = [
    ['_<_', (order) => order < 0],
    ['_<=_', (order) => order <= 0],
    ['_>_', (order) => order > 0],
    ['_>=_', (order) => order >= 0],
  ];
  for (const [name, test] of orders) {
    table.operator(name, ordered, compared(test)).operator(name, orderedTexts, compared(test), comparing);
  }
}
