import type { Clock } from '#apimachinery/clock.ts';
import { StorageError } from '../errors.ts';
import { compareKeys } from '../key-order.ts';
import type { Guard, Operation, Revision, StorageKey, Transaction, TransactionResult } from '../storage.ts';
import { ArenaPool } from './arena.ts';
import {
  CommitGroup,
  type GroupEvent,
  type Mutable,
  type Standing,
  type WriteOutcome,
} from './commit-group.ts';
import type { LevelDatabase } from './database.ts';
import { pointerKey } from './key-codec.ts';
import { encodeHead, type Head, headKey } from './meta.ts';
import { decodePointer, type Pointer } from './pointer.ts';
import { type Job, type Pruning, type Waiting, WaitingWrites } from './waiting-writes.ts';

/** One LevelDB batch gathers at most this much, save for a single larger transaction. */
const groupBytesMax = 8 * 1024 * 1024;
/** What an operation takes beside key and value. */
const operationOverheadBytes = 128;

export interface GroupCommitOptions {
  readonly database: LevelDatabase;
  readonly head: Head;
  readonly clock: Clock;
  /** False only in tests that show what sync is for. */
  readonly sync: boolean;
  /** Where a key stands on disk, if that is known without reading: with its LevelDB key. */
  recall(key: StorageKey): Recalled | undefined;
  /**
   * The group is on disk. Called in order; the writers of the group are answered when the promise is done, or at once
   * if there is none.
   */
  onCommitted(group: CommittedGroup): Promise<void> | undefined;
  /** The answer to a transaction of which a guard did not hold. */
  refused(transaction: Transaction, failedGuard: Guard): Promise<TransactionResult>;
  /** A batch failed: nothing is written any more until `restart`. */
  onFailed(error: unknown): void;
}

export interface Recalled {
  /** `k<key>`. */
  readonly keyBytes: Buffer;
  /** Undefined: there is none. */
  readonly pointer: Pointer | undefined;
}

export interface CommittedGroup {
  readonly head: Head;
  readonly timeMs: number;
  /** One element a revision. */
  readonly revisions: readonly (readonly GroupEvent[])[];
}

