import { LRUCache } from 'lru-cache';

const second = 1_000_000_000n;
const millisecond = 1_000_000n;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999999Z, as google.protobuf.Timestamp bounds them. */
export const timestampMin = -62_135_596_800n * second;
export const timestampMax = 253_402_300_799n * second + 999_999_999n;
export const durationMax = (1n << 63n) - 1n;

const rfc3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9})\d*)?(Z|z|[+-]\d{2}:\d{2})$/;

/** A moment, and the zone that it was told in, which it is shown in again. */
interface Moment {
  readonly nanos: bigint;
  readonly offsetMinutes: number;
}

/** Nanoseconds since 1970 of an RFC 3339 text; undefined for anything else or out of range. */
export function parseTimestamp(text: string): Moment | undefined {
  const parts = text.length > 64 ? null : rfc3339.exec(text);
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, seconds] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (hour > 23 || minute > 59 || seconds > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, seconds);
  if (date.getUTCMonth() + 1 !== month || date.getUTCDate() !== day) return undefined;
  const nanos = BigInt((parts[7] ?? '').padEnd(9, '0'));
  const offsetMinutes = zoneMinutes(parts[8] as string);
  const result = BigInt(date.getTime() - offsetMinutes * 60_000) * millisecond + nanos;
  return result < timestampMin || result > timestampMax ? undefined : { nanos: result, offsetMinutes };
}

function zoneMinutes(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return zone.startsWith('-') ? -minutes : minutes;
}

