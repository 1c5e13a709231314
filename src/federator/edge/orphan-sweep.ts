import { copyLabels } from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeClient } from '#client/client.ts';
import { listPages } from '#client/list-pages.ts';
import type { Logger } from '#client/logger.ts';
import { type CopyKey, parseCopyKey } from '../cell/copy-keys.ts';
import { appliedVersionOf } from '../downsync/managed-trie.ts';
import type { ServedKinds } from './edge-kinds.ts';
import type { EdgeMirror } from './edge-mirror.ts';
import { edgeFieldManager, edgeObjectOf } from './edge-object.ts';
import type { ServedKind } from './served-kind.ts';

export interface OrphanSweepOptions {
  readonly edgeClient: KubeClient;
  readonly kinds: ServedKinds;
  readonly mirror: EdgeMirror;
  readonly copyKeys: () => Iterable<CopyKey>;
  readonly cellUid: () => string;
  /** Resolves when the cell has nothing else to do, or has had its time. */
  readonly quiet: (signal: AbortSignal) => Promise<void>;
  readonly logger: Logger;
}

const pageSize = 250;
/** Never copies, and many at most edges (docs/copies.md, What does not travel). */
const neverSwept: ReadonlySet<string> = new Set([
  '/events',
  'events.k8s.io/events',
  'coordination.k8s.io/leases',
]);

/**
 * Looks through the kinds at an edge of which no copy is known, hence which nobody watches, for objects that we applied: what
 * is left when copies went while no federator looked. A kind in which there is one is watched from then on, so that the
 * object gets the same decision as any other without a copy (DESIGN.md, Deletion fails closed); the sweep itself decides
 * nothing. One request at a time, metadata alone.
 */
export class OrphanSweep {
  readonly #options: OrphanSweepOptions;

  constructor(options: OrphanSweepOptions) {
    this.#options = options;
  }

  /** Returns how many kinds are watched on account of it. Throws ApiError when the edge cannot be asked. */
  async run(signal: AbortSignal): Promise<number> {
    const { kinds, mirror, quiet, logger } = this.#options;
    await kinds.refresh();
    let found = 0;
    // Kinds of which there are copies are watched, or will be in a moment.
    const looked = kindsOf(this.#options.copyKeys());
    for (const kind of [...kinds.values()]) {
      const { group, resource } = kind;
      const id = `${group}/${resource}`;
      // Any one version shows the objects of all.
      if (
        !kind.isSyncable ||
        neverSwept.has(id) ||
        looked.has(id) ||
        mirror.kindOf(group, resource) !== undefined
      )
        continue;
      looked.add(id);
      await quiet(signal);
      signal.throwIfAborted();
      const version = await this.#firstOrphan(kind, signal);
      if (version === undefined) continue;
      found++;
      const applied = kinds.peek(group, version, resource) ?? kind;
      logger.info({ group, resource, version: applied.version }, 'objects without a copy are at the edge');
      await mirror.ensure(applied);
    }
    return found;
  }

  /** The version in which the first object without a copy was applied; undefined when there is none. */
  async #firstOrphan(kind: ServedKind, signal: AbortSignal): Promise<string | undefined> {
    const { group, version, resource } = kind;
    const collection = { cluster: undefined, gvr: { group, version, resource } };
    // From the server's cache: what is found is looked at again by whoever decides.
    const resourceVersion = '0';
    const labelSelector = copyLabels.originCluster;
    const options = { metadataOnly: true, labelSelector, limit: pageSize, resourceVersion, signal };
    try {
      for await (const page of listPages(this.#options.edgeClient, collection, options)) {
        for (const object of page.items) {
          const applied = appliedVersionOf(object, edgeFieldManager);
          // The same object may be served in another group as well: that one is looked at there.
          if (applied?.group !== group) continue;
          const edge = edgeObjectOf(object);
          if (edge.deletionPolicy !== 'Orphan' && edge.cellUid === this.#options.cellUid()) {
            return applied.version;
          }
        }
      }
    } catch (error) {
      // Not listed, or not for us: nothing of ours can be seen there.
      if (!isApiError(error, 'NotFound', 'Forbidden', 'MethodNotAllowed', 'Gone', 'Expired')) throw error;
    }
    return undefined;
  }
}

/** `<group>/<resource>` of all of them. */
function kindsOf(keys: Iterable<CopyKey>): Set<string> {
  const kinds = new Set<string>();
  let last = '';
  for (const key of keys) {
    // They come in runs of one kind.
    if (last !== '' && key.startsWith(last)) continue;
    last = key.slice(0, key.indexOf('|') + 1);
    const { group, resource } = parseCopyKey(key);
    kinds.add(`${group}/${resource}`);
  }
  return kinds;
}
