import { duplicate, forbiddenField, invalid, required, tooMany } from '#apimachinery/field-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  isQuantity,
  parseQuantity,
  type Quantity,
  quantityValue,
  zeroQuantity,
} from '#apimachinery/quantity.ts';
import { objectAt, valueAt } from '../read.ts';
import type { Errors } from './common.ts';

const optionsMax = 10;

/** The quantity at a field; undefined when there is none (the schema refuses what is no quantity). */
function quantityAt(from: JsonValue | undefined, field?: string): Quantity | undefined {
  const value = valueAt(from, field);
  return isQuantity(value) ? parseQuantity(value as string) : undefined;
}

/** A capacity of a device; how much of it may be asked for is said only where several may share it (KEP-5075). */
export function checkCapacity(
  errors: Errors,
  path: string,
  capacity: JsonValue | undefined,
  isShared: boolean,
): void {
  const policy = objectAt(capacity, 'requestPolicy');
  if (policy === undefined) return;
  const at = `${path}.requestPolicy`;
  if (!isShared) {
    errors.push(forbiddenField(at, 'allowMultipleAllocations must be true'));
    return;
  }
  const values = valueAt(policy, 'validValues');
  const options = Array.isArray(values) ? values : [];
  const range = objectAt(policy, 'validRange');
  if (options.length > 0 && range !== undefined) {
    const why =
      'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time';
    errors.push(forbiddenField(at, why));
    return;
  }
  if (options.length === 0 && range === undefined) return;
  const fallback = quantityAt(policy, 'default');
  const most = quantityAt(capacity, 'value') ?? zeroQuantity;
  if (fallback === undefined) {
    const why = `required when ${range === undefined ? 'validValues' : 'validRange'} is defined`;
    errors.push(required(`${at}.default`, why));
  } else if (range === undefined) checkOptions(errors, `${at}.validValues`, options, fallback, most);
  else checkRange(errors, `${at}.validRange`, range, fallback, most);
}

function checkOptions(
  errors: Errors,
  at: string,
  values: readonly JsonValue[],
  fallback: Quantity,
  most: Quantity,
): void {
  const options = values.map((one) => quantityAt(one) ?? zeroQuantity);
  options.slice(1).forEach((option, i) => {
    if (compareQuantity(options[i] as Quantity, option) <= 0) return;
    errors.push(
      invalid(`${at}[${i + 1}]`, formatQuantity(option), 'values must be sorted in ascending order'),
    );
  });
  if (options.length > optionsMax) errors.push(tooMany(at, options.length, optionsMax));
  else {
    options.forEach((option, i) => {
      if (compareQuantity(option, most) <= 0) return;
      const why = `option is larger than capacity value: ${formatQuantity(most)}`;
      errors.push(invalid(`${at}[${i}]`, formatQuantity(option), why));
    });
    const whole = options.map((option) => quantityValue(option));
    whole.forEach((value, i) => {
      if (whole.indexOf(value) < i) errors.push(duplicate(`${at}[${i}]`, String(value)));
    });
  }
  if (options.length > optionsMax || !options.some((option) => compareQuantity(option, fallback) === 0)) {
    const why = 'default value is not valid according to the requestPolicy';
    errors.push(invalid(at, formatQuantity(fallback), why));
  }
}

function checkRange(
  errors: Errors,
  at: string,
  range: JsonObject,
  fallback: Quantity,
  capacity: Quantity,
): void {
  const least = quantityAt(range, 'min');
  const most = quantityAt(range, 'max');
  const step = quantityAt(range, 'step');
  if (least === undefined) {
    errors.push(required(`${at}.min`, 'required when validRange is defined'));
    return;
  }
  const refuseWhen = (
    isWrong: boolean,
    field: string,
    value: Quantity,
    why: string,
    than: Quantity,
  ): void => {
    if (isWrong)
      errors.push(invalid(`${at}.${field}`, formatQuantity(value), `${why}: ${formatQuantity(than)}`));
  };
  const isMore = (a: Quantity, b: Quantity): boolean => compareQuantity(a, b) > 0;
  refuseWhen(isMore(least, capacity), 'min', least, 'min is larger than capacity value', capacity);
  refuseWhen(isMore(least, fallback), 'min', fallback, 'default is less than min', least);
  if (most !== undefined) {
    refuseWhen(isMore(least, most), 'max', least, 'min is larger than max', most);
    refuseWhen(isMore(most, capacity), 'max', most, 'max is larger than capacity value', capacity);
    refuseWhen(isMore(fallback, most), 'max', fallback, 'default is more than max', most);
  }
  if (step === undefined) return;
  const next = addQuantity(least, step);
  if (isMore(next, capacity)) {
    const why = `one step ${formatQuantity(next)} is larger than capacity value: ${formatQuantity(capacity)}`;
    errors.push(invalid(`${at}.step`, formatQuantity(step), why));
  }
  for (const value of most === undefined ? [fallback] : [fallback, most]) {
    const width = quantityValue(step);
    // No step divides by nothing: Kubernetes' server fails on it.
    if (width !== 0n && (quantityValue(value) - quantityValue(least)) % width === 0n) continue;
    const why = `value is not a multiple of a given step (${formatQuantity(step)}) from (${formatQuantity(least)})`;
    errors.push(invalid(`${at}.step`, formatQuantity(value), why));
  }
}
