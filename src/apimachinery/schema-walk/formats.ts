import { isIPv4, isIPv6 } from 'node:net';
import { parseWordedDuration } from '../cel/time.ts';
import { parseRequestUri } from '../go-url.ts';
import { isMailAddress } from '../mail-address.ts';
import { dns1123Label, dns1123Subdomain } from '../names.ts';
import { parseTime } from '../rfc3339.ts';
import type { ValueValidation } from '../schema.ts';

type Check = (text: string) => boolean;

const uuid = (version: string, variant = '[0-9a-f]'): Check => {
  const pattern = new RegExp(
    `^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`,
    'i',
  );
  return (text) => text.length <= 36 && pattern.test(text);
};

function isDate(text: string): boolean {
  return text.length === 10 && parseTime(`${text}T00:00:00Z`) !== undefined;
}

/** Leading zeros of the parts of an IPv4 address, which Go once passed over (netutils.ParseIPSloppy). */
const leadingZeros = /(?<![0-9a-fA-F:.])0+(?=\d)|(?<=\.)0+(?=\d)|(?<=:)0+(?=\d+\.)/g;

function sloppy(text: string): string {
  return text.includes('.') ? text.replace(leadingZeros, '') : text;
}

/** Without a zone, which Go's net.ParseIP does not know. */
function isGoIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

/** An address with dots: one of IPv4 within IPv6 is one as well. */
function isDotted(text: string): boolean {
  if (!text.includes('.')) return false;
  const address = sloppy(text);
  return isIPv4(address) || isGoIPv6(address);
}

function isCidr(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0 || !/^\d{1,3}$/.test(text.slice(slash + 1))) return false;
  const address = sloppy(text.slice(0, slash));
  const bits = Number(text.slice(slash + 1));
  return (isIPv4(address) && bits <= 32) || (isGoIPv6(address) && bits <= 128);
}

/** kube-openapi strfmt's pattern: one label with at most one hyphen, after its first character, or several and a word. */
const hostname =
  /^(?:[a-zA-Z0-9\p{S}\p{L}](?:-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?|(?:[a-zA-Z0-9\p{S}\p{L}](?:[a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?\.)+[a-zA-Z\p{L}]{2,63})$/u;

function isHostname(text: string): boolean {
  return text.length <= 255 && hostname.test(text) && text.split('.').every((part) => part.length <= 63);
}

function isDuration(text: string): boolean {
  return parseWordedDuration(text) !== undefined;
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

/** The numbers that govalidator knows as those of an issuer; whatever is no digit is passed over. */
const creditCard =
  /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/;

function isCreditCard(text: string): boolean {
  const digits = text.replace(/\D+/g, '');
  return creditCard.test(digits) && luhn(digits);
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

/** Not even one group is none. The last character class is matched once, so that a long text costs its length. */
function isBase64(text: string): boolean {
  return text !== '' && text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

/** Go's net.ParseMAC: 6, 8 or 20 octets with colons or hyphens, in pairs with dots, or with nothing between. */
const macForms = [
  /^[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5}|(?::[0-9a-f]{2}){7}|(?::[0-9a-f]{2}){19})$/i,
  /^[0-9a-f]{2}(?:(?:-[0-9a-f]{2}){5}|(?:-[0-9a-f]{2}){7}|(?:-[0-9a-f]{2}){19})$/i,
  /^[0-9a-f]{4}(?:(?:\.[0-9a-f]{4}){2}|(?:\.[0-9a-f]{4}){3}|(?:\.[0-9a-f]{4}){9})$/i,
  /^(?:[0-9a-f]{12}|[0-9a-f]{16}|[0-9a-f]{40})$/i,
];

/**
 * The string formats that apiextensions supports (k8s.io/apiextensions-apiserver pkg/apiserver/validation/formats.go);
 * others are kept in the schema and not checked, as in Kubernetes.
 */
const checks = new Map<string, Check>([
  ['bsonobjectid', (text) => /^[0-9a-fA-F]{24}$/.test(text)],
  ['uri', (text) => parseRequestUri(text) !== undefined],
  ['email', isMailAddress],
  ['hostname', isHostname],
  ['ipv4', isDotted],
  ['ipv6', isGoIPv6],
  ['cidr', isCidr],
  ['mac', (text) => macForms.some((form) => form.test(text))],
  ['uuid', uuid('[0-9a-f]')],
  ['uuid3', uuid('3')],
  ['uuid4', uuid('4', '[89ab]')],
  ['uuid5', uuid('5', '[89ab]')],
  ['isbn', (text) => isIsbn10(text) || isIsbn13(text)],
  ['isbn10', isIsbn10],
  ['isbn13', isIsbn13],
  ['creditcard', isCreditCard],
  ['ssn', (text) => text.length === 11 && /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text)],
  ['hexcolor', (text) => /^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(text)],
  [
    'rgbcolor',
    (text) =>
      /^rgb\(\s*(?:(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\s*,\s*){2}(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\s*\)$/.test(
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

/**
 * The rules of what Go decodes into bytes: in Kubernetes' own kinds the empty text is no bytes, where the same format
 * refuses it in a custom resource's schema. Known by its identity.
 */
export const goBytes: ValueValidation = Object.freeze({ format: 'byte' });

/** Times of which Go reads six decimals and no other number of them (meta/v1 MicroTime). Known by its identity. */
export const goMicroTime: ValueValidation = Object.freeze({ format: 'date-time' });

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
