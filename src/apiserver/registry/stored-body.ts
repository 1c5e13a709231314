import { copyBytes } from '#apimachinery/copy-bytes.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KeyValue, Revision } from '#storage/storage.ts';
import { allocateBytes } from './byte-lots.ts';
import {
  apiVersionOffset,
  checkReadable,
  fieldSetsOf,
  flagEmptyMetadata,
  prefixBytes,
} from './stored-form.ts';

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

/** Like `metadataBodyOf`, parsed; the caller owns the result. */
export function metadataObjectOf(entry: KeyValue, revision: Revision = entry.revision): KubeObject {
  return JSON.parse(metadataBodyOf(entry, revision).toString('utf8')) as KubeObject;
}

const partialHead = '{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{';

function spliceText(value: Buffer, revision: Revision): string {
  return (value[1]! & flagEmptyMetadata) === 0
    ? `"resourceVersion":"${revision}",`
    : `"resourceVersion":"${revision}"`;
}
