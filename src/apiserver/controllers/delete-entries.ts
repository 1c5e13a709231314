import { isApiError } from '#apimachinery/api-error.ts';
import type { CacheEntry } from '#storage/cached-storage.ts';
import { parseObjectKey } from '#storage/keys.ts';
import { clusterOf } from '../registry/key-parts.ts';
import { hasDeletionTimestamp, headerOf } from '../registry/stored-object.ts';
import type { ClusterId } from '../workspace/workspace.ts';
import type { ControllerContext } from './controller.ts';

/** Deletions through the API under way at once in one call. */
const deletionsMax = 32;

/**
 * Asks the API for the deletion of objects as they were seen; those that are being deleted already, are gone or have
 * changed since are left to the next look. Returns the entries of kinds that are not served any more.
 */
export async function deleteEntries(
  context: ControllerContext,
  entries: readonly CacheEntry[],
  signal: AbortSignal,
): Promise<CacheEntry[]> {
  const todo = entries.filter((entry) => !hasDeletionTimestamp(entry));
  const unserved: CacheEntry[] = [];
  let next = 0;
  const work = async () => {
    for (let entry = todo[next++]; entry !== undefined && !signal.aborted; entry = todo[next++]) {
      if (!(await deleteEntry(context, entry, signal))) unserved.push(entry);
    }
  };
  await Promise.all(Array.from({ length: Math.min(deletionsMax, todo.length) }, work));
  return unserved;
}

async function deleteEntry(
  { index, client }: ControllerContext,
  entry: CacheEntry,
  signal: AbortSignal,
): Promise<boolean> {
  const { group, resource, namespace, name } = parseObjectKey(entry.key);
  const cluster = clusterOf(entry.key);
  const definition = index.byId(cluster as ClusterId)?.scheme.definitionOf(group, resource);
  const version = definition?.versions.find((one) => one.served)?.version;
  if (version === undefined) return false;
  const ref = {
    cluster,
    gvr: { group, version, resource },
    namespace: namespace === '' ? undefined : namespace,
    name,
  };
  const preconditions = { uid: headerOf(entry).uid, resourceVersion: String(entry.revision) };
  await orRaced(client.delete(ref, { preconditions, propagationPolicy: 'Background', signal }));
  return true;
}

/** For writes that carry what they were decided from: gone already, or changed since, is for the next look. */
export async function orRaced(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
  }
}