function zoneText(offsetMinutes: number): string {
  if (offsetMinutes === 0) return 'Z';
  const minutes = Math.abs(offsetMinutes);
  const two = (part: number) => String(part).padStart(2, '0');
  return `${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** RFC 3339, with as many fraction digits as are needed. */
export function formatTimestamp({ nanos, offsetMinutes }: Moment): string {
  const millis = floorDiv(nanos, millisecond) + BigInt(offsetMinutes * 60_000);
  const [whole] = new Date(Number(millis)).toISOString().split('.') as [string];
  const fraction = nanos - floorDiv(nanos, second) * second;
  const year =
    whole.startsWith('+') || whole.startsWith('-') ? whole.replace(/^[+-]0*/, '').padStart(4, '0') : whole;
  return `${year}${fractionText(fraction)}${zoneText(offsetMinutes)}`;
}

function fractionText(nanos: bigint): string {
  return nanos === 0n ? '' : `.${nanos.toString().padStart(9, '0').replace(/0+$/, '')}`;
}

export function floorDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: millisecond,
  s: second,
  m: 60n * second,
  h: 3_600n * second,
};
const term = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;

/** Nanoseconds of a Go duration (`1h30m`, `-1.5s`, `0`); undefined for anything else or beyond int64. */
export function parseGoDuration(text: string): bigint | undefined {
  if (text.length > 128) return undefined;
  const isNegative = text.startsWith('-');
  const body = /^[+-]/.test(text) ? text.slice(1) : text;
  if (body === '0') return 0n;
  if (body === '') return undefined;
  let total = 0n;
  term.lastIndex = 0;
  for (let at = 0; at < body.length; at = term.lastIndex) {
    term.lastIndex = at;
    const found = term.exec(body);
    if (found === null) return undefined;
    const [, whole = '', fraction = '', unit] = found;
    if (whole === '' && fraction === '') return undefined;
    const scale = units[unit as string] as bigint;
    total += BigInt(whole === '' ? '0' : whole) * scale;
    if (fraction !== '') total += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
  }
  const result = isNegative ? -total : total;
  return result > durationMax || result < -durationMax - 1n ? undefined : result;
}

/** Units of a duration in words, with their length; of the last of each what begins with it counts as well (`seconds`). */
const wordedUnits = (
  [
    [1n, 'ns', 'nano'],
    [1_000n, 'us', 'µs', 'micro'],
    [millisecond, 'ms', 'milli'],
    [second, 's', 'sec'],
    [60n * second, 'm', 'min'],
    [3_600n * second, 'h', 'hr', 'hour'],
    [86_400n * second, 'd', 'day'],
    [604_800n * second, 'w', 'wk', 'week'],
  ] as const
).map(([length, ...exact]) => ({
  length,
  exact: exact as readonly string[],
  prefix: exact.at(-1) as string,
}));

/**
 * Go's time.ParseDuration, or any text in which a number has a unit in words (`3 days`), as kube-openapi's strfmt looks
 * for one and adds them up. Digits are read from where they begin, so that a long text costs its length.
 */
export function parseWordedDuration(text: string): bigint | undefined {
  const plain = parseGoDuration(text);
  if (plain !== undefined) return plain;
  let total: bigint | undefined;
  for (const [, digits, word] of text.matchAll(/(?<!\d)(\d+)[\t\n\f\r ]*([A-Za-zµ]+)/g)) {
    const number = (digits as string).replace(/^0+/, '');
    const count = number.length > 19 ? durationMax + 1n : BigInt(number === '' ? 0 : number);
    if (count > durationMax) return undefined;
    const unit = (word as string).toLowerCase();
    const found = wordedUnits.find(({ exact, prefix }) => exact.includes(unit) || unit.startsWith(prefix));
    // Go's arithmetic wraps around.
    if (found !== undefined) total = BigInt.asIntN(64, (total ?? 0n) + count * found.length);
  }
  return total;
}

/**
 * Seconds with a fraction where needed, as `string(duration)` gives it: `1.5s`. Of years, the last nanoseconds are lost: they
 * are seconds as a double (cel-go's types.Duration).
 */
export function formatDuration(nanos: bigint): string {
  const sign = nanos < 0n ? '-' : '';
  const absolute = nanos < 0n ? -nanos : nanos;
  const seconds = absolute / second;
  // Go prints none with an exponent.
  if (seconds === 0n) return `${sign}0${fractionText(absolute)}s`;
  return `${sign}${Number(seconds) + Number(absolute % second) / 1e9}s`;
}

export interface DateParts {
  readonly year: number;
  /** 0–11. */
  readonly month: number;
  /** 1–31. */
  readonly day: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  /** 0 is Sunday. */
  readonly weekDay: number;
  /** 0–365. */
  readonly yearDay: number;
}

/** The date and time in a zone: `UTC`, `-08:00`, or a name of the IANA database. Undefined for an unknown zone. */
export function datePartsIn(nanos: bigint, zone: string): DateParts | undefined {
  const offset = zoneOffsetMinutes(nanos, zone);
  if (offset === undefined) return undefined;
  const date = new Date(Number(floorDiv(nanos, millisecond)) + offset * 60_000);
  const yearStart = new Date(date);
  yearStart.setUTCMonth(0, 1);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    hours: date.getUTCHours(),
    minutes: date.getUTCMinutes(),
    seconds: date.getUTCSeconds(),
    weekDay: date.getUTCDay(),
    yearDay: Math.round((date.getTime() - yearStart.getTime()) / 86_400_000),
  };
}

const formats = new LRUCache<string, Intl.DateTimeFormat>({ max: 100 });

function zoneOffsetMinutes(nanos: bigint, zone: string): number | undefined {
  if (zone === '' || zone === 'UTC' || zone === 'Z') return 0;
  const fixed = /^([+-]?)(\d{2}):(\d{2})$/.exec(zone);
  if (fixed !== null) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3]);
    if (Number(fixed[2]) > 23 || Number(fixed[3]) > 59) return undefined;
    return fixed[1] === '-' ? -minutes : minutes;
  }
  let format = formats.get(zone);
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    } catch {
      return undefined;
    }
    formats.set(zone, format);
  }
  const millis = Number(floorDiv(nanos, millisecond));
  const name = format.formatToParts(millis).find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
  const found = /([+-])(\d{1,2}):?(\d{2})?/.exec(name);
  if (found === null) return 0;
  const minutes = Number(found[2]) * 60 + Number(found[3] ?? '0');
  return found[1] === '-' ? -minutes : minutes;
}
