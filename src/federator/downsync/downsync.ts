import { deletionHeldReason, syncAnnotations } from '#api/federation/copy-contract.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CopyKey } from '../cell/copy-keys.ts';
import type { EdgeObject } from '../edge/edge-object.ts';
import type { ServedKind } from '../edge/served-kind.ts';
import { Applier } from './applier.ts';
import { ContainerGates, containersOf } from './container-gates.ts';
import { CopyNotes, type SyncError } from './copy-notes.ts';
import { type ApplyReason, decideDownsync, syncedFieldsOf } from './decide.ts';
import { KnownEdge } from './known-edge.ts';
import { isWithdrawing, type SyncContext } from './sync-context.ts';
import { present, type SyncItem, type SyncOutcome } from './sync-item.ts';
import { isHeld, Withdrawer } from './withdrawer.ts';

/** Longer than most deletions need to be answered. */
const goingRecheckMs = 500;

/** Carries copies to one edge: decides what each needs, and has it applied, repaired, deleted or let go. */
export class Downsync {
  readonly #context: SyncContext;
  readonly #notes: CopyNotes;
  readonly #known: KnownEdge;
  readonly #applier: Applier;
  readonly #withdrawer: Withdrawer;
  readonly #gates = new ContainerGates();

  constructor(context: SyncContext) {
    this.#context = context;
    this.#notes = new CopyNotes(context.workspace, context.clock);
    this.#known = new KnownEdge(context.clock);
    this.#applier = new Applier(context, this.#notes, this.#known);
    this.#withdrawer = new Withdrawer(context, this.#notes, this.#gates);
  }

  /** To be awaited once before the first `sync`. */
  prepare(signal: AbortSignal): Promise<void> {
    return this.#applier.prepare(signal);
  }

