import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { refuseUnsafeKey } from './patch-error.ts';

/**
 * Applies a JSON merge patch (RFC 7386) and returns the result. Neither argument is changed; unchanged subtrees of
 * `document` and scalar or list values of `patch` are shared with the result, so that a caller who goes on to change
 * the result must copy first. Returns `document` itself when the patch changes nothing.
 *
 * Members that are null go out of the elements of its lists as well: RFC 7386 says nothing of them, and Kubernetes'
 * library does so (evanphx/json-patch `pruneAryNils`).
 */
export function applyMergePatch(document: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (Array.isArray(patch)) return withoutNulls(patch);
  if (!isJsonObject(patch)) return patch;
  const target: JsonObject = isJsonObject(document) ? document : {};
  let result: JsonObject | undefined = isJsonObject(document) ? undefined : {};
  for (const key in patch) {
    const change = patch[key];
    if (change === undefined) continue;
    refuseUnsafeKey(key);
    const before = Object.hasOwn(target, key) ? target[key] : undefined;
    if (change === null) {
      if (before === undefined) continue;
      result ??= { ...target };
      delete result[key];
      continue;
    }
    const after = applyMergePatch(before, change);
    if (after === before) continue;
    result ??= { ...target };
    result[key] = after;
  }
  return result ?? target;
}

function withoutNulls(value: JsonValue): JsonValue {
  if (Array.isArray(value)) {
    return value.some((item) => typeof item === 'object' && item !== null) ? value.map(withoutNulls) : value;
  }
  if (!isJsonObject(value)) return value;
  const kept: JsonObject = {};
  for (const key in value) {
    const member = value[key];
    if (member === null || member === undefined) continue;
    refuseUnsafeKey(key);
    kept[key] = withoutNulls(member);
  }
  return kept;
}
