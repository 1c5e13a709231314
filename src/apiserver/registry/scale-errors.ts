import { type FieldError, invalid } from '#apimachinery/field-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { ResourceVersion, Subresource } from '#apimachinery/resource-definition.ts';
import { goText, goTypeOf } from '../patch/go-text.ts';

const int32Max = 2 ** 31 - 1;

/**
 * What is wrong with the fields that a custom resource's `scale` reads (apiextensions ValidateScaleSpec and
 * ValidateScaleStatus); of a write to `/status` the status alone counts.
 */
export function scaleErrors(object: JsonObject, version: ResourceVersion, subresource: string): FieldError[] {
  const paths = version.subresources.find(({ scale }) => scale !== undefined)?.scale;
  if (paths === undefined) return [];
  const errors: FieldError[] = [];
  if (subresource !== 'status') replicasErrors(object, paths.specReplicasPath, errors);
  statusErrors(object, paths, errors);
  return errors;
}

function statusErrors(
  object: JsonObject,
  { statusReplicasPath, labelSelectorPath }: NonNullable<Subresource['scale']>,
  errors: FieldError[],
): void {
  replicasErrors(object, statusReplicasPath, errors);
  if (labelSelectorPath === undefined) return;
  const found = nested(object, labelSelectorPath, 'string', (value) => typeof value === 'string');
  if ('fault' in found) errors.push(invalid(`.${labelSelectorPath}`, '', found.fault));
}

function replicasErrors(object: JsonObject, path: string, errors: FieldError[]): void {
  const field = `.${path}`;
  const found = nested(object, path, 'int64', (value) => Number.isInteger(value));
  if ('fault' in found) {
    errors.push(invalid(field, 0, found.fault));
    return;
  }
  const replicas = (found.value ?? 0) as number;
  if (replicas < 0) errors.push(invalid(field, replicas, 'should be a non-negative integer'));
  else if (replicas > int32Max) {
    errors.push(invalid(field, replicas, `should be less than or equal to ${int32Max}`));
  }
}

/** The value at a path, or why there cannot be one, in the words of unstructured.NestedInt64 and its like. */
function nested(
  object: JsonObject,
  path: string,
  type: string,
  fits: (value: JsonValue) => boolean,
): { readonly value: JsonValue | undefined } | { readonly fault: string } {
  let value: JsonValue | undefined = object;
  const fault = (wanted: string): { readonly fault: string } => ({
    fault: `.${path} accessor error: ${goText(value)} is of the type ${value === null ? '<nil>' : goTypeOf(value)}, expected ${wanted}`,
  });
  for (const part of path.split('.')) {
    if (value === undefined || value === null) return { value: undefined };
    if (!isJsonObject(value)) return fault('map[string]interface{}');
    value = value[part];
  }
  return value === undefined || fits(value) ? { value } : fault(type);
}
