import { fieldValueAt } from '#apimachinery/field-selector.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, ResourceVersion } from '#apimachinery/resource-definition.ts';

interface Selectable {
  readonly label: string;
  /** Dotted. */
  readonly path: string;
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
    values[label] = fieldValueAt(convert === undefined ? object : convert(object), path);
  }
  if (fields !== undefined) {
    const extra = fields(object);
    for (const label in extra) values[label] = fieldValueAt({ value: extra[label] }, 'value');
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
        path: path.replace(/^\./, ''),
        convert: isStorage ? undefined : version.fromStorage,
      });
    }
  }
  return [...plan.values()];
}
