import type { KubeObject, ManagedFieldsEntry } from '#apimachinery/object.ts';
import { difference, type FieldSet, isEmptySet, leaf } from '../apply/field-set.ts';
import { decodeManagers, encodeManagers, type Manager, withFields } from '../apply/managed-fields.ts';
import { fieldElement } from '../apply/path-element.ts';

export const scaleApiVersion = 'autoscaling/v1';

const replicasOfScale: FieldSet = { 'f:spec': { 'f:replicas': leaf } };

/** The managers that own an object's replicas, as they own those of its Scale (managedfields ScaleHandler.ToSubresource). */
export function managersOfScale(parent: KubeObject, specReplicasPath: string): ManagedFieldsEntry[] {
  const path = pathSet(specReplicasPath);
  const owners = decodeManagers(parent.metadata.managedFields, true) ?? [];
  return encodeManagers(
    owners
      .filter((one) => owns(one, path))
      .map((one) => ({
        ...one,
        apiVersion: scaleApiVersion,
        fields: replicasOfScale,
        entry: undefined,
      })),
  );
}

/**
 * The object's managers after a write of its Scale: who no longer owns the replicas there loses them here, who is new
 * there has them here, in `apiVersion` (ScaleHandler.ToParent). Other than upstream, an updater that owns them before and
 * after stays one entry with all of its fields, and new entries have their time.
 */
export function managersOfParent(
  parent: KubeObject,
  scale: readonly ManagedFieldsEntry[] | undefined,
  specReplicasPath: string,
  apiVersion: string,
): ManagedFieldsEntry[] {
  const path = pathSet(specReplicasPath);
  const left = new Set(
    (decodeManagers([...(scale ?? [])], true) ?? []).filter((one) => owns(one, replicasOfScale)),
  );
  const managers: Manager[] = [];
  for (const one of decodeManagers(parent.metadata.managedFields, true) ?? []) {
    if (!owns(one, path)) {
      managers.push(one);
      continue;
    }
    const there = [...left].find((other) => isSamePerson(one, other));
    if (there === undefined) managers.push(withFields(one, difference(one.fields, path)));
    else {
      managers.push(one);
      left.delete(there);
    }
  }
  for (const one of left) managers.push({ ...one, apiVersion, fields: path, entry: undefined });
  return encodeManagers(managers);
}

function isSamePerson(a: Manager, b: Manager): boolean {
  return a.manager === b.manager && a.operation === b.operation && a.subresource === b.subresource;
}

/** `path` holds one leaf: it is owned when taking the manager's fields away leaves nothing of it. */
function owns({ fields }: Manager, path: FieldSet): boolean {
  return isEmptySet(difference(path, fields));
}

/** `.spec.replicas` → the set of that one field. */
function pathSet(path: string): FieldSet {
  return path
    .replace(/^\./, '')
    .split('.')
    .reduceRight<FieldSet>((below, name) => ({ [fieldElement(name)]: below }), leaf);
}
