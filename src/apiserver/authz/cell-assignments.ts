import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import type { Logger } from '#client/logger.ts';
import type { CachedStorage, CacheEntry } from '#storage/cached-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import { rangePrefix } from '#storage/keys.ts';
import type { StorageKey } from '#storage/storage.ts';
import { cellOfEntry } from '../registry/cell-of-entry.ts';

/** Who holds which cell, as the component authorizer asks. */
export interface CellAssignments {
  /** The federator that the cell is assigned to now. */
  federatorOf(cellName: string): string | undefined;
  /** Whether a cell held by this federator names the Secret (in `root:cells`) as its credentials. */
  holdsSecret(federator: string, namespace: string, name: string): boolean;
}

interface Assignment {
  readonly name: string;
  readonly federator: string | undefined;
  /** `namespace/name` */
  readonly secret: string | undefined;
}

/**
 * The assignments written on Cells (`status.assignment`, by the server's assignment controller alone), read once and
 * then followed by one watch. Bounded by the number of Cells.
 */
export class CellAssignmentIndex implements CellAssignments {
  readonly #cache: CachedStorage;
  readonly #prefix: string;
  readonly #logger: Logger;
  readonly #byKey = new Map<StorageKey, Assignment>();
  readonly #byName = new Map<string, Assignment>();
  readonly #bySecret = new Map<string, Set<Assignment>>();
  #watch: { close(): void } | undefined;
  #running = false;

  /** `cellsClusterId`: the id of the workspace `root:cells`; Cells in other workspaces assign nothing. */
  constructor(cache: CachedStorage, cellsClusterId: string, logger: Logger) {
    this.#cache = cache;
    this.#prefix = rangePrefix(cellsGvr, cellsClusterId);
    this.#logger = logger;
  }

  /** Idempotent. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#load();
  }

  /** Idempotent. Afterwards nothing is assigned. */
  stop(): void {
    this.#running = false;
    this.#clear();
  }

  federatorOf(cellName: string): string | undefined {
    return this.#byName.get(cellName)?.federator;
  }

  holdsSecret(federator: string, namespace: string, name: string): boolean {
    for (const assignment of this.#bySecret.get(`${namespace}/${name}`) ?? []) {
      if (assignment.federator === federator) return true;
    }
    return false;
  }

  #load(): void {
    const snapshot = this.#cache.snapshot(this.#prefix);
    for (const entry of snapshot.entries()) this.#put(entry);
    this.#watch = this.#cache.watchCache(this.#prefix, snapshot.revision, {
      events: (events) => {
        for (const { key, entry } of events) {
          if (entry === undefined) this.#remove(key);
          else this.#put(entry);
        }
      },
      end: (error) => {
        if (!this.#running) return;
        this.#clear();
        if (isStorageError(error, 'closed')) this.#running = false;
        else {
          this.#logger.warn({ err: error }, 'watch on cells ended; reading them anew');
          this.#load();
        }
      },
    });
  }

  #clear(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#byKey.clear();
    this.#byName.clear();
    this.#bySecret.clear();
  }

  #put(entry: CacheEntry): void {
    this.#remove(entry.key);
    let cell: Cell;
    try {
      cell = cellOfEntry(entry);
    } catch (error) {
      this.#logger.error({ key: entry.key, err: error }, 'unreadable Cell ignored');
      return;
    }
    const { spec, status, metadata } = cell;
    const secret = spec?.secretRef;
    const assignment: Assignment = {
      name: metadata.name ?? '',
      federator: status?.assignment?.federator || undefined,
      secret: secret === undefined ? undefined : `${secret.namespace}/${secret.name}`,
    };
    this.#byKey.set(entry.key, assignment);
    this.#byName.set(assignment.name, assignment);
    if (assignment.secret !== undefined) {
      const sharing = this.#bySecret.get(assignment.secret) ?? new Set();
      this.#bySecret.set(assignment.secret, sharing.add(assignment));
    }
  }

  #remove(key: StorageKey): void {
    const old = this.#byKey.get(key);
    if (old === undefined) return;
    this.#byKey.delete(key);
    this.#byName.delete(old.name);
    if (old.secret === undefined) return;
    const sharing = this.#bySecret.get(old.secret);
    if (sharing?.delete(old) && sharing.size === 0) this.#bySecret.delete(old.secret);
  }
}
