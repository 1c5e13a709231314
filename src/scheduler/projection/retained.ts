import type { KubeObject } from '#apimachinery/object.ts';
import type { Interpretation } from '../interpreter/interpretation.ts';

/** Karmada's: `true` leaves the replicas to whoever scales the object at its edge. */
const retainReplicasLabel = 'resourcetemplate.karmada.io/retain-replicas';
const replicasPointer = '/spec/replicas';

/** JSON pointers to the fields of an object that its edges keep as they are there; undefined: none. */
export function retainedFieldsOf(
  object: KubeObject,
  interpretation: Interpretation | undefined,
): readonly string[] | undefined {
  const told = interpretation?.retained(object);
  const isScaledThere = object.metadata.labels?.[retainReplicasLabel] === 'true';
  if (!isScaledThere || told?.includes(replicasPointer) === true) return told;
  return [...(told ?? []), replicasPointer];
}
