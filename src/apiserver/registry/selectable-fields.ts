import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, ResourceVersion } from '#apimachinery/resource-definition.ts';

interface Selectable {
  readonly label: string;
  readonly path: readonly string[];
  /** Set when the path is one of a version whose shape differs from the storage version's. */
  readonly convert: ResourceVersion['fromStorage'];
}

const plans = new WeakMap<ResourceDefinition, readonly Selectable[]>();

/**
 * The values of a definition's selectable fields (L5) for an object in its storage version, by label; undefined when
 * the definition has none. Absent fields are the empty text, as Kubernetes has it.
 */
export function selectableFieldsOf(
  object: KubeObject,
  definition: ResourceDefinition,
): { [label: string]: string } | undefined {
  let plan = plans.get(definition);
  if (plan === undefined) {
    plan = planOf(definition);
    plans.set(definition, plan);
  }
  const { fields } = definition.strategy;
  if (plan.length === 0 && fields === undefined) return undefined;
  const values: { [label: string]: string } = {};
  for (const { label, path, convert } of plan) {
    values[label] = fieldText(valueAt(convert === undefined ? object : convert(object), path));
  }
  if (fields !== undefined) {
    const extra = fields(object);
    for (const label in extra) values[label] = fieldText(extra[label]);
  }
  return values;
}

function planOf(definition: ResourceDefinition): Selectable[] {
  const plan = new Map<string, Selectable>();
  for (const version of definition.versions) {
    for (const [label, path] of version.selectableFields) {
      if (label === 'metadata.name' || label === 'metadata.namespace') continue;
      const isStorage = version.version === definition.storageVersion;
      if (plan.has(label) && !isStorage) continue;
      plan.set(label, {
        label,
        path: path.replace(/^\./, '').split('.'),
        convert: isStorage ? undefined : version.fromStorage,
      });
    }
  }
  return [...plan.values()];
}

function valueAt(object: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = object;
  for (const part of path) {
    if (!isJsonObject(value)) return undefined;
    value = value[part];
  }
  return value;
}

/** The text by which a field selector compares a value: scalars as printed, all else empty. */
function fieldText(value: JsonValue | undefined): string {
  return value === undefined || value === null || typeof value === 'object' ? '' : String(value);
}
