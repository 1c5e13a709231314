import { copyAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CellWorkspace } from '../cell/cell-workspace.ts';
import type { CopyKey, CopyPlace } from '../cell/copy-keys.ts';

export interface SyncError {
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
}

/** When a note may be written; undefined: at once. */
export type NoteTurn = () => Promise<void> | undefined;

interface Noted {
  readonly text: string;
  /** The copy's revision when we wrote; while we see no other, our own note stands on it unseen. */
  readonly overRevision: string;
  readonly atMs: number;
  /** How often in a row the same failure was told in other words. */
  readonly rewordings: number;
}

const messageLengthMax = 1_024;
/**
 * A failure that is the same but for its words is told anew at once this often, for more may have been found out; who
 * names a time or a request in each refusal is told anew no sooner than `rewordedAfterMs`.
 */
const rewordingsAtOnceMax = 3;
const rewordedAfterMs = 30_000;

/** Says on a copy what became of it at the edge; no request when it says so already. */
export class CopyNotes {
  readonly #workspace: CellWorkspace;
  readonly #clock: Clock;
  readonly #noted = new Map<CopyKey, Noted>();

  constructor(workspace: CellWorkspace, clock: Clock) {
    this.#workspace = workspace;
    this.#clock = clock;
  }

  /** The edge has the copy's content. `error`: what is wrong all the same. `turn`: asked if there is anything to write. */
  async synced(
    target: { readonly key: CopyKey; readonly place: CopyPlace; readonly copy: KubeObject },
    fieldsHash: string,
    error: 'none' | 'keep' | SyncError,
    signal: AbortSignal,
    turn?: NoteTurn,
  ): Promise<void> {
    const wanted: { [key: string]: string | null } = {
      [syncAnnotations.syncedHash]: target.copy.metadata.annotations?.[copyAnnotations.contentHash] ?? '',
      [syncAnnotations.syncedFields]: fieldsHash,
    };
    if (error === 'none') wanted[syncAnnotations.syncError] = null;
    else if (error !== 'keep') wanted[syncAnnotations.syncError] = textOf(error);
    await this.#write(target, wanted, signal, { turn });
  }

  /** Whether the copy says already that the edge has its content, and that nothing is wrong: no note is due then. */
  saysSynced({ metadata: { annotations = {} } }: KubeObject, fieldsHash: string): boolean {
    return (
      annotations[syncAnnotations.syncedHash] === (annotations[copyAnnotations.contentHash] ?? '') &&
      annotations[syncAnnotations.syncedFields] === fieldsHash &&
      annotations[syncAnnotations.syncError] === undefined
    );
  }

  /** The edge had the copy, in whatever content, and has nothing of it any more; `error`: why it does not come back. */
  async gone(
    target: { readonly key: CopyKey; readonly place: CopyPlace; readonly copy: KubeObject },
    error: SyncError,
    signal: AbortSignal,
  ): Promise<void> {
    const { syncError, syncedHash, syncedFields } = syncAnnotations;
    const wanted = { [syncError]: textOf(error), [syncedHash]: null, [syncedFields]: null };
    await this.#write(target, wanted, signal);
  }

  async failed(
    target: { readonly key: CopyKey; readonly place: CopyPlace; readonly copy: KubeObject },
    error: SyncError,
    signal: AbortSignal,
  ): Promise<void> {
    const noted = this.#noted.get(target.key);
    const isReworded = noted !== undefined && syncErrorOf(target.copy).reason === error.reason;
    const isTooSoon =
      isReworded &&
      noted.rewordings >= rewordingsAtOnceMax &&
      noted.atMs + rewordedAfterMs > this.#clock.monotonic();
    if (isTooSoon) return;
    const rewordings = isReworded ? noted.rewordings + 1 : 0;
    await this.#write(target, { [syncAnnotations.syncError]: textOf(error) }, signal, { rewordings });
  }

  forget(key: CopyKey): void {
    this.#noted.delete(key);
  }

  async #write(
    { key, place, copy }: { readonly key: CopyKey; readonly place: CopyPlace; readonly copy: KubeObject },
    wanted: { [key: string]: string | null },
    signal: AbortSignal,
    { rewordings = 0, turn }: { readonly rewordings?: number; readonly turn?: NoteTurn | undefined } = {},
  ): Promise<void> {
    const present = copy.metadata.annotations ?? {};
    const differs = Object.entries(wanted).some(([name, value]) => (present[name] ?? null) !== value);
    if (!differs) {
      this.#noted.delete(key);
      return;
    }
    const text = JSON.stringify(wanted);
    const overRevision = copy.metadata.resourceVersion ?? '';
    const noted = this.#noted.get(key);
    if (noted?.text === text && noted.overRevision === overRevision) return;
    const waiting = turn?.();
    if (waiting !== undefined) await waiting;
    await this.#workspace.annotate(place, wanted, signal);
    this.#noted.set(key, { text, overRevision, atMs: this.#clock.monotonic(), rewordings });
  }
}

function textOf({ reason, message }: SyncError): string {
  return JSON.stringify({ reason, message: message.slice(0, messageLengthMax) });
}

/** What stands on the copy as its sync error. */
export function syncErrorOf(copy: KubeObject): Partial<SyncError> {
  const text = copy.metadata.annotations?.[syncAnnotations.syncError];
  return text === undefined ? {} : parseSyncError(text);
}

/** As one syncer reads what another has written. */
export function parseSyncError(text: string): Partial<SyncError> {
  try {
    const parsed = JSON.parse(text) as Partial<SyncError> | null;
    return parsed ?? {};
  } catch {
    return { message: text };
  }
}
