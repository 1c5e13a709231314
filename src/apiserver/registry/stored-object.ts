import { ApiError } from '#apimachinery/api-error.ts';
import { copyBytes } from '#apimachinery/copy-bytes.ts';
import { formatGroupResource } from '#apimachinery/gvk.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject, ManagedFieldsEntry, ObjectMeta, OwnerReference } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { KeyValue, Revision, StorageKey } from '#storage/storage.ts';
import type { FieldSet } from '../apply/field-set.ts';
import { fieldSetOfText, textOfFieldSet } from '../apply/field-shapes.ts';
import { allocateBytes } from './byte-lots.ts';
import { selectableFieldsOf } from './selectable-fields.ts';
import { clusterAnnotation } from './target.ts';

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
 * The header tells first where the body's field sets lie: `{"g":[310,2201],…`. They are half of most bodies, and the
 * same for most objects of a kind, so that they are parsed once a text (field-shapes.ts), not once an object.
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
/** Stands for a value that cannot be decrypted: it has a name and nothing else. Only in memory. */
const flagUnreadable = 64;
/** Sealed with a key that is no longer the one to write with. Only in memory. */
const flagStale = 128;

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
  /** Starts and ends of the values of fieldsV1 in the body; absent when the body is not ASCII. Must come first. */
  g?: number[];
  u?: string;
  l?: { [key: string]: string };
  o?: readonly OwnerReference[];
  f?: readonly string[];
  d?: string;
  s?: { [label: string]: string };
  /** Which schema defaults the body has, as a hash. */
  m?: string;
}

/**
 * Encodes an object that stands in its definition's storage version. `metadata.resourceVersion` is left out whatever it
 * says; the object is not changed. `defaults` tells which schema defaults have been applied (`defaultsMark`), so that
 * reads need not apply them again. With a `clusterId` the body bears the annotation that tells it.
 */
