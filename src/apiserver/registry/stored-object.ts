import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeObject, ManagedFieldsEntry, ObjectMeta, OwnerReference } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { KeyValue, Revision } from '#storage/storage.ts';
import type { FieldSet } from '../apply/field-set.ts';
import { textOfShape } from '../apply/field-shapes.ts';
import { selectableFieldsOf } from './selectable-fields.ts';

/**
 * The stored form of an object: a fixed prefix, a compact header, and the object's JSON in its storage version, encoded
 * once and without resourceVersion:
 *
 *     0   u8      format, 1
 *     1   u8      flags: what the header holds
 *     2   u16     bytes of apiVersion (it stands at the body's offset 15, right after `{"apiVersion":"`)
 *     4   u32 LE  bytes of the header, H
 *     8   u32 LE  splice: offset in the body right after `"metadata":{`
 *     12  u32 LE  end of metadata in the body, after its `}`
 *     16  H       header, JSON
 *     16+H        body: {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x",…},"spec":…}
 *
 * A GET inserts `"resourceVersion":"N",` at the splice; PartialObjectMetadata is a slice of the body; selectors and
 * garbage collection read the header alone.
 */
const formatVersion = 1;
const prefixBytes = 16;
const apiVersionOffset = '{"apiVersion":"'.length;

const flagLabels = 1;
const flagOwnerReferences = 2;
const flagFinalizers = 4;
const flagDeletionTimestamp = 8;
const flagFields = 16;
/** Metadata is `{}`: the splice must not end in a comma. */
const flagEmptyMetadata = 32;

const noLabels: { readonly [key: string]: string } = Object.freeze({});
const noFields: { readonly [label: string]: string } = Object.freeze({});
const noOwners: readonly OwnerReference[] = Object.freeze([]);
const noFinalizers: readonly string[] = Object.freeze([]);

/** What selectors, watches and garbage collection need of an object. Shared with the cache: never change it. */
export interface StoredHeader {
  readonly uid: string;
  readonly labels: { readonly [key: string]: string };
  readonly ownerReferences: readonly OwnerReference[];
  readonly finalizers: readonly string[];
  /** Undefined while nobody asked for deletion. */
  readonly deletionTimestamp: string | undefined;
  /** Selectable fields beyond metadata.name and metadata.namespace, by label (KUBERNETES.md L5). */
  readonly fields: { readonly [label: string]: string };
}

/** The header's JSON: short keys, absent when empty. */
interface HeaderJson {
  u?: string;
  l?: { [key: string]: string };
  o?: OwnerReference[];
  f?: string[];
  d?: string;
  s?: { [label: string]: string };
  /** Which schema defaults the body has, as a hash. */
  m?: string;
}

/**
 * Encodes an object that stands in its definition's storage version. `metadata.resourceVersion` is left out whatever it
 * says; the object is not changed. `defaults` tells which schema defaults have been applied (`defaultsMark`), so that
 * reads need not apply them again.
 */
