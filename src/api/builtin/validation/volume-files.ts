import { invalid } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { numberAt, objectsAt, textAt } from '../read.ts';
import { checkNonReservedPath, type Errors, requireText } from './common.ts';

const fileModeText = 'must be a number between 0 and 0777 (octal), both inclusive';

export function checkMode(errors: Errors, field: string, mode: number | undefined): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) errors.push(invalid(field, mode, fileModeText));
}

export function checkKeys(errors: Errors, path: string, source: JsonObject): void {
  checkMode(errors, `${path}.defaultMode`, numberAt(source, 'defaultMode'));
  objectsAt(source, 'items').forEach((item, i) => {
    checkKeyToPath(errors, `${path}.items[${i}]`, item);
  });
}

export function checkKeyToPath(errors: Errors, path: string, item: JsonObject): void {
  requireText(errors, `${path}.key`, textAt(item, 'key'));
  requireText(errors, `${path}.path`, textAt(item, 'path'));
  checkNonReservedPath(errors, `${path}.path`, textAt(item, 'path'));
  checkMode(errors, `${path}.mode`, numberAt(item, 'mode'));
}
