import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { type ApplyType, elementPath, formFor, memberPath, memberType } from './apply-type.ts';
import { type FieldSet, isMember } from './field-set.ts';

/**
 * The object without the members and elements that `gone` names; a path takes all that lies below it with it. What loses
 * its last member stays, empty: it goes only when it is named itself (structured-merge-diff 6.3.2 removingWalker). Shares
 * what stays.
 */
export function removeFields(type: ApplyType, value: JsonObject, gone: FieldSet): JsonObject {
  let result: JsonObject | undefined;
  for (const name in value) {
    const child = value[name];
    const path = memberPath(type, name);
    const at = gone[path];
    if (child === undefined || at === undefined) continue;
    const rest = removeAt(memberType(type, name), child, at);
    if (rest === child) continue;
    result ??= { ...value };
    if (rest === undefined) delete result[name];
    else result[name] = rest;
  }
  return result ?? value;
}

function removeAt(type: ApplyType | undefined, value: JsonValue, gone: FieldSet): JsonValue | undefined {
  if (isMember(gone)) return undefined;
  if (type === undefined) return value;
  const form = formFor(type, value);
  if (form === 'leaf') return value;
  if (form === 'map' && isJsonObject(value)) return removeFields(type, value, gone);
  return removeElements(type, value as JsonValue[], gone);
}

function removeElements(type: ApplyType, value: JsonValue[], gone: FieldSet): JsonValue[] {
  const result: JsonValue[] = [];
  let changed = false;
  for (const item of value) {
    const at = elementPath(type, item);
    const from = 'error' in at ? undefined : gone[at.path];
    const rest = from === undefined ? item : removeAt(type.element, item, from);
    if (rest !== item) changed = true;
    if (rest !== undefined) result.push(rest);
  }
  return changed ? result : value;
}
