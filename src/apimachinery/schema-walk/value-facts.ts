import { isJsonObject, type JsonValue } from '../json.ts';
import type { CompiledSchema } from './compiled-schema.ts';
import { isKnownStringFormat } from './formats.ts';

/** A value's type, as errors name it. */
export function typeName(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

export function hasType(node: CompiledSchema, value: JsonValue): boolean {
  switch (node.type) {
    case undefined:
      return !node.intOrString || typeof value === 'string' || Number.isInteger(value);
    case 'object':
      return typeof value === 'object' && !Array.isArray(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value) || (node.intOrString && typeof value === 'string');
    case 'number':
      return typeof value === 'number';
    case 'string':
      // A list passes where a format is asked for: what has one is looked at no further (kube-openapi typeValidator).
      if (Array.isArray(value) && !node.isKubernetesType) return checkedFormat(node) !== undefined;
      return typeof value === 'string' || (node.intOrString && Number.isInteger(value));
    case 'boolean':
      return typeof value === node.type;
  }
}

/** The format that counts: others are passed over (StripUnsupportedFormatsPostProcess). */
export function checkedFormat({ type, validation }: CompiledSchema): string | undefined {
  const format = validation?.format;
  if (format === undefined) return undefined;
  switch (type) {
    case 'string':
      return isKnownStringFormat(format) ? format : undefined;
    case 'integer':
      return format === 'int32' || format === 'int64' ? format : undefined;
    case 'number':
      return format === 'float' || format === 'double' ? format : undefined;
    default:
      return undefined;
  }
}

/** The format of a value that says itself which it has: numbers. */
export function formatName(value: JsonValue): string {
  if (typeof value !== 'number') return '';
  return Number.isInteger(value) ? 'int64' : 'float64';
}

/** One text for each JSON value, the same whatever the order of an object's members. */
export function canonical(value: JsonValue | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '';
  const parts = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${parts.join(',')}}`;
}

export function mapKeyOf(list: CompiledSchema, item: JsonValue): string {
  const object = isJsonObject(item) ? item : {};
  return list.listMapKeys.map((key) => canonical(object[key])).join('\0');
}

/** Length in code points, counted only where it could matter. */
export function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}

const int64Bound = 2 ** 63;

export function isInt64(value: number): boolean {
  return Number.isInteger(value) && value >= -int64Bound && value < int64Bound;
}

/**
 * Whether Go's conversion of a number makes the allowed value of it: fractions are cut off where a whole number stands, and a
 * whole number is the code of a character (kube-openapi basicCommonValidator).
 */
export function isConvertedTo(value: JsonValue, allowed: JsonValue): boolean {
  if (typeof value !== 'number') return false;
  if (typeof allowed === 'number') return isInt64(allowed) && Math.trunc(value) === allowed;
  if (typeof allowed !== 'string' || !Number.isInteger(value)) return false;
  const isCharacter = value >= 0 && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
  return allowed === (isCharacter ? String.fromCodePoint(value) : '\ufffd');
}

/** Decimal fractions are no exact doubles: 0.3 is a multiple of 0.1. */
export function isMultipleOf(number: number, factor: number): boolean {
  if (Number.isSafeInteger(number) && Number.isInteger(factor)) return number % factor === 0;
  const quotient = number / factor;
  return Math.abs(quotient - Math.round(quotient)) <= 1e-9 * Math.max(1, Math.abs(quotient));
}
