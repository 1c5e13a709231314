import { formatDuration, formatTimestamp } from '../time.ts';
import { typeOf } from '../type-of.ts';
import { CelType } from '../types.ts';
import { CelFault, CelList, CelMap, Duration, Timestamp, Uint, type Value } from '../values.ts';
import { goQuoted } from './go-quoted.ts';
import { compareText } from './operators.ts';
import { showDouble } from './standard.ts';

/** Digits that a clause may ask for; cel-go has no limit, and no reader has use for more. */
const precisionMax = 1_000;
const precisionDefault = 6;

/**
 * `pattern.format(args)` of version 2 of cel-go's strings extension, which is Kubernetes' (apiserver
 * `cel/environment/base.go`): %s %d %f %e %b %x %X %o %%. Numbers stand as golang.org/x/text prints them in English.
 */
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
    if (used >= args.size) return new CelFault(`index ${used} out of range`);
    const argument = args.at(used++);
    if (at + 1 === pattern.length) return new CelFault('unexpected end of string');
    const clause = clauseAt(pattern, at + 1);
    if (typeof clause === 'string') return new CelFault(`could not parse formatting clause: ${clause}`);
    const text = formatOne(clause.verb, clause.precision, argument);
    if (text instanceof CelFault) return text;
    result += text;
    at = clause.end;
  }
  return result;
}

export interface Clause {
  readonly verb: string;
  readonly precision: number;
  /** Offset of the verb. */
  readonly end: number;
}

/** The clause behind a percent sign, or what is wrong with it. */
export function clauseAt(pattern: string, start: number): Clause | string {
  let at = start;
  let precision = precisionDefault;
  if (pattern[at] === '.') {
    const digits = /^[0-9]*/.exec(pattern.slice(at + 1))?.[0] ?? '';
    at += 1 + digits.length;
    if (at >= pattern.length)
      return 'error while parsing precision: could not find end of precision specifier';
    if (digits === '') {
      return 'error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax';
    }
    precision = Number(digits);
    if (precision > precisionMax) return `precision exceeds ${precisionMax}`;
  }
  const verb = pattern[at] as string;
  return 'sdfebxXo'.includes(verb)
    ? { verb, precision, end: at }
    : `unrecognized formatting clause "${verb}"`;
}

function formatOne(verb: string, precision: number, value: Value): string | CelFault {
  if (value instanceof CelFault) return value;
  switch (verb) {
    case 's':
      return showValue(value);
    case 'd':
      return inBase(value, 10) ?? wrong('decimal clause can only be used on integers', value);
    case 'f':
      return showReal(value, 'fixed-point', (number) => showFixed(number, precision));
    case 'e':
      return showReal(value, 'scientific', showScientific);
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0';
      return inBase(value, 2) ?? wrong('only integers and bools can be formatted as binary', value);
    case 'o':
      return inBase(value, 8) ?? wrong('octal clause can only be used on integers', value);
    default:
      return showHex(value, verb === 'X');
  }
}

function wrong(what: string, value: Value): CelFault {
  return new CelFault(`error during formatting: ${what}, was given ${typeOf(value).name}`);
}

function inBase(value: Value, base: number): string | undefined {
  const integer = typeof value === 'bigint' ? value : value instanceof Uint ? value.value : undefined;
  return integer?.toString(base);
}

/** Texts for what no literal names. */
const realTexts: ReadonlyMap<Value, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

function showReal(value: Value, clause: string, show: (number: number) => string): string | CelFault {
  const number = typeof value === 'number' ? value : realTexts.get(value);
  if (number === undefined) return wrong(`${clause} clause can only be used on doubles`, value);
  if (Number.isNaN(number)) return 'NaN';
  if (!Number.isFinite(number)) return number > 0 ? '∞' : '-∞';
  return show(number);
}

/** Go rounds the exact binary value half to even; toFixed does so too, up to 100 digits and 10^21. */
function showFixed(number: number, precision: number): string {
  const text = plainFixed(number, precision);
  const [whole, fraction] = text.split('.') as [string, string?];
  const grouped = whole.replace(/\B(?=(?:\d{3})+$)/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

function plainFixed(number: number, precision: number): string {
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

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** Always six digits: cel-go takes the precision for a width, which x/text passes over. */
function showScientific(number: number): string {
  const [mantissa, exponent] = number.toExponential(precisionDefault).split('e') as [string, string];
  const digits = exponent.slice(1).padStart(2, '0');
  const raised = Array.from(digits, (digit) => superscripts[Number(digit)]).join('');
  return `${mantissa}×10${exponent.startsWith('-') ? '⁻' : ''}${raised}`;
}

function showHex(value: Value, isUpper: boolean): string | CelFault {
  const integer = inBase(value, 16);
  let text: string;
  if (integer !== undefined) text = integer;
  else if (typeof value === 'string') text = Buffer.from(value, 'utf8').toString('hex');
  else if (value instanceof Uint8Array) text = Buffer.from(value).toString('hex');
  else return wrong('only integers, byte buffers, and strings can be formatted as hex', value);
  return isUpper ? text.toUpperCase() : text;
}

/** What %s prints: lists and maps with their contents as literals of CEL, maps in the order of their keys. */
function showValue(value: Value): string | CelFault {
  if (value instanceof CelList) return showList(value.toArray());
  if (value instanceof CelMap) return showMap(value);
  return (
    showSingle(value) ??
    wrong(
      'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
      value,
    )
  );
}

function showSingle(value: Value): string | CelFault | undefined {
  if (typeof value === 'string') return value;
  if (value === null) return 'null';
  if (typeof value === 'number') return showDouble(value);
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return textOf(value);
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return formatDuration(value.nanos);
  if (value instanceof CelType) return value.name;
  return undefined;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array): string | CelFault {
  try {
    return utf8.decode(bytes);
  } catch {
    return new CelFault(
      'error during formatting: could not convert argument "invalid UTF-8 in bytes, cannot convert to string" to string',
    );
  }
}

/** A value within a list or map. */
function showMember(value: Value): string | CelFault {
  if (value instanceof CelList) return showList(value.toArray());
  if (value instanceof CelMap) return showMap(value);
  if (typeof value === 'number') {
    if (Number.isFinite(value))
      return `${Object.is(value, -0) ? '-' : ''}${plainFixed(value, precisionDefault)}`;
    return goQuoted(showDouble(value));
  }
  const text = showSingle(value);
  if (text instanceof CelFault) return text;
  if (text === undefined) {
    return new CelFault(`error during formatting: no formatting function for ${typeOf(value).name}`);
  }
  if (value instanceof Timestamp) return `timestamp(${goQuoted(text)})`;
  if (value instanceof Duration) return `duration(${goQuoted(text)})`;
  if (value instanceof Uint8Array) return `b${goQuoted(text)}`;
  return typeof value === 'string' ? goQuoted(text) : text;
}

function showList(values: readonly Value[]): string | CelFault {
  const texts: string[] = [];
  for (const value of values) {
    const text = showMember(value);
    if (text instanceof CelFault) return text;
    texts.push(text);
  }
  return `[${texts.join(', ')}]`;
}

function showMap(map: CelMap): string | CelFault {
  const entries: [string, string][] = [];
  for (const key of map.keys()) {
    const name = showMember(key);
    const value = showMember(map.get(key) as Value);
    if (name instanceof CelFault) return name;
    if (value instanceof CelFault) return value;
    entries.push([name, value]);
  }
  entries.sort(([a], [b]) => compareText(a, b));
  return `{${entries.map(([name, value]) => `${name}:${value}`).join(', ')}}`;
}
