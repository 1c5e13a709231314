import { duplicate, invalid, notSupported, required, tooLong, tooMany } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { labelKey } from '#apimachinery/names.ts';
import { numberAt, textAt } from '../read.ts';
import { checkName, type Errors } from './common.ts';

const statuses = ['False', 'True', 'Unknown'] as const;
const reasonPattern = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
const reasonText =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";
const reasonBytesMax = 1024;
const messageBytesMax = 32 * 1024;

/** Conditions as meta/v1 has them (meta/v1 ValidateConditions), at most so many. */
export function checkStatusConditions(
  errors: Errors,
  path: string,
  conditions: readonly JsonObject[],
  max: number,
): void {
  if (conditions.length > max) errors.push(tooMany(path, conditions.length, max));
  const types = new Set<string>();
  conditions.forEach((condition, i) => {
    const at = `${path}[${i}]`;
    const type = textAt(condition, 'type');
    if (types.has(type)) errors.push(duplicate(`${at}.type`, type));
    types.add(type);
    checkCondition(errors, at, type, condition);
  });
}

function checkCondition(errors: Errors, at: string, type: string, condition: JsonObject): void {
  checkName(errors, `${at}.type`, type, labelKey);
  const status = textAt(condition, 'status');
  if (!(statuses as readonly string[]).includes(status)) {
    errors.push(notSupported(`${at}.status`, status, statuses));
  }
  const generation = numberAt(condition, 'observedGeneration') ?? 0;
  if (generation < 0) {
    errors.push(invalid(`${at}.observedGeneration`, generation, 'must be greater than or equal to zero'));
  }
  if (textAt(condition, 'lastTransitionTime') === '') errors.push(required(`${at}.lastTransitionTime`));
  const reason = textAt(condition, 'reason');
  if (reason === '') errors.push(required(`${at}.reason`));
  else {
    if (!reasonPattern.test(reason)) errors.push(invalid(`${at}.reason`, reason, reasonText));
    if (Buffer.byteLength(reason) > reasonBytesMax) errors.push(tooLong(`${at}.reason`, reasonBytesMax));
  }
  if (Buffer.byteLength(textAt(condition, 'message')) > messageBytesMax) {
    errors.push(tooLong(`${at}.message`, messageBytesMax));
  }
}
