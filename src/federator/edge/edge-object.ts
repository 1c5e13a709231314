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

/** What no copy is longer than: the names of all kinds together, and each text that says what it is of. */
const nameLengthMax = 2_048;
const textLengthMax = 512;
const farErrorLengthMax = 2_048;

/** Whether an object's place is so long that it can be none of ours: what is remembered of each has to stay small. */
export function isTooLong({
  metadata: { name = '', namespace = '', uid = '', resourceVersion = '' },
}: KubeObject): boolean {
  return name.length + namespace.length + String(uid).length + resourceVersion.length > nameLengthMax;
}

/** Nothing that we write there is longer. */
function bounded(text = ''): string {
  return text.length > textLengthMax ? '' : text;
}

/** Names like the object's own. */
function boundedOrigin(origin = ''): string {
  return origin.length > nameLengthMax ? '' : origin;
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
    apiVersion: interned(bounded(object.apiVersion)),
    kind: interned(bounded(object.kind)),
    metadata: {
      name: metadata.name ?? '',
      ...(metadata.namespace === undefined ? {} : { namespace: interned(metadata.namespace) }),
      uid: metadata.uid ?? '',
      resourceVersion: metadata.resourceVersion ?? '',
      ...(typeof metadata.generation === 'number' ? { generation: metadata.generation } : {}),
    },
    contentHash: bounded(annotations[copyAnnotations.contentHash]),
    fieldsHash: fieldsDigestOf(appliedFieldsOf(object, edgeFieldManager)),
    origin: boundedOrigin(originKeyOf(metadata)),
    cellUid: interned(bounded(annotations[edgeAnnotations.cellUid])),
    copyRevision: revisionOf(annotations[edgeAnnotations.copyRevision]),
    deleting: metadata.deletionTimestamp !== undefined,
    deletionPolicy: interned(bounded(annotations[copyAnnotations.deletionPolicy])),
    ...(farError === undefined ? {} : { farError: farError.slice(0, farErrorLengthMax) }),
  };
}

function revisionOf(text = ''): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
