import { ApiError } from '#apimachinery/api-error.ts';
import type { OwnerReference } from '#apimachinery/object.ts';

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
export const formatVersion = 1;
export const prefixBytes = 16;
export const apiVersionOffset = '{"apiVersion":"'.length;

export const flagLabels = 1;
export const flagOwnerReferences = 2;
export const flagFinalizers = 4;
export const flagDeletionTimestamp = 8;
export const flagFields = 16;
/** Metadata is `{}`: the splice must not end in a comma. */
export const flagEmptyMetadata = 32;
/** Stands for a value that cannot be decrypted: it has a name and nothing else. Only in memory. */
export const flagUnreadable = 64;
/** Sealed with a key that is no longer the one to write with. Only in memory. */
export const flagStale = 128;

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
export interface HeaderJson {
  /** Starts and ends of the values of fieldsV1 in the body; absent when the body is not ASCII. Must come first. */
  g?: number[];
  u?: string;
  l?: { [key: string]: string };
  o?: readonly OwnerReference[];
  f?: readonly string[];
  d?: string;
  s?: { [label: string]: string };
  /** Which schema the body fits, as a hash. */
  m?: string;
}

/** `{"g":[` */
const fieldSetsLead = Buffer.from('{"g":[');
const bracketClose = 0x5d;
const digitZero = 0x30;
const digitNine = 0x39;

/** Where the field sets of an ASCII body lie; undefined when the header does not tell. */
export function fieldSetsOf(value: Buffer): number[] | undefined {
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

/** As `checkFormat`; throws ApiError for a value that could not be opened. */
export function checkReadable(value: Buffer): void {
  checkFormat(value);
  if ((value[1]! & flagUnreadable) === 0) return;
  const { e } = JSON.parse(value.toString('utf8', prefixBytes, prefixBytes + value.readUInt32LE(4))) as {
    e: string;
  };
  throw new ApiError('InternalError', `Internal error occurred: ${e}`);
}

export function checkFormat(value: Buffer): void {
  if (value[0] !== formatVersion) {
    throw new RangeError(`stored object has format ${value[0]}, this version reads ${formatVersion}`);
  }
}
