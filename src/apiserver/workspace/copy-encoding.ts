import { type Copy, type CopyTarget, copyDefinition, copyName } from '#api/federation/copy.ts';
import { copyAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import { federationGroup, federationVersion } from '#api/federation/group.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import type { KeyParts } from '#storage/keys.ts';
import { encodeStored, encodeTexts } from '../registry/encode-stored.ts';
import { leanTextsOf, storedApiVersionOf } from '../registry/stored-body.ts';
import type { StoredHeader } from '../registry/stored-form.ts';
import { hasDeletionTimestamp, hasOwnerReferences, headerOf, headOf } from '../registry/stored-object.ts';

/** A copy that takes more stored bytes is read by who wants it: its event must not burden every watcher. */
const toldObjectBytesMax = 64 * 1024;
const apiVersion = `${federationGroup}/${federationVersion}`;
const { kind } = copyDefinition;

/** The Copy of a stored copy, in the form in which objects are stored. `withObject`: with the copy itself where it is told. */
export function encodeCopy(entry: CacheEntry, place: KeyParts, withObject: boolean): Buffer {
  return splicedCopy(entry, place, withObject) ?? parsedCopy(entry, place, withObject);
}

function isTold({ value }: CacheEntry, { group, resource }: KeyParts): boolean {
  return value.length <= toldObjectBytesMax && !(group === '' && resource === 'secrets');
}

/**
 * Made of pieces of the stored text, without parsing it. Undefined for what does not lie as almost all copies do: ASCII,
 * without owners, the name first in metadata, and nothing escaped where it is looked at.
 */
export function splicedCopy(entry: CacheEntry, place: KeyParts, withObject: boolean): Buffer | undefined {
  if (hasOwnerReferences(entry)) return undefined;
  const texts = leanTextsOf(entry);
  if (texts === undefined) return undefined;
  const { head, metadata } = texts;
  const lead = `{"name":"${place.name}"`;
  const copyKind = kindIn(head);
  if (copyKind === undefined || !metadata.startsWith(lead)) return undefined;
  const header = headerOf(entry);
  const contentHash = annotationIn(metadata, header, copyAnnotations.contentHash);
  const syncedHash = annotationIn(metadata, header, syncAnnotations.syncedHash);
  if (contentHash === undefined || syncedHash === undefined) return undefined;
  const target = targetOf(place, storedApiVersionOf(entry), copyKind);
  let tail = `,"target":${JSON.stringify(target)},"contentHash":"${contentHash ?? ''}"`;
  // A syncer will want the whole: the edge is not known to have it.
  if (withObject && !hasDeletionTimestamp(entry) && contentHash !== syncedHash && isTold(entry, place)) {
    const version = `"resourceVersion":"${entry.revision}",`;
    tail += `,"object":${head}{${version}${metadata.slice(1)}${texts.rest()}`;
  }
  const name = JSON.stringify(copyName(place, place.name));
  const shown = `{"name":${name}${metadata.slice(lead.length)}`;
  return encodeTexts(apiVersion, kind, shown, tail, header);
}

const kindLead = '"kind":"';
const metadataLead = '","metadata":';

/** Undefined when it is not plain. */
function kindIn(head: string): string | undefined {
  const from = head.indexOf(kindLead);
  const found = head.slice(from + kindLead.length, -metadataLead.length);
  return from < 0 || found.includes('"') || found.includes('\\') ? undefined : found;
}

/** The value of an annotation; null when there is none; undefined when that cannot be told without parsing. */
function annotationIn(metadata: string, { labels }: StoredHeader, key: string): string | null | undefined {
  if (Object.hasOwn(labels, key)) return undefined;
  // Quotes within texts are escaped: this is the beginning of a member, and of none but an annotation's.
  const lead = `"${key}":"`;
  const at = metadata.indexOf(lead);
  if (at < 0) return null;
  const from = at + lead.length;
  const value = metadata.slice(from, metadata.indexOf('"', from));
  return value.includes('\\') ? undefined : value;
}

/** The same of what was parsed. */
export function parsedCopy(entry: CacheEntry, place: KeyParts, withObject: boolean): Buffer {
  const { head: original, rest } = headOf(entry);
  const { managedFields: _managed, ownerReferences: _owners, ...metadata } = original.metadata;
  const contentHash = metadata.annotations?.[copyAnnotations.contentHash];
  const copy: Copy = {
    apiVersion,
    kind,
    metadata: { ...metadata, name: copyName(place, place.name) },
    target: targetOf(place, original.apiVersion, original.kind),
    contentHash: contentHash ?? '',
  };
  const isAwaited =
    metadata.deletionTimestamp === undefined &&
    contentHash !== metadata.annotations?.[syncAnnotations.syncedHash];
  if (withObject && isAwaited && isTold(entry, place)) {
    const { managedFields: _fields, ...own } = original.metadata;
    copy.object = { ...original, metadata: own, ...rest() };
  }
  return encodeStored(copy, copyDefinition);
}

function targetOf(
  { group, resource, namespace, name }: KeyParts,
  storedVersion: string,
  copyKind: string,
): CopyTarget {
  return {
    group,
    version: parseApiVersion(storedVersion)?.version ?? '',
    resource,
    kind: copyKind,
    ...(namespace === '' ? {} : { namespace }),
    name,
  };
}
