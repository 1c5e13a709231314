import { isIPv4, isIPv6 } from 'node:net';
import {
  type FieldError,
  forbiddenField,
  invalid,
  notSupported,
  required,
} from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import {
  dns1123Label,
  dns1123Subdomain,
  labelKey,
  labelValue,
  type NameValidator,
  portName,
  portNumber,
} from '#apimachinery/names.ts';
import { isQuantity, parseQuantity, type Quantity, quantityForm } from '#apimachinery/quantity.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt } from '../read.ts';

/** Where validators put what they find. */
export type Errors = FieldError[];

/** One error per message of a name validator. */
export function checkName(errors: Errors, field: string, value: string, validator: NameValidator): void {
  for (const message of validator(value)) errors.push(invalid(field, value, message));
}

/** Required, and valid when there. */
export function checkRequiredName(
  errors: Errors,
  field: string,
  value: string,
  validator: NameValidator,
): void {
  if (value === '') errors.push(required(field));
  else checkName(errors, field, value, validator);
}

export function requireText(errors: Errors, field: string, value: string, detail = ''): void {
  if (value === '') errors.push(required(field, detail));
}

/** Empty is missing, anything but the supported ones is refused. */
export function checkChoice(
  errors: Errors,
  field: string,
  value: JsonValue | undefined,
  supported: readonly string[],
): void {
  if (value === undefined || value === '') errors.push(required(field));
  else checkOptionalChoice(errors, field, value, supported);
}

/** `checkChoice` of a field in an object at `path`: the field's own path is put together when there is something to tell. */
export function checkChoiceIn(
  errors: Errors,
  path: string,
  object: JsonObject,
  field: string,
  supported: readonly string[],
): void {
  const value = object[field];
  if (typeof value === 'string' && supported.includes(value)) return;
  checkChoice(errors, `${path}.${field}`, value === null ? undefined : value, supported);
}

/** Absent is fine; the empty text is a value like any other. */
export function checkOptionalChoice(
  errors: Errors,
  field: string,
  value: JsonValue | undefined,
  supported: readonly string[],
): void {
  if (value !== undefined && !supported.includes(value as string)) {
    errors.push(notSupported(field, value, supported));
  }
}

export function checkNonNegative(errors: Errors, field: string, value: number | undefined): void {
  if (value !== undefined && value < 0) {
    errors.push(invalid(field, value, 'must be greater than or equal to 0'));
  }
}

/** Checks the named number fields of an object. */
export function checkNonNegatives(
  errors: Errors,
  path: string,
  object: JsonObject | undefined,
  names: readonly string[],
): void {
  for (const name of names) {
    const value = numberAt(object, name);
    if (value !== undefined && value < 0) checkNonNegative(errors, `${path}.${name}`, value);
  }
}

export function checkImmutable(
  errors: Errors,
  field: string,
  value: JsonValue | undefined,
  old: JsonValue | undefined,
): void {
  if (!equalJson(value, old)) errors.push(invalid(field, value, 'field is immutable'));
}

export function notFoundField(field: string, value: string): FieldError {
  return { type: 'FieldValueNotFound', field, message: `Not found: ${JSON.stringify(value)}` };
}

/** Keys as label names, values as label values; both are told at the map's own path (meta/v1 ValidateLabels). */
export function checkLabels(errors: Errors, field: string, labels: JsonObject | undefined): void {
  for (const key in labels) {
    checkName(errors, field, key, labelKey);
    const value = labels[key];
    if (typeof value === 'string') checkName(errors, field, value, labelValue);
  }
}

/** meta/v1 ValidateAnnotations; sizes are the metadata check's. */
export function checkAnnotations(errors: Errors, field: string, annotations: JsonObject | undefined): void {
  for (const key in annotations) {
    for (const message of labelKey(key.toLowerCase())) errors.push(invalid(field, key, message));
  }
}

/**
 * What the operators that all selectors have say of the values: `In` and `NotIn` want some, `Exists` and `DoesNotExist`
 * none. False for any other operator.
 */
export function checkOperatorValues(
  errors: Errors,
  at: string,
  operator: string,
  values: readonly string[],
): boolean {
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) {
        errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      }
      return true;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) {
        const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
        errors.push(forbiddenField(`${at}.values`, why));
      }
      return true;
    default:
      return false;
  }
}

