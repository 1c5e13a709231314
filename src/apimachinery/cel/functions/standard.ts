import { goRegexp, RegexpCostError } from '../../go-regexp/go-regexp.ts';
import { RegexpSyntaxError } from '../../go-regexp/syntax-error.ts';
import { codePointCount } from '../sizes.ts';
import {
  type DateParts,
  datePartsIn,
  floorDiv,
  formatDuration,
  formatTimestamp,
  parseGoDuration,
  parseTimestamp,
  timestampMax,
  timestampMin,
} from '../time.ts';
import { typeOf } from '../type-of.ts';
import { durationType, timestampType } from '../types.ts';
import {
  CelFault,
  type CelList,
  type CelMap,
  Duration,
  noOverload,
  Timestamp,
  Uint,
  type Value,
} from '../values.ts';
import { beginning, matching, searching, traversal, unreckonedCall } from './costs.ts';
import { checkedInt, checkedUint } from './operators.ts';
import type { FunctionTable } from './registry.ts';

const second = 1_000_000_000n;

function size(value: Value): Value {
  if (typeof value === 'string') return BigInt(codePointCount(value));
  if (value instanceof Uint8Array) return BigInt(value.length);
  return BigInt((value as CelList | CelMap).size);
}

/** A double as Go prints it with `%g` and the least digits. */
export function showDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  // The least digits count as six for this (strconv.FormatFloat 'g').
  if (power < -4 || power >= 6) {
    const digits = Math.abs(power).toString().padStart(2, '0');
    return `${mantissa}e${power < 0 ? '-' : '+'}${digits}`;
  }
  const text = String(value);
  return text.includes('e') ? expand(mantissa, power) : text;
}

/** Without exponent, as String() would write it for smaller numbers. */
function expand(mantissa: string, power: number): string {
  const isNegative = mantissa.startsWith('-');
  const digits = mantissa.replace('-', '').replace('.', '');
  const text = `0.${'0'.repeat(-power - 1)}${digits}`;
  return isNegative ? `-${text}` : text;
}

export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function toText(value: Value): Value {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return showDouble(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array)
    return decodeUtf8(value) ?? new CelFault('invalid UTF-8 in bytes, cannot convert to string');
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value.nanos);
  return noOverload;
}

function conversionFault(from: string, to: string): CelFault {
  return new CelFault(`type conversion error from '${from}' to '${to}'`);
}

function toInt(value: Value): Value {
  if (typeof value === 'bigint') return value;
  if (value instanceof Uint) return checkedInt(value.value);
  if (typeof value === 'number') {
    // Doubles next to the bounds are no exact integers any more.
    if (!(value > -(2 ** 63) && value < 2 ** 63)) return new CelFault('integer overflow');
    return BigInt(Math.trunc(value));
  }
  if (typeof value === 'string') {
    const number = /^[+-]?[0-9]+$/.test(value) && value.length < 64 ? checkedInt(parsed(value)) : undefined;
    return typeof number === 'bigint' ? number : conversionFault('string', 'int');
  }
  if (value instanceof Timestamp) return floorDiv(value.nanos, second);
  if (value instanceof Duration) return value.nanos;
  return noOverload;
}

/** BigInt() knows no plus sign. */
function parsed(text: string): bigint {
  return text.startsWith('+')
    ? BigInt(text.slice(1))
    : text.startsWith('-')
      ? -BigInt(text.slice(1))
      : BigInt(text);
}

function toUint(value: Value): Value {
  if (value instanceof Uint) return value;
  if (typeof value === 'bigint') return checkedUint(value);
  if (typeof value === 'number') {
    if (!(value > -1 && value < 2 ** 64)) return new CelFault('unsigned integer overflow');
    return value < 0 ? new CelFault('unsigned integer overflow') : new Uint(BigInt(Math.trunc(value)));
  }
  const isNumber = typeof value === 'string' && /^[0-9]+$/.test(value) && value.length < 64;
  const number = isNumber ? checkedUint(BigInt(value)) : undefined;
  return number instanceof Uint ? number : conversionFault('string', 'uint');
}

const goFloat = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

function toDouble(value: Value): Value {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint) return Number(value.value);
  const text = value as string;
  const special = /^([+-]?)(?:inf|infinity)$/i.exec(text);
  if (special !== null) return special[1] === '-' ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return Number.NaN;
  return goFloat.test(text) ? Number(text) : conversionFault('string', 'double');
}

function toBool(value: Value): Value {
  if (typeof value === 'boolean') return value;
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value as string)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value as string)) return false;
  return conversionFault('string', 'bool');
}

export function toTimestamp(value: Value): Value {
  if (value instanceof Timestamp) return value;
  if (typeof value === 'bigint') {
    const nanos = value * second;
    return nanos > timestampMax || nanos < timestampMin
      ? new CelFault('timestamp overflow')
      : new Timestamp(nanos);
  }
  const found = parseTimestamp(value as string);
  return found === undefined
    ? conversionFault('string', timestampType.name)
    : new Timestamp(found.nanos, found.offsetMinutes);
}

function toDuration(value: Value): Value {
  if (value instanceof Duration) return value;
  if (typeof value === 'bigint') return new Duration(value);
  const nanos = parseGoDuration(value as string);
  return nanos === undefined ? conversionFault('string', durationType.name) : new Duration(nanos);
}