export function encodeStored(object: KubeObject, definition: ResourceDefinition, defaults = ''): Buffer {
  const { apiVersion, kind, metadata } = object;
  const metadataJson = metadataText(metadata);
  const head = `{"apiVersion":${JSON.stringify(apiVersion)},"kind":${JSON.stringify(kind)},"metadata":`;
  let tail = '';
  for (const key in object) {
    if (key === 'apiVersion' || key === 'kind' || key === 'metadata') continue;
    tail += memberText(key, object[key], ',');
  }
  tail += '}';

  let flags = metadataJson === '{}' ? flagEmptyMetadata : 0;
  const header: HeaderJson = {};
  if (metadata.uid !== undefined) header.u = metadata.uid;
  if (hasKeys(metadata.labels)) {
    header.l = metadata.labels;
    flags |= flagLabels;
  }
  if (metadata.ownerReferences !== undefined && metadata.ownerReferences.length > 0) {
    header.o = metadata.ownerReferences;
    flags |= flagOwnerReferences;
  }
  if (metadata.finalizers !== undefined && metadata.finalizers.length > 0) {
    header.f = metadata.finalizers;
    flags |= flagFinalizers;
  }
  if (metadata.deletionTimestamp !== undefined) {
    header.d = metadata.deletionTimestamp;
    flags |= flagDeletionTimestamp;
  }
  const fields = selectableFieldsOf(object, definition);
  if (fields !== undefined) {
    header.s = fields;
    flags |= flagFields;
  }
  if (defaults !== '') header.m = defaults;
  const headerJson = JSON.stringify(header);

  const text = `${headerJson}${head}${metadataJson}${tail}`;
  const textBytes = Buffer.byteLength(text);
  const isAscii = textBytes === text.length;
  const headerBytes = isAscii ? headerJson.length : Buffer.byteLength(headerJson);
  const headBytes = isAscii ? head.length : Buffer.byteLength(head);
  const metadataBytes = isAscii ? metadataJson.length : Buffer.byteLength(metadataJson);
  const value = Buffer.allocUnsafe(prefixBytes + textBytes);
  value[0] = formatVersion;
  value[1] = flags;
  value.writeUInt16LE(Buffer.byteLength(apiVersion), 2);
  value.writeUInt32LE(headerBytes, 4);
  value.writeUInt32LE(headBytes + 1, 8);
  value.writeUInt32LE(headBytes + metadataBytes, 12);
  value.write(text, prefixBytes, isAscii ? 'latin1' : 'utf8');
  return value;
}

/** Metadata without resourceVersion. managedFields are half of it, and their text is mostly known (field-shapes.ts). */
function metadataText(metadata: ObjectMeta): string {
  let text = '{';
  for (const key in metadata) {
    if (key === 'resourceVersion') continue;
    const separator = text === '{' ? '' : ',';
    if (key === 'managedFields' && metadata.managedFields !== undefined) {
      text += `${separator}"managedFields":[${metadata.managedFields.map(managerText).join(',')}]`;
    } else {
      text += memberText(key, metadata[key], separator);
    }
  }
  return `${text}}`;
}

function memberText(key: string, value: JsonValue | undefined, separator: string): string {
  return value === undefined ? '' : `${separator}${JSON.stringify(key)}:${JSON.stringify(value)}`;
}

function managerText(entry: ManagedFieldsEntry): string {
  const { fieldsV1 } = entry;
  const fields = fieldsV1 === undefined ? undefined : textOfShape(fieldsV1 as FieldSet);
  if (fields === undefined) return JSON.stringify(entry);
  let text = '{';
  for (const key in entry) {
    const separator = text === '{' ? '' : ',';
    if (key === 'fieldsV1') text += `${separator}"fieldsV1":${fields}`;
    else text += memberText(key, entry[key], separator);
  }
  return `${text}}`;
}

/** The header, parsed at first use and kept in the entry's memo. */
export function headerOf(entry: CacheEntry): StoredHeader {
  if (entry.memo instanceof ParsedHeader) return entry.memo;
  const header = new ParsedHeader(entry.value);
  entry.memo = header;
  return header;
}

/** The mark that was given to `encodeStored`; '' when none. */
export function defaultsOf(entry: CacheEntry): string {
  return (headerOf(entry) as ParsedHeader).defaults;
}

/** Whether a stored value bears the mark without parsing its header. */
export function hasDeletionTimestamp(entry: KeyValue): boolean {
  return (entry.value[1]! & flagDeletionTimestamp) !== 0;
}

export function hasOwnerReferences(entry: KeyValue): boolean {
  return (entry.value[1]! & flagOwnerReferences) !== 0;
}

export function hasLabels(entry: KeyValue): boolean {
  return (entry.value[1]! & flagLabels) !== 0;
}

/** The whole object, freshly parsed, in its storage version; the caller owns it. `revision` overrides the entry's own. */
export function objectOf(entry: KeyValue, revision: Revision = entry.revision): KubeObject {
  const { value } = entry;
  checkFormat(value);
  const body = value.toString('utf8', prefixBytes + value.readUInt32LE(4));
  const object = JSON.parse(body) as KubeObject;
  object.metadata.resourceVersion = String(revision);
  return object;
}

