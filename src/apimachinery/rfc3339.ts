/** meta/v1 Time: RFC 3339 in whole seconds, UTC: `2026-01-02T03:04:05Z`. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

let cachedSecond = Number.NaN;
let cachedText = '';

/** The time now as `formatTime` writes it; one formatting a second. */
export function nowTime(now: number = Date.now()): string {
  const second = Math.floor(now / 1000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedText = formatTime(second * 1000);
  }
  return cachedText;
}

/** meta/v1 MicroTime: six decimals, as Lease and Event carry it. The clock has milliseconds; the rest is zero. */
export function formatMicroTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}

const pattern =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Milliseconds since the epoch, or undefined when the text is no RFC 3339 time. */
export function parseTime(text: string): number | undefined {
  if (text.length === plainLength) {
    const plain = parsePlain(text);
    if (plain !== undefined) return plain;
  }
  if (text.length > 64) return undefined;
  const parts = pattern.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone] = parts;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const utc = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  const date = new Date(utc);
  if (date.getUTCMonth() + 1 !== Number(month) || date.getUTCDate() !== Number(day)) return undefined;
  const millis = fraction === undefined ? 0 : Math.floor(Number(`0.${fraction}`) * 1000);
  return utc + millis - zoneOffsetMs(zone as string);
}

/** As `formatTime` writes it, which is how nearly all times are written. */
const plainLength = '2026-01-02T03:04:05Z'.length;
/** No month is shorter; later days are left to the long way, and years that `Date.UTC` takes for others. */
const plainDayMax = 28;
const plainYearMin = 1_000;

/** Undefined for what is to be looked at more closely. */
function parsePlain(text: string): number | undefined {
  const isPlain =
    text.charCodeAt(4) === 0x2d &&
    text.charCodeAt(7) === 0x2d &&
    text.charCodeAt(10) === 0x54 &&
    text.charCodeAt(13) === 0x3a &&
    text.charCodeAt(16) === 0x3a &&
    text.charCodeAt(19) === 0x5a;
  if (!isPlain) return undefined;
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  // Where there is no digit all comparisons fail.
  const fits =
    year >= plainYearMin &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= plainDayMax &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 59;
  return fits ? Date.UTC(year, month - 1, day, hour, minute, second) : undefined;
}

/** NaN where there are none. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 0x30;
  const ones = text.charCodeAt(at + 1) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

function zoneOffsetMs(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return (zone[0] === '-' ? -minutes : minutes) * 60_000;
}

/** What time.Parse looks for, one after the other: the layout's own spelling, and what fits it. */
const steps: readonly (readonly [string, RegExp])[] = [
  ['2006', /^\d{4}/],
  ['-', /^-/],
  ['01', /^\d\d/],
  ['-', /^-/],
  ['02', /^\d\d/],
  ['T', /^T/],
  ['15', /^\d\d/],
  [':', /^:/],
  ['04', /^\d\d/],
  [':', /^:/],
  ['05', /^\d\d/],
];
const zoneStep = ['Z07:00', /^(?:Z|[+-]\d\d:\d\d)/] as const;
const seconds = { layout: '2006-01-02T15:04:05Z07:00', steps: [...steps, zoneStep] };
const micro = {
  layout: '2006-01-02T15:04:05.000000Z07:00',
  steps: [...steps, ['.000000', /^[.,]\d{6}/] as const, zoneStep],
};
/** The most of each number, by its place in the layout. */
const most: { readonly [element: string]: readonly [string, number] } = {
  '01': ['month', 12],
  '15': ['hour', 23],
  '04': ['minute', 59],
  '05': ['second', 59],
};

/**
 * Why Go does not read a text as meta/v1 Time (any decimals) or MicroTime (six of them), in the words of time.Parse; undefined
 * when it does.
 */
export function timeFault(text: string, precision: 'seconds' | 'micro'): string | undefined {
  const { layout, steps: wanted } = precision === 'micro' ? micro : seconds;
  const quoted = JSON.stringify(text);
  let rest = text;
  for (const [element, pattern] of wanted) {
    const found = pattern.exec(rest)?.[0];
    if (found === undefined) {
      const at = `cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(element)}`;
      return `parsing time ${quoted} as ${JSON.stringify(layout)}: ${at}`;
    }
    const [name, max] = most[element] ?? [];
    const isOut = max !== undefined && (Number(found) > max || (element === '01' && Number(found) === 0));
    if (isOut) return `parsing time ${quoted}: ${name} out of range`;
    rest = rest.slice(found.length);
    // Decimals may follow the seconds though the layout has none.
    if (element === '05' && precision === 'seconds') rest = rest.replace(/^[.,]\d+/, '');
  }
  if (rest !== '') return `parsing time ${quoted}: extra text: ${JSON.stringify(rest)}`;
  const [year, month, day] = text.slice(0, 10).split('-').map(Number) as [number, number, number];
  const isDay = day >= 1 && day <= new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  return isDay ? undefined : `parsing time ${quoted}: day out of range`;
}