/** Whether a text contains a match of a pattern in Go's syntax, in linear time. */
export function matches(text: string, pattern: string): Value {
  try {
    return goRegexp(pattern).test(text);
  } catch (error) {
    if (error instanceof RegexpSyntaxError || error instanceof RegexpCostError)
      return new CelFault(error.message);
    throw error;
  }
}

const timeParts: readonly (readonly [string, (parts: DateParts, nanos: bigint) => number])[] = [
  ['getFullYear', ({ year }) => year],
  ['getMonth', ({ month }) => month],
  ['getDayOfYear', ({ yearDay }) => yearDay],
  ['getDayOfMonth', ({ day }) => day - 1],
  ['getDate', ({ day }) => day],
  ['getDayOfWeek', ({ weekDay }) => weekDay],
  ['getHours', ({ hours }) => hours],
  ['getMinutes', ({ minutes }) => minutes],
  ['getSeconds', ({ seconds }) => seconds],
  ['getMilliseconds', (_, nanos) => Number((nanos - floorDiv(nanos, second) * second) / 1_000_000n)],
];

const durationParts: readonly (readonly [string, (nanos: bigint) => bigint])[] = [
  ['getHours', (nanos) => nanos / (3600n * second)],
  ['getMinutes', (nanos) => nanos / (60n * second)],
  ['getSeconds', (nanos) => nanos / second],
  // All of them, as cel-go counts; the specification means those beyond the seconds.
  ['getMilliseconds', (nanos) => nanos / 1_000_000n],
];

function addTime(table: FunctionTable): void {
  for (const [name, part] of timeParts) {
    table.add([`timestamp->${name}() int`, `timestamp->${name}(string) int`], ([time, zone]) => {
      const { nanos } = time as Timestamp;
      const parts = datePartsIn(nanos, (zone as string | undefined) ?? 'UTC');
      return parts === undefined
        ? new CelFault(`unknown time zone ${String(zone)}`)
        : BigInt(part(parts, nanos));
    });
  }
  for (const [name, part] of durationParts) {
    table.add([`duration->${name}() int`], ([duration]) => part((duration as Duration).nanos));
  }
}

/** Functions of the CEL specification's standard library. */
export function addStandard(table: FunctionTable): void {
  const sized = ['string', 'bytes', 'list(A)', 'map(A, B)'];
  const first =
    (convert: (value: Value) => Value) =>
    ([value]: readonly Value[]): Value =>
      convert(value as Value);
  table
    .add(
      [...sized.map((type) => `size(${type}) int`), 'string->size() int', 'bytes->size() int'],
      first(size),
    )
    .add(['list(A)->size() int', 'map(A, B)->size() int'], first(size))
    .add(['string->contains(string) bool'], ([a, b]) => (a as string).includes(b as string), searching)
    .add(['string->startsWith(string) bool'], ([a, b]) => (a as string).startsWith(b as string), beginning)
    .add(['string->endsWith(string) bool'], ([a, b]) => (a as string).endsWith(b as string), beginning)
    .add(['string->matches(string) bool'], ([a, b]) => matches(a as string, b as string), matching)
    .add(
      ['matches(string, string) bool'],
      ([a, b]) => matches(a as string, b as string),
      unreckonedCall(matching),
    )
    .add(
      [
        'int(int) int',
        'int(uint) int',
        'int(double) int',
        'int(string) int',
        'int(timestamp) int',
        'int(duration) int',
      ],
      first(toInt),
    )
    .add(['uint(uint) uint', 'uint(int) uint', 'uint(double) uint', 'uint(string) uint'], first(toUint))
    .add(
      ['double(double) double', 'double(int) double', 'double(uint) double', 'double(string) double'],
      first(toDouble),
    )
    .add(['bool(bool) bool', 'bool(string) bool'], first(toBool))
    .add(
      ['string', 'int', 'uint', 'double', 'bool', 'timestamp', 'duration'].map(
        (type) => `string(${type}) string`,
      ),
      first(toText),
    )
    .add(['string(bytes) string'], first(toText), {
      ...traversal(0),
      estimate: (args) => {
        const { min, max } = args[0]?.size ?? { min: 0, max: Infinity };
        return { ...traversal(0).estimate(args), size: { min: Math.floor(min / 4), max } };
      },
    })
    .add(
      ['bytes(bytes) bytes'],
      first((value) => value),
    )
    .add(['bytes(string) bytes'], ([text]) => new Uint8Array(Buffer.from(text as string, 'utf8')), {
      ...traversal(0),
      estimate: (args) => {
        const { cost } = traversal(0).estimate(args);
        const range = args[0]?.size ?? { min: 0, max: Infinity };
        return { cost, size: { min: range.min, max: range.max * 4 } };
      },
    })
    .add(
      ['timestamp(timestamp) timestamp', 'timestamp(string) timestamp', 'timestamp(int) timestamp'],
      first(toTimestamp),
    )
    .add(
      ['duration(duration) duration', 'duration(string) duration', 'duration(int) duration'],
      first(toDuration),
    )
    .add(
      ['dyn(A) dyn'],
      first((value) => value),
    )
    .add(['type(A) type(A)'], first(typeOf));
  addTime(table);
}
