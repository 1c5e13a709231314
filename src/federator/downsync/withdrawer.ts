import { isCrd } from '#api/apiextensions/crd.ts';
import {
  awaitsCopy,
  copyAnnotations,
  deletionHeldReason,
  edgeAnnotations,
  syncAnnotations,
} from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, PropagationPolicy } from '#client/client.ts';
import type { CopyKey } from '../cell/copy-keys.ts';
import type { HeldDeletions } from '../cell/held-deletions.ts';
import { sameSource } from '../edge/edge-claim.ts';
import { type EdgeObject, edgeFieldManager } from '../edge/edge-object.ts';
import type { ServedKind } from '../edge/served-kind.ts';
import { toldByWatch } from '../edge/told-by-watch.ts';
import { type ContainerGates, containerNamed } from './container-gates.ts';
import { type CopyNotes, syncErrorOf } from './copy-notes.ts';
import { isStale } from './decide.ts';
import { contentOf } from './namespace-tenants.ts';
import { edgeRefOf, isWithdrawing, type SyncContext } from './sync-context.ts';
import type { SyncItem, SyncOutcome } from './sync-item.ts';
import { SyncRefusal } from './sync-refusal.ts';

const waiting: SyncOutcome = { state: 'waiting' };
const unheardRecheckMs = 60_000;
const instancesRecheckMs = 5_000;
/** So often in a row, over some ten seconds, a namespace is looked at before what is left in it is taken for what stays. */
const contentLooksMax = 9;

/** What says that an object is to go: its copy was withdrawn, or there is none. */
type Evidence = 'withdrawn' | 'absent';

/** Deletes at one edge what was withdrawn, and holds what may not have been (DESIGN.md, Deletion fails closed). */
export class Withdrawer {
  readonly #context: SyncContext;
  readonly #notes: CopyNotes;
  readonly #gates: ContainerGates;

  constructor(context: SyncContext, notes: CopyNotes, gates: ContainerGates) {
    this.#context = context;
    this.#notes = notes;
    this.#gates = gates;
  }

  async delete(
    kind: ServedKind,
    item: SyncItem,
    edge: EdgeObject,
    evidence: Evidence,
    signal: AbortSignal,
  ): Promise<SyncOutcome> {
    const { key, place } = item;
    const { held, tally, copies, workspace } = this.#context;
    const hasVanished = evidence === 'absent' && copies.hasVanished(key, edge.origin);
    if (evidence === 'absent' && !hasVanished && !(await workspace.isAbsent(place, signal))) {
      // There is a copy, which we have not heard of yet, or which is beyond the cell's bound.
      held.forget(key);
      return { state: 'waiting', requeueAfterMs: unheardRecheckMs };
    }
    if (evidence === 'withdrawn' && !(await this.#isWithdrawnStill(item, edge, signal))) {
      return { state: 'waiting', requeueAfterMs: unheardRecheckMs };
    }
    const why = held.isReleased(key)
      ? undefined
      : await this.#reasonToHold(kind, item, edge, evidence, signal);
    if (why !== undefined) {
      const isWantedAgain = item.copy?.metadata.annotations?.[copyAnnotations.wantedAgain] !== undefined;
      // Should the edge refuse its mark, it is held as it was.
      if (isWantedAgain && isHeldAlready(item.copy)) held.hold(key, why);
      else await this.#hold(item, why, signal);
      return isWantedAgain ? this.#letGo(kind, item, edge, awaitsCopy, signal) : waiting;
    }
    tally.markPending(key);
    if (!isContainer(kind)) return this.#delete(kind, item, edge, evidence, signal);
    const look = this.#gates.look(containerNamed(kind.resource, place.name));
    try {
      const isLeft = isCrd(kind)
        ? await this.#isKindLeft(item, signal)
        : await this.#isNamespaceLeft(item, signal);
      if (isLeft) return await this.orphan(kind, item, edge, signal);
      // Something was on its way into it while we asked: the answers may be from before that.
      if (!look.close()) return { state: 'waiting', requeueAfterMs: instancesRecheckMs };
      return await this.#delete(kind, item, edge, evidence, signal);
    } finally {
      look.end();
    }
  }

  /**
   * Whether what we have heard last of the copy holds, where the edge has come by a later state of it, or awaits one: another
   * federator has the cell by now, and the copy that was withdrawn may have a successor.
   */
  async #isWithdrawnStill(
    { place, copy }: SyncItem,
    edge: EdgeObject,
    signal: AbortSignal,
  ): Promise<boolean> {
    const mayBeLate =
      edge.deletionPolicy === awaitsCopy ||
      isStale(copy?.metadata.resourceVersion ?? '', String(edge.copyRevision ?? 0));
    if (!mayBeLate) return true;
    const now = await this.#context.workspace.read(place, signal);
    return now?.metadata.uid === copy?.metadata.uid && now?.metadata.deletionTimestamp !== undefined;
  }