/** `apps/v1`: the version that the body stands in. It may differ from the definition's after a storage-version change. */
export function storedApiVersionOf(entry: KeyValue): string {
  const { value } = entry;
  const start = prefixBytes + value.readUInt32LE(4) + apiVersionOffset;
  return value.toString('latin1', start, start + value.readUInt16LE(2));
}

/**
 * The object's JSON with its resourceVersion. `revision` is what to show instead of the entry's own (a DELETED event
 * shows the deleting write's, W3); `apiVersion` replaces the stored one where versions differ in nothing else.
 */
export function bodyOf(entry: KeyValue, revision: Revision = entry.revision, apiVersion?: string): Buffer {
  const { value } = entry;
  checkFormat(value);
  const bodyStart = prefixBytes + value.readUInt32LE(4);
  const splice = bodyStart + value.readUInt32LE(8);
  const version = spliceText(value, revision);
  let from = bodyStart;
  let lead = '';
  if (apiVersion !== undefined) {
    from = bodyStart + apiVersionOffset + value.readUInt16LE(2);
    lead = `{"apiVersion":"${apiVersion}`;
  }
  const body = Buffer.allocUnsafe(lead.length + value.length - from + version.length);
  let offset = lead === '' ? 0 : body.write(lead, 0, 'latin1');
  offset += value.copy(body, offset, from, splice);
  offset += body.write(version, offset, 'latin1');
  value.copy(body, offset, splice);
  return body;
}

/** The object as meta.k8s.io/v1 PartialObjectMetadata (N4), made from a slice of the stored bytes. */
export function metadataBodyOf(entry: KeyValue, revision: Revision = entry.revision): Buffer {
  const { value } = entry;
  checkFormat(value);
  const bodyStart = prefixBytes + value.readUInt32LE(4);
  const splice = bodyStart + value.readUInt32LE(8);
  const end = bodyStart + value.readUInt32LE(12);
  const version = spliceText(value, revision);
  const body = Buffer.allocUnsafe(partialHead.length + version.length + (end - splice) + 1);
  let offset = body.write(partialHead, 0, 'latin1');
  offset += body.write(version, offset, 'latin1');
  offset += value.copy(body, offset, splice, end);
  body[offset] = 0x7d;
  return body;
}

/** Like `metadataBodyOf`, parsed; the caller owns the result. */
export function metadataObjectOf(entry: KeyValue, revision: Revision = entry.revision): KubeObject {
  return JSON.parse(metadataBodyOf(entry, revision).toString('utf8')) as KubeObject;
}

/** An entry for a value that did not come out of the cache. */
export function entryOf(item: KeyValue): CacheEntry {
  return { key: item.key, value: item.value, revision: item.revision, memo: undefined };
}

const partialHead = '{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{';

class ParsedHeader implements StoredHeader {
  readonly uid: string;
  readonly labels: { readonly [key: string]: string };
  readonly ownerReferences: readonly OwnerReference[];
  readonly finalizers: readonly string[];
  readonly deletionTimestamp: string | undefined;
  readonly fields: { readonly [label: string]: string };
  readonly defaults: string;

  constructor(value: Buffer) {
    checkFormat(value);
    const json = JSON.parse(
      value.toString('utf8', prefixBytes, prefixBytes + value.readUInt32LE(4)),
    ) as HeaderJson;
    this.uid = json.u ?? '';
    this.labels = json.l ?? noLabels;
    this.ownerReferences = json.o ?? noOwners;
    this.finalizers = json.f ?? noFinalizers;
    this.deletionTimestamp = json.d;
    this.fields = json.s ?? noFields;
    this.defaults = json.m ?? '';
  }
}

function spliceText(value: Buffer, revision: Revision): string {
  return (value[1]! & flagEmptyMetadata) === 0
    ? `"resourceVersion":"${revision}",`
    : `"resourceVersion":"${revision}"`;
}

function checkFormat(value: Buffer): void {
  if (value[0] !== formatVersion) {
    throw new RangeError(`stored object has format ${value[0]}, this version reads ${formatVersion}`);
  }
}

function hasKeys(map: JsonObject | undefined): boolean {
  if (map === undefined) return false;
  for (const _ in map) return true;
  return false;
}
