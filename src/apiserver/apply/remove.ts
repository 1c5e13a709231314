import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { type ApplyType, elementPath, formFor, memberPath, memberType } from './apply-type.ts';
import { type FieldSet, isMember } from './field-set.ts';

/**
 * The object without the members and elements that `gone` names; a path takes all that lies below it with it. A map or
 * list that loses its last member goes too, unless `kept` claims it as such (it was applied empty). Shares what stays.
 */
export function removeFields(
  type: ApplyType,
  object: JsonObject,
  gone: FieldSet,
  kept: FieldSet,
): JsonObject {
  return removeMembers(type, object, gone, kept);
}

function removeMembers(type: ApplyType, value: JsonObject, gone: FieldSet, kept: FieldSet): JsonObject {
  let result: JsonObject | undefined;
  for (const name in value) {
    const child = value[name];
    const path = memberPath(type, name);
    const at = gone[path];
    if (child === undefined || at === undefined) continue;
    const rest = removeAt(memberType(type, name), child, at, kept[path]);
    if (rest === child) continue;
    result ??= { ...value };
    if (rest === undefined) delete result[name];
    else result[name] = rest;
  }
  return result ?? value;
}

function removeAt(
  type: ApplyType | undefined,
  value: JsonValue,
  gone: FieldSet,
  kept: FieldSet | undefined,
): JsonValue | undefined {
  if (isMember(gone)) return undefined;
  if (type === undefined) return value;
  const form = formFor(type, value);
  if (form === 'leaf') return value;
  const keeps = kept !== undefined && isMember(kept);
  if (form === 'map' && isJsonObject(value)) {
    const rest = removeMembers(type, value, gone, kept ?? {});
    return rest !== value && !keeps && Object.keys(rest).length === 0 ? undefined : rest;
  }
  const rest = removeElements(type, value as JsonValue[], gone, kept ?? {});
  return rest !== value && !keeps && rest.length === 0 ? undefined : rest;
}

function removeElements(type: ApplyType, value: JsonValue[], gone: FieldSet, kept: FieldSet): JsonValue[] {
  const result: JsonValue[] = [];
  let changed = false;
  for (const item of value) {
    const at = elementPath(type, item);
    const from = 'error' in at ? undefined : gone[at.path];
    if ('error' in at || from === undefined) {
      result.push(item);
      continue;
    }
    const rest = isMember(from) ? undefined : removeInside(type.element, item, from, kept[at.path]);
    if (rest !== item) changed = true;
    if (rest !== undefined) result.push(rest);
  }
  return changed ? result : value;
}

/** An element goes only when it is named itself; emptied otherwise it stays, as upstream has it. */
function removeInside(
  type: ApplyType | undefined,
  item: JsonValue,
  gone: FieldSet,
  kept: FieldSet | undefined,
): JsonValue {
  return removeAt(type, item, gone, kept) ?? (Array.isArray(item) ? [] : {});
}
