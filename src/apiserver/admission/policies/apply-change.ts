import { ApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { checkConfig } from '../../apply/applied-config.ts';
import { joinFaults } from '../../apply/apply-server-side.ts';
import { type ApplyType, insideElement } from '../../apply/apply-type.ts';
import { mergeConfig } from '../../apply/merge.ts';
import { applyJsonPatch } from '../../patch/json-patch.ts';
import { PatchTestFailed } from '../../patch/patch-error.ts';
import { type Change, MutationError } from './mutating-policy.ts';

/**
 * The object with what a mutation asks for, in the version that `type` describes; the object itself where a `test` of a
 * JSON patch found something else, which is how a patch says that it is not for this one (KEP-3962). Throws
 * MutationError, in the words of apiserver `pkg/admission/plugin/policy/mutating/patch`.
 */
export function applyChange(type: ApplyType, object: JsonObject, change: Change): JsonObject {
  if (change.type === 'ApplyConfiguration') {
    const faults = checkConfig(type, change.config);
    if (faults.length > 0) {
      throw new MutationError(
        `error applying patch: failed to convert patch object to typed object: ${joinFaults(faults)}`,
      );
    }
    const atomics = [...atomicsIn(type, change.config, '')];
    if (atomics.length > 0) {
      throw new MutationError(
        `error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(', ')}`,
      );
    }
    return mergeConfig(type, object, change.config);
  }
  try {
    return applyJsonPatch(object, change.operations as JsonValue[]) as JsonObject;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.cause instanceof PatchTestFailed) return object;
    const why = error.cause instanceof Error ? error.cause.message : error.message;
    throw new MutationError(`JSON Patch: ${why}`, { cause: error });
  }
}

/** Where a configuration would replace a whole list, map or struct whose members its author may not know. */
function* atomicsIn(type: ApplyType, value: JsonValue, path: string): Generator<string> {
  if (Array.isArray(value)) {
    if (type.form === 'atomicList' || type.form === 'deduced') yield path;
    const element = insideElement(type);
    if (element === undefined) return;
    for (const [index, item] of value.entries()) yield* atomicsIn(element, item, `${path}[${index}]`);
  } else if (isJsonObject(value)) {
    if (type.form === 'atomicMap') yield path;
    for (const name in value) {
      const field = type.fields?.get(name);
      const member = value[name];
      if (field !== undefined && member !== undefined)
        yield* atomicsIn(field.type, member, `${path}.${name}`);
    }
  }
}
