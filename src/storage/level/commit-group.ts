import type { Guard, Operation, Revision, StorageEvent, StorageKey } from '../storage.ts';
import { Arena, type ArenaPool } from './arena.ts';
import type { LevelWrite } from './database.ts';
import { recordKey } from './key-codec.ts';
import type { Head } from './meta.ts';
import { encodePointer, type Pointer } from './pointer.ts';
import { encodeRecord } from './record.ts';
import type { Pruning, Waiting } from './waiting-writes.ts';

export type WriteOutcome =
  | { readonly committed: true; readonly revision: Revision }
  | { readonly committed: false; readonly failedGuard: Guard };

/** An event of a sealed group; `link` is the revision of the value that stood there before, which was not read. */
export interface GroupEvent extends StorageEvent {
  readonly previous: undefined;
  readonly link: Revision | undefined;
}

/** Where a key stands for the next transaction, with the key's LevelDB key; `group` when not yet on disk. */
export interface Standing {
  readonly keyBytes: Buffer;
  readonly pointer: Pointer | undefined;
  readonly group?: CommitGroup | undefined;
}

export type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Which write of a transaction it is. */
interface WriteAt {
  readonly revision: Revision;
  readonly timeMs: number;
  readonly index: number;
  readonly count: number;
}

/** What goes to LevelDB in one batch, with who is answered when it is there. */
export class CommitGroup {
  readonly arena: Arena;
  readonly writes: LevelWrite[] = [];
  readonly revisions: GroupEvent[][] = [];
  /** Where the group leaves the keys that it writes. */
  readonly standings = new Map<StorageKey, Standing>();
  readonly answers: { readonly outcome: WriteOutcome; readonly waiting: Waiting }[] = [];
  bytes = 0;
  landed = false;
  readonly #allocate: (bytes: number) => Buffer;

  constructor(arenas: ArenaPool) {
    const arena = new Arena(arenas);
    this.arena = arena;
    this.#allocate = (bytes) => arena.allocate(bytes);
  }

  /** Adds a record and its key's pointer; `head` counts them. */
  write(head: Mutable<Head>, operation: Operation, { keyBytes, pointer }: Standing, at: WriteAt): GroupEvent {
    const { key, type } = operation;
    const value = operation.type === 'put' ? operation.value : undefined;
    const recordKeyBytes = recordKey(at.revision, key);
    const link = pointer?.revision ?? (0 as Revision);
    const linkDeleted = pointer !== undefined && !pointer.present;
    const header = { type, link, linkDeleted, timeMs: at.timeMs, index: at.index, count: at.count };
    const next = encodePointer(keyBytes, at.revision, type === 'put');
    this.writes.push(
      {
        type: 'put',
        key: recordKeyBytes,
        value: encodeRecord(recordKeyBytes, header, value, this.#allocate),
      },
      { type: 'put', key: keyBytes, value: next.bytes },
    );
    count(head, pointer, next.pointer);
    this.standings.set(key, { keyBytes, pointer: next.pointer, group: this });
    return {
      type,
      key,
      revision: at.revision,
      value,
      previous: undefined,
      link: pointer?.present ? link : undefined,
    };
  }

  prune({ recordKeys, deleted }: Pruning, standingOf: (key: StorageKey) => Standing): void {
    for (const key of recordKeys) this.writes.push({ type: 'del', key });
    for (const { key, revision } of deleted) {
      const standing = standingOf(key);
      if (standing.pointer?.revision !== revision || standing.pointer.present) continue;
      this.writes.push({ type: 'del', key: standing.keyBytes });
      this.standings.set(key, { keyBytes: standing.keyBytes, pointer: undefined, group: this });
    }
  }
}

/** How many values there are, and the sum of their checksums. */
function count(head: Mutable<Head>, before: Pointer | undefined, after: Pointer): void {
  let { count, sum } = head;
  if (before?.present) {
    count--;
    sum -= before.checksum;
  }
  if (after.present) {
    count++;
    sum += after.checksum;
  }
  head.count = count;
  head.sum = sum >>> 0;
}
