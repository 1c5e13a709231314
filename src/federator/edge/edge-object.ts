import { copyAnnotations, edgeAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { appliedFieldsOf } from '../downsync/managed-trie.ts';
import { interned } from '../interned.ts';
import { originKeyOf } from '../origin.ts';
import { fieldsDigestOf } from './fields-digest.ts';

/** Field manager of everything that a federator writes at an edge, and onto copies. */
export const edgeFieldManager = 'cellplane-federator';

/** What a federator remembers of an object at the edge: a few hundred bytes, whatever the object's size. */
export interface EdgeObject extends KubeObject {
  contentHash: string;
  /** Hash over the fields that we own there; changes when anybody takes one from us. Empty: we never applied it. */
  fieldsHash: string;
  /** originKeyOf; empty for what is no copy. */
  origin: string;
  /** uid of the Cell that it was synced for. */
  cellUid: string;
  /** Revision of the copy that was applied last; 0 where it does not say, or too large for a number. */
  copyRevision?: number;
  deleting: boolean;
  deletionPolicy: string;
  /**
   * What is wrong although the edge has it: what a cell workspace of another control plane says of it, why its own edge has it
   * not (decision 118); why a definition is not established.
   */
  farError?: string;
}

/** Why the edge does not serve what a CRD defines, as a sync error; undefined: it does, or has not said so yet. */
function establishingError(object: KubeObject): string | undefined {
  if (object.kind !== 'CustomResourceDefinition' || !object.apiVersion.startsWith('apiextensions.k8s.io/'))
    return undefined;
  const status = isJsonObject(object['status']) ? object['status'] : {};
  const conditions = Array.isArray(status['conditions']) ? status['conditions'] : [];
  for (const condition of conditions) {
    if (!isJsonObject(condition)) continue;
    if (condition['type'] !== 'NamesAccepted' && condition['type'] !== 'NonStructuralSchema') continue;
    const bad = condition['type'] === 'NamesAccepted' ? 'False' : 'True';
    if (condition['status'] !== bad) continue;
    const { type, reason, message } = condition;
    return JSON.stringify({
      reason: type === 'NamesAccepted' ? 'NamesNotAccepted' : type,
      message: `the edge has not established the definition: ${String(message ?? reason ?? '')}`,
    });
  }
  return undefined;
}

/** Cuts an object from the edge down to what has to be remembered. */
export function edgeObjectOf(object: KubeObject): EdgeObject {
  const { metadata } = object;
  const annotations = metadata.annotations ?? {};
  const farError = annotations[syncAnnotations.syncError] ?? establishingError(object);
  return {
    apiVersion: interned(object.apiVersion),
    kind: interned(object.kind),
    metadata: {
      name: metadata.name ?? '',
      ...(metadata.namespace === undefined ? {} : { namespace: interned(metadata.namespace) }),
      uid: metadata.uid ?? '',
      resourceVersion: metadata.resourceVersion ?? '',
      ...(metadata.generation === undefined ? {} : { generation: metadata.generation }),
    },
    contentHash: annotations[copyAnnotations.contentHash] ?? '',
    fieldsHash: fieldsDigestOf(appliedFieldsOf(object, edgeFieldManager)),
    origin: originKeyOf(metadata) ?? '',
    cellUid: interned(annotations[edgeAnnotations.cellUid] ?? ''),
    copyRevision: revisionOf(annotations[edgeAnnotations.copyRevision]),
    deleting: metadata.deletionTimestamp !== undefined,
    deletionPolicy: annotations[copyAnnotations.deletionPolicy] ?? '',
    ...(farError === undefined ? {} : { farError }),
  };
}

function revisionOf(text = ''): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
