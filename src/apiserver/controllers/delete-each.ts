import type { Guard, Revision, Storage, StorageKey } from '#storage/storage.ts';

/** Deletions under way at once: they share syncs, and none waits long for the others. */
const atOnceMax = 256;

/**
 * Deletes what still is at its revision, each in a transaction of its own: a watch that breaks between two events of one
 * revision is resumed behind both (KUBERNETES.md W2). `guards`: what must hold for every one. Returns whether all were
 * deleted; rejects with StorageError.
 */
export async function deleteEach(
  storage: Pick<Storage, 'transact'>,
  entries: readonly { readonly key: StorageKey; readonly revision: Revision }[],
  guards: readonly Guard[] = [],
): Promise<boolean> {
  let isWhole = true;
  for (let from = 0; from < entries.length; from += atOnceMax) {
    const results = await Promise.all(
      entries.slice(from, from + atOnceMax).map(({ key, revision }) =>
        storage.transact({
          guards: [...guards, { key, revision }],
          operations: [{ type: 'delete', key }],
        }),
      ),
    );
    isWhole &&= results.every(({ committed }) => committed);
  }
  return isWhole;
}
