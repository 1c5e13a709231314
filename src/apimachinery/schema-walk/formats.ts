import { isIPv4, isIPv6 } from 'node:net';
import { dns1123Label, dns1123Subdomain } from '../names.ts';
import { parseTime } from '../rfc3339.ts';

type Check = (text: string) => boolean;

const uuid = (version: string): Check => {
  const pattern = new RegExp(
    `^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`,
    'i',
  );
  return (text) => text.length <= 36 && pattern.test(text);
};

function isDate(text: string): boolean {
  return text.length === 10 && parseTime(`${text}T00:00:00Z`) !== undefined;
}

function isCidr(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0 || !/^\d{1,3}$/.test(text.slice(slash + 1))) return false;
  const address = text.slice(0, slash);
  const bits = Number(text.slice(slash + 1));
  return (isIPv4(address) && bits <= 32) || (isIPv6(address) && bits <= 128);
}

/** Go's url.ParseRequestURI: absolute, or an absolute path. */
function isUri(text: string): boolean {
  if (text === '' || /[\x00-\x20\x7f]/.test(text)) return false;
  if (text.startsWith('/')) return true;
  return /^[A-Za-z][A-Za-z0-9+.-]*:./.test(text);
}

/** kube-openapi strfmt's pattern: one label with at most one hyphen, after its first character, or several and a word. */
const hostname =
  /^(?:[a-zA-Z0-9\p{S}\p{L}](?:-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?|(?:[a-zA-Z0-9\p{S}\p{L}](?:[a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?\.)+[a-zA-Z\p{L}]{2,63})$/u;

function isHostname(text: string): boolean {
  return text.length <= 255 && hostname.test(text) && text.split('.').every((part) => part.length <= 63);
}

function isDomain(text: string): boolean {
  if (text.length === 0 || text.length > 255) return false;
  return text
    .split('.')
    .every((part) => part.length <= 63 && /^[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?$/.test(part));
}

function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@');
  if (at < 1 || text.length > 320) return false;
  return /^[^\s<>()[\]\\,;:@"]+$/.test(text.slice(0, at)) && isDomain(text.slice(at + 1));
}

/** Go's time.ParseDuration, or one number with a unit in words (`3 days`), as go-openapi/strfmt reads it. */
function isDuration(text: string): boolean {
  if (text.length > 64) return false;
  if (text === '0' || /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return true;
  return /^\d+\s*(?:ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)$/.test(
    text,
  );
}

function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    let digit = Number(digits[digits.length - 1 - i]);
    if (i % 2 === 1) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 === 0;
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]/g, '');
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < 10; i++) sum += (digits[i] === 'X' ? 10 : Number(digits[i])) * (i + 1);
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]/g, '');
  if (!/^\d{13}$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < 13; i++) sum += Number(digits[i]) * (i % 2 === 0 ? 1 : 3);
  return sum % 10 === 0;
}

/** The last character class is matched once, so that a long text costs its length. */
function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

/**
 * The string formats that apiextensions supports (k8s.io/apiextensions-apiserver pkg/apiserver/validation/formats.go);
 * others are kept in the schema and not checked, as in Kubernetes.
 */
const checks = new Map<string, Check>([
  ['bsonobjectid', (text) => /^[0-9a-fA-F]{24}$/.test(text)],
  ['uri', isUri],
  ['email', isEmail],
  ['hostname', isHostname],
  ['ipv4', isIPv4],
  ['ipv6', (text) => isIPv6(text)],
  ['cidr', isCidr],
  ['mac', (text) => /^(?:[0-9a-f]{2}[:-]){5,7}[0-9a-f]{2}$|^[0-9a-f]{4}(?:\.[0-9a-f]{4}){2,3}$/i.test(text)],
  ['uuid', uuid('[0-9a-f]')],
  ['uuid3', uuid('3')],
  ['uuid4', uuid('4')],
  ['uuid5', uuid('5')],
  ['isbn', (text) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', (text) => /^[\d -]{13,25}$/.test(text) && luhn(text.replace(/[ -]/g, ''))],
  ['ssn', (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text)],
  ['hexcolor', (text) => /^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text)],
  [
    'rgbcolor',
    (text) =>
      /^rgb\(\s*(?:(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*,\s*){2}(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*\)$/.test(
        text,
      ),
  ],
  ['byte', isBase64],
  ['password', () => true],
  ['date', isDate],
  ['duration', isDuration],
  ['date-time', (text) => parseTime(text) !== undefined],
  ['datetime', (text) => parseTime(text) !== undefined],
  ['k8s-short-name', (text) => dns1123Label(text).length === 0],
  ['k8s-long-name', (text) => dns1123Subdomain(text).length === 0],
]);

/** Whether `text` has the string format; true for formats that are not checked. */
export function hasStringFormat(text: string, format: string): boolean {
  const check = checks.get(format) ?? checks.get(format.replaceAll('-', ''));
  return check === undefined || check(text);
}

export function isKnownStringFormat(format: string): boolean {
  return checks.has(format) || checks.has(format.replaceAll('-', ''));
}

const int32Max = 2 ** 31 - 1;

/** Whether a number fits the format: int32, float; the others hold any. */
export function hasNumberFormat(number: number, format: string): boolean {
  switch (format) {
    case 'int32':
      return number >= -int32Max - 1 && number <= int32Max;
    case 'uint32':
      return number >= 0 && number <= 2 ** 32 - 1;
    case 'float':
      return Math.abs(number) <= 3.4028234663852886e38;
    default:
      return true;
  }
}
