import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { type FieldPath, parseRetainedFields } from '#api/federation/retained-fields.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ownedChild, ownedElement } from './managed-trie.ts';

/** The fields of a copy that its edge keeps once it has the object. */
export function retainedFields(copy: KubeObject): readonly FieldPath[] {
  return parseRetainedFields(copy.metadata.annotations?.[copyAnnotations.retainedFields]);
}

/**
 * The form with what the edge keeps as it is there: what is still ours with the edge's value, as a field that its only owner
 * leaves out is removed (KUBERNETES.md P3); what is another's, or was removed by one, is left to them. `owned`: the fields that we
 * own of the object. Parts that do not change are shared.
 */
export function retainedForm(
  form: JsonObject,
  object: KubeObject,
  owned: JsonObject,
  retained: readonly FieldPath[],
): JsonObject {
  let kept = form;
  const fields = isWhole(owned) ? undefined : owned;
  for (const path of retained) kept = keepAt(kept, object, fields, path);
  return kept;
}

/** `owned`: our fields below; undefined: none; without any key below the root: all, as it is one value. */
function keepAt(
  form: JsonObject,
  edge: JsonObject,
  owned: JsonObject | undefined,
  path: FieldPath,
): JsonObject {
  const [key, ...rest] = path;
  const value = key === undefined ? undefined : form[key];
  if (key === undefined || value === undefined) return form;
  const there = edge[key];
  const fields = owned !== undefined && isWhole(owned) ? owned : ownedChild(owned ?? {}, `f:${key}`);
  let kept: JsonValue | undefined;
  if (rest.length === 0) {
    kept = there === undefined || fields === undefined ? undefined : ours(there, fields);
  } else {
    if (!isJsonObject(value)) return form;
    kept = keepAt(value, isJsonObject(there) ? there : {}, fields, rest);
  }
  if (kept === value) return form;
  const changed = { ...form };
  if (kept === undefined) delete changed[key];
  else changed[key] = kept;
  return changed;
}

function isWhole(owned: JsonObject): boolean {
  for (const _key in owned) return false;
  return true;
}

/** Of what the edge has, what we own. */
function ours(there: JsonValue, owned: JsonObject): JsonValue {
  const isGranular = Object.keys(owned).some((key) => key !== '.');
  if (!isGranular) return there;
  if (Array.isArray(there))
    return there.filter((item, index) => ownedElement(item, index, owned) !== undefined);
  if (!isJsonObject(there)) return there;
  const kept: JsonObject = {};
  for (const [key, inner] of Object.entries(there)) {
    const fields = ownedChild(owned, `f:${key}`);
    if (fields === undefined || inner === undefined) continue;
    kept[key] = ours(inner, fields);
  }
  return kept;
}