  /**
   * What `sync` would return, if it had nothing to do at all: both sides are as they should be, and say so. Of what happens to
   * a new object two of three looks find it so. Undefined: `sync` is to be asked.
   */
  settled(kind: ServedKind, item: SyncItem): SyncOutcome | undefined {
    const { key, place, copy } = item;
    if (copy === undefined || this.#applier.needsMore(key)) return undefined;
    const { mirror, tally, held, cell } = this.#context;
    const edge = this.#known.newest(key, mirror.get(kind, place.namespace, place.name));
    if (edge === undefined || edge.farError !== undefined) return undefined;
    if (!this.#notes.saysSynced(copy, edge.fieldsHash)) return undefined;
    const cellUid = cell().metadata.uid ?? '';
    if (decideDownsync({ copy, edge, cellUid, known: this.#known.get(key) }).type !== 'acknowledge') {
      return undefined;
    }
    held.forget(key);
    this.#notes.forget(key);
    this.#settle(kind, item, copy, edge);
    tally.markSynced(key);
    return this.#untilEchoed(kind, item, present);
  }

  async sync(kind: ServedKind, item: SyncItem, signal: AbortSignal): Promise<SyncOutcome> {
    const { key, place, copy } = item;
    const { mirror, tally, held, cell } = this.#context;
    const edge = this.#known.newest(key, mirror.get(kind, place.namespace, place.name));
    const step = decideDownsync({
      copy,
      edge,
      cellUid: cell().metadata.uid ?? '',
      known: this.#known.get(key),
    });
    if (step.type !== 'delete') held.forget(key);
    switch (step.type) {
      case 'none':
        this.#forget(key);
        return { state: edge === undefined ? 'gone' : 'waiting' };
      case 'suspended':
        tally.forget(key);
        return { state: edge === undefined ? 'waiting' : 'present' };
      case 'await-deletion':
        tally.markPending(key);
        return { state: 'waiting' };
      case 'release':
        return this.#gone(key, await this.#withdrawer.release(item, signal));
      case 'orphan':
        return edge === undefined
          ? { state: 'waiting' }
          : this.#gone(key, await this.#withdrawer.orphan(kind, item, edge, signal));
      case 'delete':
        return edge === undefined
          ? { state: 'waiting' }
          : this.#gone(key, await this.#withdrawer.delete(kind, item, edge, step.evidence, signal));
      case 'unmark':
        if (edge !== undefined) await this.#withdrawer.unmark(kind, item, edge, signal);
        return { state: 'waiting', requeueAfterMs: goingRecheckMs };
      case 'acknowledge':
        if (edge === undefined || copy === undefined) return { state: 'waiting' };
        this.#settle(kind, item, copy, edge);
        return this.#untilEchoed(
          kind,
          item,
          this.#applier.mustCompare(key)
            ? await this.#apply(kind, item, 'fields-unknown', signal)
            : await this.#applier.acknowledge(item, copy, edge, signal),
        );
      case 'apply':
        tally.markPending(key);
        return this.#untilEchoed(kind, item, await this.#apply(kind, item, step.why, signal));
      default:
        return step satisfies never;
    }
  }

  /**
   * Whether its deletion waits for a person, and goes on waiting while the edge does not serve its kind: what is there would be
   * without a copy when it is served again, and without what says that it is held.
   */
  staysHeld({ key, copy }: SyncItem): boolean {
    const { held, cell } = this.#context;
    if (copy === undefined || isWithdrawing(cell()) || !isHeld(held, key, copy)) return false;
    held.hold(key, 'the deletion is held, and the edge does not serve the kind');
    return true;
  }

  /** For a copy that is to go while the edge does not (or no longer) serve its kind: nothing can be there. */
  async releaseUnserved(item: SyncItem, signal: AbortSignal): Promise<SyncOutcome> {
    return this.#gone(item.key, await this.#withdrawer.release(item, signal));
  }

  /** The watch tells that the edge object is gone: what our last write was answered is over with it. */
  goneAtEdge(key: CopyKey): void {
    this.#known.forget(key);
  }

  /** Whether its copy says that the edge has it, in whatever content. */
  saysThere({ copy }: SyncItem): boolean {
    const { annotations, deletionTimestamp } = copy?.metadata ?? {};
    return deletionTimestamp === undefined && annotations?.[syncAnnotations.syncedHash] !== undefined;
  }

  /** Neither the kind's watch nor our own last write knows of it. */
  isAbsent(kind: ServedKind, { key, place }: SyncItem): boolean {
    const mirrored = this.#context.mirror.get(kind, place.namespace, place.name);
    return this.#known.newest(key, mirrored) === undefined;
  }

  /** Says on the copy why it is not at the edge. `isGone`: and that nothing of it is. */
  async report(
    { key, place, copy }: SyncItem,
    error: SyncError,
    isGone: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    if (copy === undefined) return;
    if (isGone) await this.#notes.gone({ key, place, copy }, error, signal);
    else await this.#notes.failed({ key, place, copy }, this.#besideHeld(key, copy, error), signal);
  }

  /** That a deletion waits for a person is known from its copy alone to whoever takes the cell over: nothing is written over it. */
  #besideHeld(key: CopyKey, copy: KubeObject, error: SyncError): SyncError {
    if (!isHeld(this.#context.held, key, copy)) return error;
    return { reason: deletionHeldReason, message: `it is held; besides, ${error.reason}: ${error.message}` };
  }

  async #apply(
    kind: ServedKind,
    item: SyncItem,
    why: ApplyReason,
    signal: AbortSignal,
  ): Promise<SyncOutcome> {
    const containers = containersOf(item.place);
    if (!this.#gates.enter(containers)) return { state: 'waiting', requeueAfterMs: goingRecheckMs };
    try {
      return await this.#applier.apply(kind, item, why, signal);
    } finally {
      this.#gates.leave(containers);
    }
  }

  /** What our own write was answered need not be remembered once the watch and the copy both say it. */
  #settle(kind: ServedKind, { key, place }: SyncItem, copy: KubeObject, edge: EdgeObject): void {
    const mirrored = this.#context.mirror.get(kind, place.namespace, place.name);
    if (mirrored !== edge || this.#known.believedForMs(key, mirrored) > 0) return;
    if (syncedFieldsOf(copy.metadata.annotations ?? {}, edge.contentHash) === edge.fieldsHash) {
      this.#known.forget(key);
    }
  }

  /** What rests on our own answer alone is looked at again when the watch must have told of it. */
  #untilEchoed(kind: ServedKind, { key, place }: SyncItem, outcome: SyncOutcome): SyncOutcome {
    const mirrored = this.#context.mirror.get(kind, place.namespace, place.name);
    const believedForMs = this.#known.believedForMs(key, mirrored);
    if (outcome.state !== 'present' || believedForMs === 0) return outcome;
    return { ...outcome, requeueAfterMs: Math.min(outcome.requeueAfterMs ?? believedForMs, believedForMs) };
  }

  #gone(key: CopyKey, outcome: SyncOutcome): SyncOutcome {
    if (outcome.state === 'gone') this.#forget(key);
    return outcome;
  }

  #forget(key: CopyKey): void {
    this.#context.tally.forget(key);
    this.#applier.forget(key);
    this.#withdrawer.forget(key);
  }
}