/** meta/v1 ValidateLabelSelector. */
export function checkSelector(errors: Errors, field: string, selector: JsonObject | undefined): void {
  if (selector === undefined) return;
  checkLabels(errors, `${field}.matchLabels`, objectAt(selector, 'matchLabels'));
  objectsAt(selector, 'matchExpressions').forEach((requirement, i) => {
    const path = `${field}.matchExpressions[${i}]`;
    const values = textsAt(requirement, 'values');
    const operator = textAt(requirement, 'operator');
    if (!checkOperatorValues(errors, path, operator, values)) {
      errors.push(invalid(`${path}.operator`, operator, 'not a valid selector operator'));
    }
    checkName(errors, `${path}.key`, textAt(requirement, 'key'), labelKey);
    values.forEach((value, j) => {
      checkName(errors, `${path}.values[${j}]`, value, labelValue);
    });
  });
}

/** Whether a selector has no requirement at all. */
export function isEmptySelector(selector: JsonObject): boolean {
  for (const _ in objectAt(selector, 'matchLabels')) return false;
  return objectsAt(selector, 'matchExpressions').length === 0;
}

/**
 * Whether a meta/v1 LabelSelector selects these labels; undefined when it does not, but is malformed (Go's
 * LabelSelectorAsSelector fails on it).
 */
export function selectorMatches(selector: JsonObject, labels: JsonObject | undefined): boolean | undefined {
  const matches = plainlyMatches(selector, labels);
  if (matches !== false) return matches;
  const errors: Errors = [];
  checkSelector(errors, '', selector);
  return errors.length === 0 ? false : undefined;
}

/** Like `selectorMatches`, of a selector that may be malformed. */
export function plainlyMatches(selector: JsonObject, labels: JsonObject | undefined): boolean | undefined {
  const matchLabels = objectAt(selector, 'matchLabels');
  for (const key in matchLabels) if (labels?.[key] !== matchLabels[key]) return false;
  for (const requirement of objectsAt(selector, 'matchExpressions')) {
    const value = labels?.[textAt(requirement, 'key')];
    const values = textsAt(requirement, 'values');
    switch (textAt(requirement, 'operator')) {
      case 'In':
        if (typeof value !== 'string' || !values.includes(value)) return false;
        break;
      case 'NotIn':
        if (typeof value === 'string' && values.includes(value)) return false;
        break;
      case 'Exists':
        if (value === undefined) return false;
        break;
      case 'DoesNotExist':
        if (value !== undefined) return false;
        break;
      default:
        return undefined;
    }
  }
  return true;
}

/** A number from 1 to 65535, or an IANA service name. */
export function checkPort(errors: Errors, field: string, port: JsonValue | undefined): void {
  if (typeof port === 'string') {
    for (const message of portName(port)) errors.push(invalid(field, port, message));
  } else {
    const number = typeof port === 'number' ? port : 0;
    for (const message of portNumber(number)) errors.push(invalid(field, number, message));
  }
}

export function checkPortNumber(errors: Errors, field: string, port: number): void {
  for (const message of portNumber(port)) errors.push(invalid(field, port, message));
}

export const protocols = ['SCTP', 'TCP', 'UDP'] as const;

const percentText =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

/** A count or a percentage, neither negative (apps ValidatePositiveIntOrPercent). */
export function checkIntOrPercent(errors: Errors, field: string, value: JsonValue | undefined): void {
  if (typeof value === 'string') {
    if (!/^[0-9]+%$/.test(value)) errors.push(invalid(field, value, percentText));
  } else if (typeof value === 'number') checkNonNegative(errors, field, value);
}

/** apps IsNotMoreThan100Percent. */
export function checkAtMost100Percent(errors: Errors, field: string, value: JsonValue | undefined): void {
  if (typeof value === 'string' && /^[0-9]+%$/.test(value) && Number.parseInt(value, 10) > 100) {
    errors.push(invalid(field, value, 'must not be greater than 100%'));
  }
}

/** The number in a count or percentage, for comparing with zero. */
export function intOrPercentValue(value: JsonValue | undefined): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^[0-9]+%?$/.test(value) ? Number.parseInt(value, 10) : 0;
}

/** The quantity, or undefined with an error when it is none. */
export function checkQuantity(
  errors: Errors,
  field: string,
  value: JsonValue | undefined,
): Quantity | undefined {
  if ((typeof value === 'string' || typeof value === 'number') && isQuantity(value))
    return parseQuantity(value);
  errors.push(invalid(field, value, quantityForm));
  return undefined;
}

export function checkDnsLabel(errors: Errors, field: string, value: string): void {
  checkName(errors, field, value, dns1123Label);
}

export function checkDnsSubdomain(errors: Errors, field: string, value: string): void {
  checkName(errors, field, value, dns1123Subdomain);
}

