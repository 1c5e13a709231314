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

/**
 * Under which label a field's value is stored. What two groups serve from one place has one set of labels, those of the group
 * under whose name it lies: events are found by what they are about, whichever group they were written to
 * (AddFieldLabelConversionFunc in Kubernetes' pkg/apis/events/v1/conversion.go).
 */
export function storedLabel(
  label: string,
  { selectableFields }: ResourceVersion,
  { group, storedAs }: ResourceDefinition,
): string {
  return storedAs.group === group ? label : (selectableFields.get(label) ?? label);
}

function planOf(definition: ResourceDefinition): Selectable[] {
  const plan = new Map<string, Selectable>();
  for (const version of definition.versions) {
    for (const [label, path] of version.selectableFields) {
      if (label === 'metadata.name' || label === 'metadata.namespace') continue;
      const isStorage = version.version === definition.storageVersion;
      const stored = storedLabel(label, version, definition);
      if (plan.has(stored) && !isStorage) continue;
      plan.set(stored, {
        label: stored,
        path: path.replace(/^\./, ''),
        convert: isStorage ? undefined : version.fromStorage,
      });
    }
  }
  return [...plan.values()];
}