/**
 * Group commit. Transactions gather in the open group while the group before it is being synced; guards see the
 * committed state, the flying group and the open one. Where the keys stand is mostly known (`recall`); else reading it,
 * for all waiting transactions at once, is the only asynchronous step of gathering.
 *
 *     submit → waiting ── recall or getMany ──▶ open group ── batch, sync ──▶ flying ──▶ committed: events, then answers
 *
 * A group that need not wait for another is sealed at the end of the event loop's turn: what comes in one turn shares
 * one sync.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #database: LevelDatabase;
  /** The head after the open group. */
  readonly #next: Mutable<Head>;
  #timeMs = 0;
  readonly #waiting = new WaitingWrites();
  #preparing: readonly Waiting[] = [];
  readonly #arenas = new ArenaPool();
  #open = new CommitGroup(this.#arenas);
  #flying: CommitGroup | undefined;
  /** Resolves when the flying group has landed or failed. */
  #landing: Promise<void> | undefined;
  /** Groups that landed while standings were being read, youngest first: those reads may be older, theirs count. */
  #landedMeanwhile: CommitGroup[] = [];
  #failed = false;
  #sealing: NodeJS.Immediate | undefined;
  #idle: (() => void)[] = [];

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#database = options.database;
    this.#next = { ...options.head };
  }

  /** Settles when the group being written is; undefined when none is. Never rejects. */
  get landing(): Promise<void> | undefined {
    return this.#landing;
  }

  /** `bytes`: keys and values, for the bounds. Throws `outcome-unknown` or `unavailable`, and what `refused` throws. */
  submit(transaction: Transaction, bytes: number): Promise<TransactionResult> {
    const overhead = transaction.operations.length * operationOverheadBytes;
    return this.#enqueue({ type: 'transaction', transaction }, bytes + overhead);
  }

  /** Makes `revision` the compacted one, if it is newer than that. */
  async compact(revision: Revision): Promise<void> {
    await this.#enqueue({ type: 'compact', revision }, 0);
  }

  async prune(pruning: Pruning): Promise<void> {
    const deletes = pruning.recordKeys.length + pruning.deleted.length;
    await this.#enqueue({ type: 'prune', pruning }, deletes * operationOverheadBytes);
  }

  /** Resolves when nothing is waiting or being written. */
  idle(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Goes on after a failure, on a database opened and verified anew. */
  restart(database: LevelDatabase, head: Head): void {
    this.#database = database;
    Object.assign(this.#next, head);
    this.#failed = false;
  }

  #enqueue(job: Job, bytes: number): Promise<TransactionResult> {
    if (this.#failed) {
      return Promise.reject(
        new StorageError('unavailable', 'the store is being reopened after a failed write'),
      );
    }
    const refusal = this.#waiting.refusal(bytes);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { job, bytes, resolve, reject };
      if (this.#gatherAtOnce(waiting)) return;
      this.#waiting.push(waiting);
      this.#prepare();
    });
  }

  #isIdle(): boolean {
    const isGathered = this.#open.answers.length === 0 && this.#flying === undefined;
    return isGathered && this.#waiting.size === 0 && this.#preparing.length === 0;
  }

  /** The short way of nearly every write: one key, of which is known where it stands, and nobody before it. */
  #gatherAtOnce(waiting: Waiting): boolean {
    if (this.#waiting.size > 0 || this.#preparing.length > 0) return false;
    if (this.#open.bytes >= groupBytesMax || waiting.job.type !== 'transaction') return false;
    const { transaction } = waiting.job;
    const key = onlyKeyOf(transaction);
    if (key === undefined) return false;
    const standing = this.#written(key) ?? this.#options.recall(key);
    if (standing === undefined) return false;
    this.#applyTransaction(waiting, transaction, () => standing);
    this.#sealSoon();
    return true;
  }

  #prepare(): void {
    if (this.#failed || this.#preparing.length > 0 || this.#waiting.size === 0) return;
    if (this.#open.bytes >= groupBytesMax) return;
    const taken = this.#waiting.take(groupBytesMax - this.#open.bytes);
    this.#preparing = taken;
    const standings = new Map<StorageKey, Standing>();
    const unknown = this.#recall(taken, standings);
    if (unknown.size === 0) this.#gather(taken, standings);
    else this.#read([...unknown], taken, standings);
  }

  #read(
    unknown: readonly StorageKey[],
    taken: readonly Waiting[],
    standings: Map<StorageKey, Standing>,
  ): void {
    const keys = unknown.map(pointerKey);
    this.#database.getMany(keys).then(
      (found) => {
        if (this.#preparing !== taken) return;
        try {
          for (const [index, key] of unknown.entries()) {
            const keyBytes = keys[index] as Buffer;
            const bytes = found[index];
            const pointer = bytes === undefined ? undefined : decodePointer(keyBytes, bytes);
            standings.set(key, { keyBytes, pointer });
          }
        } catch (error) {
          this.#refuse(taken, error);
          return;
        }
        this.#gather(taken, standings);
      },
      (error) => {
        if (this.#preparing === taken) this.#refuse(taken, error);
      },
    );
  }

  /** Fills in what is known of the keys that the jobs touch; returns those that must be read. */
  #recall(taken: readonly Waiting[], standings: Map<StorageKey, Standing>): Set<StorageKey> {
    const unknown = new Set<StorageKey>();
    const look = (key: StorageKey): void => {
      if (standings.has(key) || this.#written(key) !== undefined) return;
      const recalled = this.#options.recall(key);
      if (recalled === undefined) unknown.add(key);
      else standings.set(key, recalled);
    };
    for (const { job } of taken) {
      if (job.type === 'compact') continue;
      if (job.type === 'transaction') for (const { key } of job.transaction.guards) look(key);
      const touched = job.type === 'transaction' ? job.transaction.operations : job.pruning.deleted;
      for (const { key } of touched) look(key);
    }
    return unknown;
  }

  /** Surely not written: a standing could not be read. */
  #refuse(taken: readonly Waiting[], cause: unknown): void {
    const error =
      cause instanceof StorageError
        ? cause
        : new StorageError('unavailable', 'the store could not be read', {}, cause);
    for (const waiting of taken) waiting.reject(error);
    this.#prepared();
  }

  #gather(taken: readonly Waiting[], standings: ReadonlyMap<StorageKey, Standing>): void {
    for (const waiting of taken) this.#apply(waiting, standings);
    this.#prepared();
  }

  #prepared(): void {
    this.#preparing = [];
    this.#landedMeanwhile = [];
    this.#sealSoon();
    this.#prepare();
    this.#reportIdle();
  }

  /** Where a key stands after the groups that reads do not show. */
  #written(key: StorageKey): Standing | undefined {
    const standing = this.#open.standings.get(key) ?? this.#flying?.standings.get(key);
    if (standing !== undefined || this.#landedMeanwhile.length === 0) return standing;
    return this.#landedMeanwhile.find(({ standings }) => standings.has(key))?.standings.get(key);
  }

  #apply(waiting: Waiting, standings: ReadonlyMap<StorageKey, Standing>): void {
    const { job } = waiting;
    const standingOf = (key: StorageKey): Standing => this.#written(key) ?? (standings.get(key) as Standing);
    switch (job.type) {
      case 'transaction':
        this.#applyTransaction(waiting, job.transaction, standingOf);
        return;
      case 'compact':
        if (job.revision > this.#next.compacted) this.#next.compacted = job.revision;
        break;
      case 'prune':
        this.#open.prune(job.pruning, standingOf);
        if (job.pruning.upTo > this.#next.pruned) this.#next.pruned = job.pruning.upTo;
        break;
    }
    this.#open.answers.push({ waiting, outcome: { committed: true, revision: this.#next.revision } });
  }

  #applyTransaction(
    waiting: Waiting,
    { guards, operations }: Transaction,
    standingOf: (key: StorageKey) => Standing,
  ): void {
    for (const guard of guards) {
      const { pointer, group } = standingOf(guard.key);
      const revision = pointer?.present ? pointer.revision : 0;
      if (revision !== guard.revision) {
        this.#answerAfter(group, { committed: false, failedGuard: guard }, waiting);
        return;
      }
    }
    const effective: { readonly operation: Operation; readonly standing: Standing }[] = [];
    for (const operation of operations) {
      const standing = standingOf(operation.key);
      if (operation.type === 'put' || standing.pointer?.present) effective.push({ operation, standing });
    }
    if (effective.length === 0) {
      const revision = this.#next.revision;
      this.#answerAfter(this.#youngest(), { committed: true, revision }, waiting);
      return;
    }
    if (effective.length > 1) {
      effective.sort((left, right) => compareKeys(left.operation.key, right.operation.key));
    }
    const revision = (this.#next.revision + 1) as Revision;
    const timeMs = this.#now();
    const events: GroupEvent[] = [];
    const count = effective.length;
    for (const { operation, standing } of effective) {
      const at = { revision, timeMs, index: events.length, count };
      events.push(this.#open.write(this.#next, operation, standing, at));
    }
    this.#next.revision = revision;
    this.#open.revisions.push(events);
    this.#open.bytes += waiting.bytes;
    this.#open.answers.push({ waiting, outcome: { committed: true, revision } });
  }

  /** Answers when the group that was looked at is on disk: now, if it is, or if nothing uncommitted was seen. */
  #answerAfter(group: CommitGroup | undefined, outcome: WriteOutcome, waiting: Waiting): void {
    if (group === undefined || group.landed) this.#answer(outcome, waiting);
    else group.answers.push({ outcome, waiting });
  }

  /** The youngest group not yet on disk, whose revision `#next` tells. */
  #youngest(): CommitGroup | undefined {
    return this.#open.revisions.length > 0 ? this.#open : this.#flying;
  }

  #now(): number {
    this.#timeMs = Math.max(this.#timeMs, this.#options.clock.now());
    return this.#timeMs;
  }

  #sealSoon(): void {
    if (this.#sealing !== undefined || this.#flying !== undefined || this.#open.answers.length === 0) return;
    this.#sealing = setImmediate(() => {
      this.#sealing = undefined;
      this.#seal();
      // Some may have waited for room in the group.
      this.#prepare();
    });
  }

  #seal(): void {
    const group = this.#open;
    if (group.answers.length === 0 || this.#flying !== undefined || this.#failed) return;
    this.#open = new CommitGroup(this.#arenas);
    this.#flying = group;
    const head: Head = { ...this.#next };
    group.writes.push({ type: 'put', key: headKey, value: encodeHead(head) });
    this.#landing = this.#database.batch(group.writes, { sync: this.#options.sync }).then(
      () => this.#landed(group, head),
      (error) => this.#fail(error),
    );
    group.arena.release();
  }

  #landed(group: CommitGroup, head: Head): void {
    group.landed = true;
    this.#flying = undefined;
    this.#landing = undefined;
    if (this.#preparing.length > 0) this.#landedMeanwhile.unshift(group);
    const delivered = this.#options.onCommitted({ head, timeMs: this.#timeMs, revisions: group.revisions });
    if (delivered === undefined) this.#answerAll(group);
    else void delivered.then(() => this.#answerAll(group));
    this.#seal();
    this.#prepare();
    this.#reportIdle();
  }

  #answerAll(group: CommitGroup): void {
    for (const { outcome, waiting } of group.answers) this.#answer(outcome, waiting);
  }

  #answer(outcome: WriteOutcome, { job, resolve }: Waiting): void {
    if (outcome.committed) resolve(outcome);
    else if (job.type === 'transaction') resolve(this.#options.refused(job.transaction, outcome.failedGuard));
  }

  /** LevelDB is never written on after an error: it would acknowledge writes that the next open loses. */
  #fail(cause: unknown): void {
    const error = new StorageError(
      'outcome-unknown',
      'the write failed, it may or may not be stored',
      {},
      cause,
    );
    const groups = this.#flying === undefined ? [this.#open] : [this.#flying, this.#open];
    const waiting = [...this.#preparing, ...this.#waiting.takeAll()];
    this.#failed = true;
    this.#flying = undefined;
    this.#landing = undefined;
    this.#open = new CommitGroup(this.#arenas);
    this.#preparing = [];
    this.#landedMeanwhile = [];
    for (const group of groups) for (const { waiting } of group.answers) waiting.reject(error);
    for (const { reject } of waiting) reject(error);
    this.#reportIdle();
    this.#options.onFailed(cause);
  }

  #reportIdle(): void {
    if (this.#idle.length === 0 || !this.#isIdle()) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}

/** The key, if there is one operation, and no guard on another key. */
function onlyKeyOf({ guards, operations }: Transaction): StorageKey | undefined {
  const key = operations[0]?.key;
  if (operations.length !== 1 || guards.length > 1) return undefined;
  return guards.length === 0 || guards[0]?.key === key ? key : undefined;
}
