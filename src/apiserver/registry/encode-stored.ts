import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject, ManagedFieldsEntry, ObjectMeta, OwnerReference } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { FieldSet } from '../apply/field-set.ts';
import { textOfFieldSet } from '../apply/field-shapes.ts';
import { allocateBytes } from './byte-lots.ts';
import { selectableFieldsOf } from './selectable-fields.ts';
import {
  flagDeletionTimestamp,
  flagEmptyMetadata,
  flagFields,
  flagFinalizers,
  flagLabels,
  flagOwnerReferences,
  formatVersion,
  type HeaderJson,
  prefixBytes,
  type StoredHeader,
} from './stored-form.ts';

/**
 * Encodes an object that stands in its definition's storage version. `metadata.resourceVersion` is left out whatever it
 * says; the object is not changed. `schemaMark` tells by which schema it was coerced and defaulted (`storageFormOf`), so that
 * reads need not apply them again. With a `clusterId` the body bears the annotation that tells it.
 */
export function encodeStored(
  object: KubeObject,
  definition: ResourceDefinition,
  schemaMark = '',
  clusterId?: string,
): Buffer {
  const { apiVersion, kind, metadata } = object;
  const head = headText(apiVersion, kind);
  const fieldSets: number[] = [];
  const metadataJson = metadataText(metadata, clusterId, head.length, fieldSets);
  let tail = '';
  for (const key in object) {
    if (key === 'apiVersion' || key === 'kind' || key === 'metadata') continue;
    const text = JSON.stringify(object[key]) as string | undefined;
    if (text !== undefined) tail += `${memberLead(key)}${text}`;
  }
  const fields = selectableFieldsOf(object, definition);
  return storedValue(
    { apiVersion, head, metadata: metadataJson, tail, fieldSets },
    metadata,
    fields,
    schemaMark,
  );
}

/** A body in pieces: what comes before the value of metadata, that value, and all behind it but the last brace. */
interface BodyTexts {
  readonly apiVersion: string;
  readonly head: string;
  readonly metadata: string;
  readonly tail: string;
  /** Where the values of fieldsV1 stand in the body, in characters. */
  readonly fieldSets: number[];
}

/** What the header tells of metadata. */
type Identity = Pick<ObjectMeta, 'uid' | 'labels' | 'deletionTimestamp'> & {
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
};

function storedValue(
  { apiVersion, head, metadata, tail, fieldSets }: BodyTexts,
  { uid, labels, ownerReferences, finalizers, deletionTimestamp }: Identity,
  fields: HeaderJson['s'],
  schemaMark: string,
): Buffer {
  const body = `${head}${metadata}${tail}}`;
  const bodyBytes = Buffer.byteLength(body);
  const isAscii = bodyBytes === body.length;

  let flags = metadata === '{}' ? flagEmptyMetadata : 0;
  const header: HeaderJson = {};
  if (isAscii && fieldSets.length > 0) header.g = fieldSets;
  if (uid !== undefined) header.u = uid;
  if (hasKeys(labels)) {
    header.l = labels;
    flags |= flagLabels;
  }
  if (ownerReferences !== undefined && ownerReferences.length > 0) {
    header.o = ownerReferences;
    flags |= flagOwnerReferences;
  }
  if (finalizers !== undefined && finalizers.length > 0) {
    header.f = finalizers;
    flags |= flagFinalizers;
  }
  if (deletionTimestamp !== undefined) {
    header.d = deletionTimestamp;
    flags |= flagDeletionTimestamp;
  }
  if (fields !== undefined) {
    header.s = fields;
    flags |= flagFields;
  }
  if (schemaMark !== '') header.m = schemaMark;
  const headerJson = JSON.stringify(header);

  const headerBytes = Buffer.byteLength(headerJson);
  const headBytes = isAscii ? head.length : Buffer.byteLength(head);
  const metadataBytes = isAscii ? metadata.length : Buffer.byteLength(metadata);
  const value = allocateBytes(prefixBytes + headerBytes + bodyBytes);
  value[0] = formatVersion;
  value[1] = flags;
  value.writeUInt16LE(isAscii ? apiVersion.length : Buffer.byteLength(apiVersion), 2);
  value.writeUInt32LE(headerBytes, 4);
  value.writeUInt32LE(headBytes + 1, 8);
  value.writeUInt32LE(headBytes + metadataBytes, 12);
  // One after the other: joined, all of it would be copied once more, and collected.
  value.write(headerJson, prefixBytes, headerBytes === headerJson.length ? 'latin1' : 'utf8');
  value.write(body, prefixBytes + headerBytes, isAscii ? 'latin1' : 'utf8');
  return value;
}