  /** A CRD is left at the edge. Throws SyncRefusal while objects of ours are there. */
  async #isKindLeft(item: SyncItem, signal: AbortSignal): Promise<boolean> {
    const blocked = await this.#instancesOf(item, signal);
    if (blocked === 'none') return false;
    if (blocked === 'foreign' && item.copy !== undefined) return true;
    throw new SyncRefusal('InstancesRemain', 'objects of this kind are left at the edge');
  }

  /** A namespace is left at the edge. Throws SyncRefusal while what copies have brought into it may yet go by itself. */
  async #isNamespaceLeft({ key, place, failures }: SyncItem, signal: AbortSignal): Promise<boolean> {
    const { cell, logger } = this.#context;
    const cellUid = cell().metadata.uid ?? '';
    const { tenant, brought } = await contentOf(place.name, { ...this.#context, cellUid }, signal);
    if (tenant !== undefined) {
      logger.info({ key, tenant }, 'the namespace stays at the edge: it holds what is the edge’s own');
      return true;
    }
    if (brought === undefined) return false;
    // It would go with the namespace, whatever is to become of it. What is held, or wanted again since, does not go by itself.
    if (failures >= contentLooksMax && !isWithdrawing(cell())) {
      logger.info({ key, brought }, 'the namespace stays at the edge: what was brought into it stays');
      return true;
    }
    throw new SyncRefusal('ContentRemains', `${brought} is left in the namespace at the edge`);
  }

  async #delete(
    kind: ServedKind,
    { key, place, copy }: SyncItem,
    edge: EdgeObject,
    evidence: Evidence,
    signal: AbortSignal,
  ): Promise<SyncOutcome> {
    const { copies, edgeClient, logger } = this.#context;
    // It came back while we asked; its event has the key looked at again.
    const now = copies.get(key);
    if (now !== undefined && now.metadata.deletionTimestamp === undefined) return waiting;
    logger.debug({ key, evidence }, 'deleting at the edge');
    try {
      await edgeClient.delete(edgeRefOf(kind, place), {
        preconditions: { uid: edge.metadata.uid, resourceVersion: edge.metadata.resourceVersion },
        propagationPolicy: propagationOf(copy),
        signal,
      });
    } catch (error) {
      // Gone already, or changed since: its event brings the key back; should the event be lost, time does.
      if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
    }
    return { state: 'waiting', requeueAfterMs: instancesRecheckMs };
  }

  /** The edge object stays, says so itself, and its copy goes. */
  orphan(kind: ServedKind, item: SyncItem, edge: EdgeObject, signal: AbortSignal): Promise<SyncOutcome> {
    return this.#letGo(kind, item, edge, 'Orphan', signal);
  }

  /** The copy that the edge object awaited has come. */
  unmark(kind: ServedKind, item: SyncItem, edge: EdgeObject, signal: AbortSignal): Promise<void> {
    const { annotations = {}, resourceVersion = '' } = item.copy?.metadata ?? {};
    const marks: { [key: string]: string | null } = { [copyAnnotations.deletionPolicy]: null };
    // It may have the former one's content, so that nothing of it is applied: who has heard of none but the former one, which is
    // marked for deletion, is to see that there is a later one. The field is taken back by an apply, which a new copy gets anyway.
    if (annotations[syncAnnotations.syncedHash] === undefined)
      marks[edgeAnnotations.copyRevision] = resourceVersion;
    return this.#mark(kind, item, edge, marks, signal);
  }

  async #letGo(
    kind: ServedKind,
    item: SyncItem,
    edge: EdgeObject,
    mark: string,
    signal: AbortSignal,
  ): Promise<SyncOutcome> {
    if (edge.deletionPolicy !== mark)
      await this.#mark(kind, item, edge, { [copyAnnotations.deletionPolicy]: mark }, signal);
    return this.release(item, signal);
  }

  /** Whoever looks at the edge after a restart knows no more than what is written there. */
  async #mark(
    kind: ServedKind,
    { place }: SyncItem,
    edge: EdgeObject,
    annotations: { readonly [key: string]: string | null },
    signal: AbortSignal,
  ): Promise<void> {
    const { uid, resourceVersion } = edge.metadata;
    try {
      await this.#context.edgeClient.patch(
        edgeRefOf(kind, place),
        { type: 'merge', body: { metadata: { uid, resourceVersion, annotations } } },
        { fieldManager: edgeFieldManager, signal },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  /** Takes our finalizer off the copy, so that it goes. */
  async release({ key, place, copy }: SyncItem, signal: AbortSignal): Promise<SyncOutcome> {
    if (copy !== undefined) await this.#context.workspace.release(place, copy, signal);
    this.#context.held.forget(key);
    this.#context.tally.forget(key);
    return { state: 'gone' };
  }

  /** The object is gone. */
  forget(key: CopyKey): void {
    this.#context.budget.forget(key);
  }

  async #hold({ key, place, copy }: SyncItem, why: string, signal: AbortSignal): Promise<void> {
    const { held, tally, logger } = this.#context;
    if (!held.has(key)) logger.warn({ key, why }, 'deletion at the edge is held');
    held.hold(key, why);
    tally.forget(key);
    if (copy === undefined) return;
    // It also tells whoever takes the cell over, whose budget is fresh.
    await this.#notes.failed({ key, place, copy }, { reason: deletionHeldReason, message: why }, signal);
  }

  async #reasonToHold(
    kind: ServedKind,
    item: SyncItem,
    edge: EdgeObject,
    evidence: Evidence,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { key, place, copy } = item;
    const { held, copies, cell } = this.#context;
    const what = `${place.resource} ${place.namespace === '' ? '' : `${place.namespace}/`}${place.name}`;
    if (evidence === 'absent') {
      if (copies.hasVanished(key, edge.origin))
        return `the copy of ${what} went without having been withdrawn`;
      if (edge.deletionPolicy === awaitsCopy && !isWithdrawing(cell()))
        return `${what} was wanted again, and no copy of it has come`;
      if (!(await this.#isSourceKnown(signal))) {
        return `${what} has no copy, but nothing says that it was withdrawn`;
      }
    }
    if (isWithdrawing(cell()) || isContainer(kind)) return undefined;
    const overBudget = `the cell's deletion budget is spent (${what})`;
    if (isHeld(held, key, copy)) return overBudget;
    return this.#takeFromBudget(key, edge) ? undefined : overBudget;
  }

  /**
   * Whether the copies lie where the edge was claimed under. To be asked after a copy was found missing: a workspace that
   * still stands then was not being removed when it was.
   */
  async #isSourceKnown(signal: AbortSignal): Promise<boolean> {
    const claim = this.#context.claim();
    const source = await this.#context.workspace.source(signal);
    return source !== undefined && sameSource({ ...claim, ...source }, claim);
  }

  #takeFromBudget(key: CopyKey, edge: EdgeObject): boolean {
    const { maxObjects, maxPercent, windowSeconds } = this.#context.cell().spec?.deletionBudget ?? {};
    if (maxObjects === undefined && maxPercent === undefined) return true;
    const { budget, mirror } = this.#context;
    return budget.take(
      key,
      edge.metadata.uid ?? '',
      {
        maxObjects: maxObjects ?? Number.POSITIVE_INFINITY,
        maxPercent: maxPercent ?? 100,
        windowMs: (windowSeconds ?? 3_600) * 1_000,
      },
      mirror.objectCount,
    );
  }

  /**
   * Whether objects of a CRD's kind stand in the way of its deletion, which would delete them: `ours` go with their own
   * copies; `foreign` ones keep the CRD at the edge when the whole cell is withdrawn.
   */
  async #instancesOf({ place }: SyncItem, signal: AbortSignal): Promise<'none' | 'ours' | 'foreign'> {
    const { kinds, copies, edgeClient, cell, mirror } = this.#context;
    const dot = place.name.indexOf('.');
    const resource = place.name.slice(0, dot);
    const group = place.name.slice(dot + 1);
    const kind = kinds.peekAny(group, resource);
    if (kind === undefined) return 'none';
    const collection = { cluster: undefined, gvr: { group, version: kind.version, resource } };
    try {
      const { items } = await edgeClient.list(collection, { limit: 1, metadataOnly: true, signal });
      if (items.length === 0 && !(await this.#isToldByWatch(collection, signal))) return 'none';
    } catch (error) {
      if (isApiError(error, 'NotFound')) return 'none';
      throw error;
    }
    // What awaits a copy has none, and goes without it (decision 234).
    if (!isWithdrawing(cell()) || mirror.isAwaitingCopyOf(cell().metadata.uid ?? '')) return 'ours';
    for (const key of copies.keys()) if (key.startsWith(`${group}/${resource}|`)) return 'ours';
    return 'foreign';
  }

  /** Nothing brings back what goes with its definition: what an empty list says is asked in another way as well (decision 228). */
  async #isToldByWatch(collection: CollectionRef, signal: AbortSignal): Promise<boolean> {
    const { edgeClient, clock } = this.#context;
    for await (const _ of toldByWatch(edgeClient, collection, { clock, signal })) return true;
    return false;
  }
}

/** How the edge is to delete what the copy was of (docs/copies.md). */
function propagationOf(copy: KubeObject | undefined): PropagationPolicy {
  const policy = copy?.metadata.annotations?.[copyAnnotations.propagationPolicy];
  return policy === 'Foreground' || policy === 'Orphan' ? policy : 'Background';
}

/**
 * What holds other objects. It goes when nothing is in it any more, so that nothing is lost with it: no budget holds it (decision
 * 239), which would hold up whatever is to come into it as well.
 */
function isContainer(kind: ServedKind): boolean {
  return isCrd(kind) || isNamespace(kind);
}

function isNamespace({ group, resource }: ServedKind): boolean {
  return group === '' && resource === 'namespaces';
}

/** Whether the deletion at the edge waits for a person who has not let it happen yet. */
export function isHeld(held: HeldDeletions, key: CopyKey, copy: KubeObject | undefined): boolean {
  return !held.isReleased(key) && (held.has(key) || isHeldAlready(copy));
}

/** Whether a copy that is to go says that its deletion waits for a person, whoever has held it. */
function isHeldAlready(copy: KubeObject | undefined): boolean {
  return copy?.metadata.deletionTimestamp !== undefined && syncErrorOf(copy).reason === deletionHeldReason;
}
