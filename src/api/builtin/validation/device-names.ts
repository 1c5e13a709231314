import { duplicate, invalid, notSupported, required, tooLong, tooMany } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { dns1123Label, dns1123Subdomain, labelKey, labelValue } from '#apimachinery/names.ts';
import { objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { checkName, type Errors } from './common.ts';
import { checkDriverName } from './volume-sources.ts';

/** Names and small parts that several kinds of resource.k8s.io share (source: Kubernetes' pkg/apis/resource/validation). */

const poolNameBytesMax = 253;
const identifierBytesMax = 32;
const bindingConditionsMax = 4;
const effects = ['NoExecute', 'NoSchedule', 'None'] as const;
const operators = ['Equal', 'Exists'] as const;

export function checkPoolName(errors: Errors, at: string, name: string): void {
  if (name === '') {
    errors.push(required(at));
    return;
  }
  if (Buffer.byteLength(name) > poolNameBytesMax) errors.push(tooLong(at, poolNameBytesMax));
  for (const part of name.split('/')) checkName(errors, at, part, dns1123Subdomain);
}

/** A request's, a device's or a counter's: told as wrong, not as missing, when it is empty. */
export function checkShortName(errors: Errors, at: string, name: string): void {
  checkName(errors, at, name, dns1123Label);
}

const cIdentifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

function checkIdentifier(errors: Errors, at: string, name: string): void {
  if (Buffer.byteLength(name) > identifierBytesMax) errors.push(tooLong(at, identifierBytesMax));
  if (!cIdentifier.test(name)) {
    const why =
      "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')";
    errors.push(invalid(at, name, why));
  }
}

/** `model` or `gpu.example.com/model`. */
export function checkQualifiedName(errors: Errors, at: string, name: string): void {
  const [first = '', second, ...more] = name.split('/');
  if (more.length > 0) return;
  if (second === undefined) {
    checkIdentifier(errors, at, first);
    return;
  }
  if (first === '') errors.push(invalid(at, '', 'the domain must not be empty'));
  else checkDriverName(errors, at, first);
  if (second === '') errors.push(invalid(at, '', 'the name must not be empty'));
  else checkIdentifier(errors, at, second);
}

export function checkFullyQualifiedName(errors: Errors, at: string, name: string): void {
  checkQualifiedName(errors, at, name);
  if (!name.includes('/')) {
    const why = 'a fully qualified name must be a domain and a name separated by a slash';
    errors.push(invalid(at, name, why));
  }
}

/** `keepsEffect`: the taint had this effect before, and keeps it whatever it is. */
export function checkTaint(errors: Errors, at: string, taint: JsonObject, keepsEffect = false): void {
  checkName(errors, `${at}.key`, textAt(taint, 'key'), labelKey);
  checkName(errors, `${at}.value`, textAt(taint, 'value'), labelValue);
  const effect = textAt(taint, 'effect');
  if (keepsEffect) return;
  if (effect === '') errors.push(required(`${at}.effect`));
  else checkEffect(errors, at, effect);
}

function checkEffect(errors: Errors, at: string, effect: string): void {
  if (!(effects as readonly string[]).includes(effect)) {
    errors.push(notSupported(`${at}.effect`, effect, effects));
  }
}

export function checkTolerations(errors: Errors, path: string, holder: JsonObject): void {
  const tolerations = objectsAt(holder, 'tolerations');
  tolerations.forEach((toleration, i) => {
    const at = `${path}.tolerations[${i}]`;
    const [key, value, operator, effect] = ['key', 'value', 'operator', 'effect'].map((field) =>
      textAt(toleration, field),
    ) as [string, string, string, string];
    if (key !== '') checkName(errors, `${at}.key`, key, labelKey);
    if (operator === 'Exists') {
      if (value !== '') errors.push(invalid(`${at}.value`, value, 'must be empty for operator `Exists`'));
    } else if (operator === 'Equal') checkName(errors, `${at}.value`, value, labelValue);
    else if (operator === '') errors.push(required(`${at}.operator`));
    else errors.push(notSupported(`${at}.operator`, operator, operators));
    if (effect !== '') checkEffect(errors, at, effect);
  });
}

/** The conditions that a device's binding waits for, and those that end it: both or neither, none in both. */
export function checkBindingConditions(errors: Errors, path: string, holder: JsonObject): void {
  const wanted = textsAt(holder, 'bindingConditions');
  const failures = textsAt(holder, 'bindingFailureConditions');
  for (const [field, names] of [
    ['bindingConditions', wanted],
    ['bindingFailureConditions', failures],
  ] as const) {
    if (names.length > bindingConditionsMax) {
      errors.push(tooMany(`${path}.${field}`, names.length, bindingConditionsMax));
    } else
      names.forEach((name, i) => {
        checkName(errors, `${path}.${field}[${i}]`, name, labelKey);
      });
    names.forEach((name, i) => {
      const at = `${path}.${field}[${i}]`;
      if (names.indexOf(name) < i) errors.push(duplicate(at, name));
      if (names === failures && wanted.includes(name)) {
        errors.push(invalid(at, name, 'bindingFailureConditions must not overlap with bindingConditions'));
      }
    });
  }
  if (wanted.length === 0 && failures.length > 0) {
    const why = 'bindingConditions are required to use bindingFailureConditions';
    errors.push(invalid(`${path}.bindingConditions`, valueAt(holder, 'bindingConditions'), why));
  }
  if (failures.length === 0 && wanted.length > 0) {
    const why = 'bindingFailureConditions are required to use bindingConditions';
    errors.push(
      invalid(`${path}.bindingFailureConditions`, valueAt(holder, 'bindingFailureConditions'), why),
    );
  }
}

/** A set of at most so many: every one checked, repetitions told; beyond the limit only that. */
export function checkSet<T>(
  errors: Errors,
  at: string,
  items: readonly T[],
  max: number,
  keyOf: (item: T) => string,
  check: (item: T, at: string) => void,
): void {
  if (items.length > max) {
    errors.push(tooMany(at, items.length, max));
    return;
  }
  items.forEach((item, i) => {
    check(item, `${at}[${i}]`);
  });
  const seen = new Set<string>();
  items.forEach((item, i) => {
    const key = keyOf(item);
    if (seen.has(key)) errors.push(duplicate(`${at}[${i}]`, key));
    seen.add(key);
  });
}