/** The last of a few: most objects in a row are of few kinds. */
let lastApiVersion = '';
let lastKind = '';
let lastHead = '';

/** What comes before the value of metadata. */
function headText(apiVersion: string, kind: string): string {
  if (apiVersion === lastApiVersion && kind === lastKind) return lastHead;
  lastHead = `{"apiVersion":${JSON.stringify(apiVersion)},"kind":${JSON.stringify(kind)},"metadata":`;
  lastApiVersion = apiVersion;
  lastKind = kind;
  return lastHead;
}

function memberLead(key: string): string {
  switch (key) {
    case 'data':
      return ',"data":';
    case 'spec':
      return ',"spec":';
    case 'status':
      return ',"status":';
    default:
      return `,${JSON.stringify(key)}:`;
  }
}

/**
 * Metadata without resourceVersion. managedFields are half of it, and their text is mostly known (field-shapes.ts).
 * `start`: where the text will stand in the body; `fieldSets` gets the places of the values of fieldsV1.
 */
function metadataText(
  metadata: ObjectMeta,
  clusterId: string | undefined,
  start: number,
  fieldSets: number[],
): string {
  const { managedFields } = metadata;
  // Written out: for rest and spread members V8 calls its runtime.
  const plain: ObjectMeta = {};
  for (const member in metadata)
    if (member !== 'resourceVersion' && member !== 'managedFields') plain[member] = metadata[member];
  if (clusterId !== undefined) plain.annotations = annotationsWith(metadata.annotations, clusterId);
  if (!Array.isArray(managedFields)) {
    return JSON.stringify(managedFields === undefined ? plain : { ...plain, managedFields });
  }
  // One call for all that is plain: each call, and each piece that is joined, costs more than what it writes.
  const text = JSON.stringify(plain);
  let all = `${text.slice(0, -1)}${text === '{}' ? '' : ','}"managedFields":[`;
  for (let index = 0; index < managedFields.length; index++) {
    if (index > 0) all += ',';
    all += managerText(managedFields[index] as ManagedFieldsEntry, start + all.length, fieldSets);
  }
  return `${all}]}`;
}

function annotationsWith(
  annotations: ObjectMeta['annotations'],
  clusterId: string,
): { [key: string]: string } {
  const all: { [key: string]: string } = {};
  for (const key in annotations) all[key] = annotations[key] as string;
  all[clusterAnnotation] = clusterId;
  return all;
}

function managerText(entry: ManagedFieldsEntry, start: number, fieldSets: number[]): string {
  const { fieldsV1 } = entry;
  if (!isJsonObject(fieldsV1)) return JSON.stringify(entry);
  const head = managerHead(entry);
  const fields = textOfFieldSet(fieldsV1 as FieldSet);
  const from = start + head.length;
  fieldSets.push(from, from + fields.length);
  return `${head}${fields}}`;
}

/** Of the last manager: its members but fieldsV1, and their text. */
let lastMembers: string[] = [];
let lastValues: JsonValue[] = [];
let lastManagerHead = '';

/** Up to the value of fieldsV1. What a client writes within a second begins alike: the last one is remembered. */
function managerHead(entry: ManagedFieldsEntry): string {
  let at = 0;
  for (const member in entry) {
    if (member === 'fieldsV1') continue;
    if (member !== lastMembers[at] || entry[member] !== lastValues[at]) return newManagerHead(entry);
    at++;
  }
  return at === lastMembers.length ? lastManagerHead : newManagerHead(entry);
}

function newManagerHead(entry: ManagedFieldsEntry): string {
  const { fieldsV1: _, ...plain } = entry;
  const text = JSON.stringify(plain);
  lastMembers = Object.keys(plain);
  lastValues = Object.values(plain) as JsonValue[];
  lastManagerHead = `${text.slice(0, -1)}${text === '{}' ? '' : ','}"fieldsV1":`;
  return lastManagerHead;
}

/**
 * The stored form of an object that is given as text, of a kind without selectable fields and without managedFields. `metadata`
 * is JSON without resourceVersion, `tail` all members behind it, each after its comma. `header`: what `metadata` says.
 */
export function encodeTexts(
  apiVersion: string,
  kind: string,
  metadata: string,
  tail: string,
  header: StoredHeader,
): Buffer {
  const head = headText(apiVersion, kind);
  return storedValue({ apiVersion, head, metadata, tail, fieldSets: [] }, header, undefined, '');
}

function hasKeys(map: JsonObject | undefined): boolean {
  if (map === undefined) return false;
  for (const _ in map) return true;
  return false;
}
