import { formatDuration, formatTimestamp } from '../time.ts';
import { CelType } from '../types.ts';
import { CelFault, CelList, CelMap, Duration, Timestamp, typeOf, Uint, type Value } from '../values.ts';
import { compareText } from './operators.ts';
import { showDouble } from './standard.ts';

const precisionMax = 1_000;

/** `pattern.format(args)` of cel-go's strings extension: %s %d %f %e %b %x %X %o %%. */
export function formatText(pattern: string, args: CelList): Value {
  let result = '';
  let used = 0;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] as string;
    if (char !== '%') {
      result += char;
      continue;
    }
    if (pattern[at + 1] === '%') {
      result += '%';
      at++;
      continue;
    }
    const found = /^(?:\.([0-9]+))?([a-zA-Z])?/.exec(pattern.slice(at + 1, at + 16)) as RegExpExecArray;
    const [whole, digits, verb] = found;
    if (verb === undefined)
      return new CelFault('could not parse formatting clause: unexpected end of string');
    const precision = digits === undefined ? undefined : Number(digits);
    if (precision !== undefined && precision > precisionMax) {
      return new CelFault(`could not parse formatting clause: precision exceeds ${precisionMax}`);
    }
    if (!'sdfebxXo'.includes(verb)) {
      return new CelFault(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
    }
    if (used >= args.size) return new CelFault(`index ${used} out of range`);
    const text = formatOne(verb, precision, args.at(used++));
    if (text instanceof CelFault) return text;
    result += text;
    at += whole.length;
  }
  return result;
}

function formatOne(verb: string, precision: number | undefined, value: Value): string | CelFault {
  if (value instanceof CelFault) return value;
  switch (verb) {
    case 's':
      return showValue(value);
    case 'd':
      return showDecimal(value);
    case 'f':
      return showFixed(value, precision ?? 6);
    case 'e':
      return showScientific(value, precision ?? 6);
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0';
      return inBase(value, 2) ?? wrong('binary', 'integers and bools', value);
    case 'o':
      return inBase(value, 8) ?? wrong('octal', 'integers', value);
    default:
      return showHex(value, verb === 'X');
  }
}

function wrong(clause: string, allowed: string, value: Value): CelFault {
  const name = typeOf(value).name;
  return new CelFault(
    `error during formatting: ${clause} clause can only be used on ${allowed}, was given ${name}`,
  );
}

function integerOf(value: Value): bigint | undefined {
  return typeof value === 'bigint' ? value : value instanceof Uint ? value.value : undefined;
}

function inBase(value: Value, base: number): string | undefined {
  return integerOf(value)?.toString(base);
}

function special(value: Value): string | undefined {
  if (typeof value !== 'number' || Number.isFinite(value)) return undefined;
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

function showDecimal(value: Value): string | CelFault {
  const integer = integerOf(value);
  if (integer !== undefined) return String(integer);
  if (typeof value === 'number') return special(value) ?? showDouble(value);
  return wrong('decimal', 'integers', value);
}

/** Go rounds the exact binary value half to even; toFixed does so too, up to 100 digits and 10^21. */
function showFixed(value: Value, precision: number): string | CelFault {
  const other = special(value);
  if (other !== undefined) return other;
  const integer = integerOf(value);
  if (typeof value !== 'number' && integer === undefined) return wrong('fixed-point', 'doubles', value);
  if (integer !== undefined) return precision === 0 ? String(integer) : `${integer}.${'0'.repeat(precision)}`;
  const number = value as number;
  const digits = Math.min(precision, 100);
  const text =
    Math.abs(number) < 1e21 ? exactFixed(number, digits) : `${BigInt(number)}.${'0'.repeat(digits)}`;
  const rest = '0'.repeat(precision - digits);
  return precision === 0 ? (text.split('.')[0] as string) : text + rest;
}

/** toFixed rounds ties away from zero where Go rounds them to even: ties are exact binary fractions. */
function exactFixed(number: number, digits: number): string {
  const text = number.toFixed(digits);
  const longer = number.toFixed(Math.min(100, digits + 30));
  const end = longer.indexOf('.') + 1 + digits;
  if (!/^50*$/.test(longer.slice(end))) return text;
  const cut = digits === 0 ? longer.slice(0, end - 1) : longer.slice(0, end);
  return Number(cut.at(-1)) % 2 === 0 ? cut : text;
}

function showScientific(value: Value, precision: number): string | CelFault {
  const other = special(value);
  if (other !== undefined) return other;
  const integer = integerOf(value);
  if (typeof value !== 'number' && integer === undefined) return wrong('scientific', 'doubles', value);
  const number = typeof value === 'number' ? value : Number(integer);
  const [mantissa, exponent] = number.toExponential(Math.min(precision, 100)).split('e') as [string, string];
  const sign = exponent.startsWith('-') ? '-' : '+';
  return `${mantissa}e${sign}${exponent.slice(1).padStart(2, '0')}`;
}

function showHex(value: Value, isUpper: boolean): string | CelFault {
  const integer = inBase(value, 16);
  let text: string;
  if (integer !== undefined) text = integer;
  else if (typeof value === 'string') text = Buffer.from(value, 'utf8').toString('hex');
  else if (value instanceof Uint8Array) text = Buffer.from(value).toString('hex');
  else return wrong('hex', 'integers, byte buffers, and strings', value);
  return isUpper ? text.toUpperCase() : text;
}

/** What %s prints: lists and maps with their contents, maps in the order of their keys. */
function showValue(value: Value): string | CelFault {
  if (typeof value === 'string') return value;
  if (value === null) return 'null';
  if (typeof value === 'number') return special(value) ?? showDouble(value);
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (value instanceof Timestamp) return formatTimestamp(value.nanos);
  if (value instanceof Duration) return formatDuration(value.nanos);
  if (value instanceof CelType) return value.name;
  if (value instanceof CelList) return showAll(value.toArray(), '[', ']');
  if (value instanceof CelMap) return showMap(value);
  return new CelFault(
    `error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${typeOf(value).name}`,
  );
}

function showAll(values: readonly Value[], open: string, close: string): string | CelFault {
  const texts: string[] = [];
  for (const value of values) {
    const text = showValue(value);
    if (text instanceof CelFault) return text;
    texts.push(text);
  }
  return open + texts.join(', ') + close;
}

function showMap(map: CelMap): string | CelFault {
  const entries: [string, string][] = [];
  for (const key of map.keys()) {
    const name = showValue(key);
    const value = showValue(map.get(key) as Value);
    if (name instanceof CelFault) return name;
    if (value instanceof CelFault) return value;
    entries.push([name, value]);
  }
  entries.sort(([a], [b]) => compareText(a, b));
  return `{${entries.map(([name, value]) => `${name}: ${value}`).join(', ')}}`;
}
