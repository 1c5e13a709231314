import { createHash } from 'node:crypto';
import { copyAnnotations } from '#api/federation/copy-contract.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { appliedFieldsOf } from '../downsync/managed-trie.ts';

/** Field manager of everything that a federator writes at an edge. */
export const edgeFieldManager = 'cellplane-federator';

/** What a federator remembers of an object at the edge: a few hundred bytes, whatever the object's size. */
export interface EdgeObject extends KubeObject {
  contentHash: string;
  /** Hash over the fields that we own there; changes when anybody takes one from us. */
  fieldsHash: string;
  /** Hash over the status; empty when there is none. */
  statusHash: string;
  deleting: boolean;
  deletionPolicy: string;
}

export function shortHash(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return '';
  return createHash('sha1').update(JSON.stringify(value)).digest('base64').slice(0, 16);
}

/** Cuts an object from the edge's watch down to what has to be remembered. */
export function edgeObjectOf(object: KubeObject): EdgeObject {
  const { metadata } = object;
  const annotations = metadata.annotations ?? {};
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: {
      name: metadata.name ?? '',
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      uid: metadata.uid ?? '',
      resourceVersion: metadata.resourceVersion ?? '',
      ...(metadata.generation === undefined ? {} : { generation: metadata.generation }),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
    },
    contentHash: annotations[copyAnnotations.contentHash] ?? '',
    fieldsHash: shortHash(appliedFieldsOf(object, edgeFieldManager)),
    statusHash: shortHash(object['status']),
    deleting: metadata.deletionTimestamp !== undefined,
    deletionPolicy: annotations[copyAnnotations.deletionPolicy] ?? '',
  };
}
