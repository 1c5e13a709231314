import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject, OwnerReference } from '#apimachinery/object.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { KeyValue, Revision } from '#storage/storage.ts';
import { fieldSetOfText } from '../apply/field-shapes.ts';
import {
  checkFormat,
  checkReadable,
  fieldSetsOf,
  flagDeletionTimestamp,
  flagLabels,
  flagOwnerReferences,
  type HeaderJson,
  prefixBytes,
  type StoredHeader,
} from './stored-form.ts';

/** The header, parsed at first use and kept in the entry's memo. */
export function headerOf(entry: CacheEntry): StoredHeader {
  if (entry.memo instanceof ParsedHeader) return entry.memo;
  const header = new ParsedHeader(entry.value);
  entry.memo = header;
  return header;
}

/** The mark that was given to `encodeStored`; '' when none. */
export function schemaMarkOf(entry: CacheEntry): string {
  return (headerOf(entry) as ParsedHeader).schemaMark;
}

/**
 * Takes the object, as it lies there, for one that was stored with this mark: whoever reads it next need not find out again.
 * In memory only, as long as the entry is; what lies in the store stays as it is.
 */
export function takeForMarked(entry: CacheEntry, mark: string): void {
  (headerOf(entry) as ParsedHeader).schemaMark = mark;
}

/** Whether the object has been compared with what the marked schema makes of it, and is another. */
export function isKnownToDiffer(entry: CacheEntry, mark: string): boolean {
  return (headerOf(entry) as ParsedHeader).differsFrom === mark;
}

export function noteDiffers(entry: CacheEntry, mark: string): void {
  (headerOf(entry) as ParsedHeader).differsFrom = mark;
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

/** An entry for a value that did not come out of the cache. */
export function entryOf(item: KeyValue): CacheEntry {
  return { key: item.key, value: item.value, revision: item.revision, memo: undefined };
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

const noLabels: { readonly [key: string]: string } = Object.freeze({});
const noFields: { readonly [label: string]: string } = Object.freeze({});
const noOwners: readonly OwnerReference[] = Object.freeze([]);
const noFinalizers: readonly string[] = Object.freeze([]);

class ParsedHeader implements StoredHeader {
  readonly uid: string;
  readonly labels: { readonly [key: string]: string };
  readonly ownerReferences: readonly OwnerReference[];
  readonly finalizers: readonly string[];
  readonly deletionTimestamp: string | undefined;
  readonly fields: { readonly [label: string]: string };
  schemaMark: string;
  /** The last mark whose schema makes something else of the object. */
  differsFrom: string | undefined;

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
    this.schemaMark = json.m ?? '';
  }
}