const addressText = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

export function checkIp(errors: Errors, field: string, address: string): boolean {
  if (isIPv4(address) || (isIPv6(address) && !address.includes('%'))) return true;
  errors.push(invalid(field, address, addressText));
  return false;
}

/**
 * A network in CIDR notation, without bits beyond its prefix: `known` values, which were stored before that rule
 * (KEP-4858), may have some. Returns whether it can be read as a network.
 */
export function checkCidr(
  errors: Errors,
  field: string,
  cidr: string,
  known: readonly string[] = [],
): boolean {
  const slash = cidr.indexOf('/');
  const bits = /^\d{1,3}$/.test(cidr.slice(slash + 1)) ? Number(cidr.slice(slash + 1)) : Number.NaN;
  const address = cidr.slice(0, Math.max(slash, 0));
  const width = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : -1;
  if (bits <= width) {
    const isMasked = addressNumber(address) % (1n << BigInt(width - bits)) === 0n;
    if (!isMasked && !known.includes(cidr)) {
      errors.push(invalid(field, cidr, 'must not have bits set beyond the prefix length'));
    }
    return true;
  }
  errors.push(invalid(field, cidr, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'));
  return false;
}

/** The address of an interface with its prefix, in canonical form (KEP-4858). */
export function checkInterfaceAddress(errors: Errors, field: string, value: string): void {
  const [address = '', bits = '', ...more] = value.split('/');
  const width = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : -1;
  if (more.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > width) {
    const why = 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)';
    errors.push(invalid(field, value, why));
    return;
  }
  const host = width === 32 ? address : new URL(`http://[${address}]`).hostname.slice(1, -1);
  const canonical = `${host}/${Number(bits)}`;
  if (value !== canonical) {
    errors.push(invalid(field, value, `must be in canonical form (${JSON.stringify(canonical)})`));
  }
}

/** The bits of a valid address. */
function addressNumber(address: string): bigint {
  if (isIPv4(address)) {
    return address.split('.').reduce((number, part) => number * 256n + BigInt(part), 0n);
  }
  // A URL's host is the address in groups alone, with a last IPv4 part translated.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const last = groups(tail ?? '');
  const first = groups(head);
  const zeros = new Array<string>(tail === undefined ? 0 : 8 - first.length - last.length).fill('0');
  return [...first, ...zeros, ...last].reduce((number, group) => number * 65_536n + BigInt(`0x${group}`), 0n);
}

/** An address that an endpoint may have: not unspecified, loopback, link-local (core ValidateEndpointIP). */
export function checkEndpointIp(errors: Errors, field: string, address: string): void {
  const refuse = (why: string) => errors.push(invalid(field, address, why));
  const v6 = isIPv6(address) ? address.toLowerCase() : '';
  if (address === '0.0.0.0' || /^(0*:)+0*$/.test(v6)) refuse(`may not be unspecified (${address})`);
  if (address.startsWith('127.') || /^(0*:)+0*1$/.test(v6)) {
    refuse('may not be in the loopback range (127.0.0.0/8, ::1/128)');
  }
  if (address.startsWith('169.254.') || /^fe[89ab]/.test(v6)) {
    refuse('may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  }
  if (address.startsWith('224.0.0.') || /^ff.2:/.test(v6)) {
    refuse('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  }
}

/** `path[key]`, as field paths name members of maps. */
export function keyPath(path: string, key: string): string {
  return `${path}[${key}]`;
}

/** A relative path without `..` steps (core validateLocalDescendingPath). */
export function checkDescendingPath(errors: Errors, field: string, path: string): void {
  if (path.startsWith('/')) errors.push(invalid(field, path, 'must be a relative path'));
  checkNoBacksteps(errors, field, path);
}

export function checkNoBacksteps(errors: Errors, field: string, path: string): void {
  if (path.split('/').includes('..')) errors.push(invalid(field, path, "must not contain '..'"));
}

/** The same, and no first segment that begins with `..` (core ValidateLocalNonReservedPath). */
export function checkNonReservedPath(errors: Errors, field: string, path: string): void {
  checkDescendingPath(errors, field, path);
  if (path.startsWith('..') && !path.startsWith('../')) {
    errors.push(invalid(field, path, "must not start with '..'"));
  }
}

/** As Go shows a map of texts that are ASCII. */
export function byKey(labels: JsonObject | undefined): JsonObject | undefined {
  return labels === undefined ? undefined : Object.fromEntries(Object.entries(labels).sort(asciiOrder));
}

const asciiOrder = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : 1;