export function encodeStored(
  object: KubeObject,
  definition: ResourceDefinition,
  defaults = '',
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
    defaults,
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
  defaults: string,
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
  if (defaults !== '') header.m = defaults;
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
  const isLatin1 = isAscii && headerBytes === headerJson.length;
  value.write(`${headerJson}${body}`, prefixBytes, isLatin1 ? 'latin1' : 'utf8');
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
  const { resourceVersion: _, managedFields, ...plain } = metadata;
  if (clusterId !== undefined) plain.annotations = { ...plain.annotations, [clusterAnnotation]: clusterId };
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
 * What stands in memory for a stored value that cannot be opened: selectors and garbage collection see an object
 * without anything, and whoever wants its content gets an error that names it (KUBERNETES.md O5).
 */
export function unreadableValue(key: StorageKey, why: string): Buffer {
  const [, head = '', resource = '', , namespace = '', name = ''] = key.split('/');
  const what = formatGroupResource({ group: head === 'core' ? '' : head, resource });
  const where = namespace === '' ? '' : ` in namespace "${namespace}"`;
  const header = JSON.stringify({ e: `${what} "${name}"${where} cannot be read: ${why}` });
  const body = '{"apiVersion":"v1","kind":"Unreadable","metadata":{}}';
  const value = Buffer.alloc(prefixBytes + Buffer.byteLength(header) + body.length);
  value[0] = formatVersion;
  value[1] = flagUnreadable | flagEmptyMetadata;
  value.writeUInt16LE(2, 2);
  value.writeUInt32LE(Buffer.byteLength(header), 4);
  value.writeUInt32LE(body.length - 2, 8);
  value.writeUInt32LE(body.length - 1, 12);
  value.write(header, prefixBytes);
  value.write(body, value.length - body.length);
  return value;
}

/** The value with a mark that it is to be written again even when nothing changes; a copy, for it may be shared. */
export function markStale(value: Buffer): Buffer {
  if (value[0] !== formatVersion) return value;
  const marked = Buffer.from(value);
  marked[1]! |= flagStale;
  return marked;
}

export function isMarkedStale(entry: KeyValue): boolean {
  return (entry.value[1]! & flagStale) !== 0;
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

/**
 * The whole object, freshly parsed, in its storage version; the caller owns it, but for the values of fieldsV1, which are
 * shared and frozen. `revision` overrides the entry's own.
 */
export function objectOf(entry: KeyValue, revision: Revision = entry.revision): KubeObject {
  const { value } = entry;
  checkReadable(value);
  const bodyStart = prefixBytes + value.readUInt32LE(4);
  const fieldSets = fieldSetsOf(value);
  const object =
    fieldSets === undefined
      ? (JSON.parse(value.toString('utf8', bodyStart)) as KubeObject)
      : parseWithout(value.toString('latin1', bodyStart), fieldSets);
  object.metadata.resourceVersion = String(revision);
  return object;
}

/**
 * Only `apiVersion`, `kind` and `metadata` of what `objectOf` gives, and a function that gives the rest: for those who seldom
 * want it.
 */
export function headOf(entry: KeyValue): { readonly head: KubeObject; readonly rest: () => JsonObject } {
  const { value } = entry;
  checkReadable(value);
  const bodyStart = prefixBytes + value.readUInt32LE(4);
  const metadataEnd = bodyStart + value.readUInt32LE(12);
  const fieldSets = fieldSetsOf(value);
  const encoding = fieldSets === undefined ? 'utf8' : 'latin1';
  const text = `${value.toString(encoding, bodyStart, metadataEnd)}}`;
  const head = fieldSets === undefined ? (JSON.parse(text) as KubeObject) : parseWithout(text, fieldSets);
  head.metadata.resourceVersion = String(entry.revision);
  return {
    head,
    rest: () => {
      // What follows metadata begins with a comma, or is the end.
      const tail = value.toString(encoding, metadataEnd + 1);
      return tail === '' ? {} : (JSON.parse(`{${tail}`) as JsonObject);
    },
  };
}

/** `{"g":[` */
const fieldSetsLead = Buffer.from('{"g":[');
const bracketClose = 0x5d;
const digitZero = 0x30;
const digitNine = 0x39;

/** Where the field sets of an ASCII body lie; undefined when the header does not tell. */
function fieldSetsOf(value: Buffer): number[] | undefined {
  for (let index = 0; index < fieldSetsLead.length; index++) {
    if (value[prefixBytes + index] !== fieldSetsLead[index]) return undefined;
  }
  const places: number[] = [];
  let number = 0;
  for (let at = prefixBytes + fieldSetsLead.length; ; at++) {
    const byte = value[at] as number;
    if (byte >= digitZero && byte <= digitNine) {
      number = number * 10 + byte - digitZero;
      continue;
    }
    places.push(number);
    number = 0;
    if (byte === bracketClose) return places;
  }
}

/** Parses a body whose field sets are looked up by their text. */
function parseWithout(body: string, fieldSets: readonly number[]): KubeObject {
  let text = '';
  let from = 0;
  for (let index = 0; index < fieldSets.length; index += 2) {
    text += `${body.slice(from, fieldSets[index])}0`;
    from = fieldSets[index + 1] as number;
  }
  const object = JSON.parse(text + body.slice(from)) as KubeObject;
  let next = 0;
  for (const entry of object.metadata.managedFields ?? []) {
    if (entry.fieldsV1 === undefined) continue;
    entry.fieldsV1 = fieldSetOfText(body.slice(fieldSets[next], fieldSets[next + 1])) as JsonObject;
    next += 2;
  }
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
  checkReadable(value);
  const bodyStart = prefixBytes + value.readUInt32LE(4);
  const splice = bodyStart + value.readUInt32LE(8);
  const version = spliceText(value, revision);
  let from = bodyStart;
  let lead = '';
  if (apiVersion !== undefined) {
    from = bodyStart + apiVersionOffset + value.readUInt16LE(2);
    lead = `{"apiVersion":"${apiVersion}`;
  }
  const body = allocateBytes(lead.length + value.length - from + version.length);
  let offset = lead === '' ? 0 : body.write(lead, 0, 'latin1');
  offset += copyBytes(value.subarray(from, splice), body, offset);
  offset += body.write(version, offset, 'latin1');
  copyBytes(value.subarray(splice), body, offset);
  return body;
}

/** The object as meta.k8s.io/v1 PartialObjectMetadata (N4), made from a slice of the stored bytes. */
export function metadataBodyOf(entry: KeyValue, revision: Revision = entry.revision): Buffer {
  const { value } = entry;
  checkReadable(value);
  const bodyStart = prefixBytes + value.readUInt32LE(4);
  const splice = bodyStart + value.readUInt32LE(8);
  const end = bodyStart + value.readUInt32LE(12);
  const version = spliceText(value, revision);
  const body = allocateBytes(partialHead.length + version.length + (end - splice) + 1);
  let offset = body.write(partialHead, 0, 'latin1');
  offset += body.write(version, offset, 'latin1');
  offset += copyBytes(value.subarray(splice, end), body, offset);
  body[offset] = 0x7d;
  return body;
}

const managedFieldsLead = '"managedFields":[';
/** What follows the last manager's field set where managedFields are the last of metadata, as `metadataText` puts them. */
const managedFieldsEnd = '}]}';
const comma = 0x2c;

/**
 * Like `metadataBodyOf`, without managedFields, which are half of it and more. They are the last of metadata, behind the
 * place where the first field set tells to look; what does not lie so is parsed.
 */
export function leanMetadataBodyOf(entry: KeyValue, revision: Revision = entry.revision): Buffer {
  const { value } = entry;
  checkReadable(value);
  const bodyStart = prefixBytes + value.readUInt32LE(4);
  const splice = bodyStart + value.readUInt32LE(8);
  const end = bodyStart + value.readUInt32LE(12);
  const cut = managedFieldsStart(value, bodyStart, end);
  if (cut === undefined) {
    const object = metadataObjectOf(entry, revision);
    delete object.metadata.managedFields;
    return Buffer.from(JSON.stringify(object));
  }
  const version = cut === splice ? `"resourceVersion":"${revision}"` : `"resourceVersion":"${revision}",`;
  const body = allocateBytes(partialHead.length + version.length + (cut - splice) + 2);
  let offset = body.write(partialHead, 0, 'latin1');
  offset += body.write(version, offset, 'latin1');
  offset += copyBytes(value.subarray(splice, cut), body, offset);
  body[offset] = 0x7d;
  body[offset + 1] = 0x7d;
  return body;
}

/**
 * Where managedFields begin, with the comma before them; undefined when they are not the last of metadata, or not where the
 * first field set tells to look.
 */
function managedFieldsStart(value: Buffer, bodyStart: number, metadataEnd: number): number | undefined {
  const fieldSets = fieldSetsOf(value);
  if (fieldSets === undefined || bodyStart + fieldSets.at(-1)! + managedFieldsEnd.length !== metadataEnd)
    return undefined;
  // Texts before it have their quotes escaped: no other place reads like this.
  const from = value.lastIndexOf(managedFieldsLead, bodyStart + fieldSets[0]!, 'latin1');
  return value[from - 1] === comma ? from - 1 : from;
}

/** The texts of a stored object without managedFields and resourceVersion; `{head}{metadata}{rest}` is its JSON. */
export interface LeanTexts {
  /** Up to the value of metadata: `{"apiVersion":"v1","kind":"ConfigMap","metadata":`. */
  readonly head: string;
  readonly metadata: string;
  /** All that follows metadata, with the brace that ends the object. */
  readonly rest: () => string;
}

/**
 * Undefined where managedFields cannot be cut out of the bytes, which is told apart as in `leanMetadataBodyOf`, and where
 * there are none.
 */
export function leanTextsOf({ value }: KeyValue): LeanTexts | undefined {
  checkReadable(value);
  const bodyStart = prefixBytes + value.readUInt32LE(4);
  const splice = bodyStart + value.readUInt32LE(8);
  const end = bodyStart + value.readUInt32LE(12);
  const cut = managedFieldsStart(value, bodyStart, end);
  if (cut === undefined) return undefined;
  // Field sets are noted of ASCII bodies alone: each byte is a character.
  return {
    head: value.toString('latin1', bodyStart, splice - 1),
    metadata: `${value.toString('latin1', splice - 1, cut)}}`,
    rest: () => value.toString('latin1', end),
  };
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

/** As `checkFormat`; throws ApiError for a value that could not be opened. */
function checkReadable(value: Buffer): void {
  checkFormat(value);
  if ((value[1]! & flagUnreadable) === 0) return;
  const { e } = JSON.parse(value.toString('utf8', prefixBytes, prefixBytes + value.readUInt32LE(4))) as {
    e: string;
  };
  throw new ApiError('InternalError', `Internal error occurred: ${e}`);
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
