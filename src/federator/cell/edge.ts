import { edgeVersionsOf } from '#api/federation/edge-versions.ts';
import { isCustomGroup } from '#api/federation/return-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeClient } from '#client/client.ts';
import type { Priority } from '#client/queue/key-queue.ts';
import { Downsync } from '../downsync/downsync.ts';
import type { SyncContext } from '../downsync/sync-context.ts';
import type { SyncItem, SyncOutcome } from '../downsync/sync-item.ts';
import { namespaceOf, SyncRefusal, waitsForKinds, waitsForNamespace } from '../downsync/sync-refusal.ts';
import { type Claim, renewSource } from '../edge/edge-claim.ts';
import type { ServedKinds } from '../edge/edge-kinds.ts';
import { type BrokenWatch, EdgeMirror } from '../edge/edge-mirror.ts';
import { GoneResources } from '../edge/gone-resources.ts';
import { OrphanSweep } from '../edge/orphan-sweep.ts';
import type { ServedKind } from '../edge/served-kind.ts';
import type { TokenBucket } from '../edge/token-bucket.ts';
import { VersionChoice } from '../edge/version-choice.ts';
import { type Room, RoomWatch } from '../room/room-watch.ts';
import { Upsync } from '../upsync/upsync.ts';
import { settledWithin } from '../within.ts';
import type { CellLimits } from './cell-limits.ts';
import { type CopyKey, type CopyPlace, copyKeyOf, type ObjectPlace } from './copy-keys.ts';

export interface EdgeOptions extends Omit<SyncContext, 'mirror' | 'claim'> {
  /** As it stands at the edge. */
  readonly claim: Claim;
  readonly limits: CellLimits;
  /** What the cell's workspace serves. */
  readonly workspaceKinds: ServedKinds;
  /** Paces the statuses that are written to copies. */
  readonly statuses: TokenBucket;
  readonly onChange: (kind: ServedKind, key: CopyKey, gone: boolean, priority: Priority) => void;
  /** `room` may be another one. */
  readonly onRoom: () => void;
}

/** One connection to a cell's edge and what is remembered over it; replaced whole when credentials change. */
export class Edge {
  readonly client: KubeClient;
  readonly kinds: ServedKinds;
  readonly #options: EdgeOptions;
  readonly #mirror: EdgeMirror;
  readonly #downsync: Downsync;
  readonly #upsync: Upsync;
  readonly #versions: VersionChoice;
  readonly #goneResources: GoneResources;
  #roomWatch: RoomWatch | undefined;
  #isClosed = false;
  #claim: Claim;
  #isPrepared = false;
  #preparing: Promise<void> | undefined;

  constructor(options: EdgeOptions) {
    const { edgeClient, clock, logger, limits, onChange } = options;
    this.client = edgeClient;
    this.kinds = options.kinds;
    this.#options = options;
    this.#claim = options.claim;
    const upsync = new Upsync({
      edgeClient,
      workspace: options.workspace,
      mirror: () => this.#mirror,
      pendingStatusBytesMax: limits.pendingStatusBytesMax,
      pace: options.statuses,
      metrics: options.metrics,
    });
    this.#upsync = upsync;
    this.#mirror = new EdgeMirror({
      edgeClient,
      clock,
      logger,
      timeoutMs: limits.edgeTimeoutMs,
      objectsMax: limits.edgeObjectsMax,
      onOverfull: (kind) => upsync.forgetUnknown(kind),
      onChange: (kind, key, gone, priority) => {
        if (gone) {
          upsync.goneAtEdge(key);
          this.#downsync.goneAtEdge(key);
        }
        onChange(kind, key, gone, priority);
      },
      onStatus: (key, status) => upsync.learn(key, status),
    });
    this.#downsync = new Downsync({ ...options, mirror: this.#mirror, claim: () => this.#claim });
    const { kinds, workspaceKinds } = options;
    this.#versions = new VersionChoice({ edgeKinds: kinds, workspaceKinds, mirror: this.#mirror });
    this.#goneResources = new GoneResources({ edgeClient, clock, logger });
  }

  /** In which version an object without a copy lies there, as far as is known. */
  versionAt({ group, resource }: ObjectPlace): string {
    return this.#anyVersion({ group, resource })?.version ?? '';
  }

  /**
   * What `sync` would return, if both sides are as they should be and say so: told at once, without a promise. Most looks
   * at an object find it so: its own write's event, its own note's. Undefined: `sync` is to be asked.
   */
  settled(item: SyncItem): SyncOutcome | undefined {
    if (!this.#isPrepared) return undefined;
    const kind = this.#versions.peek(item.place);
    if (kind === undefined || !this.#mirror.has(kind) || !this.#hasNamespace(item)) return undefined;
    return this.#upsync.isSettled(kind, item) ? this.#downsync.settled(kind, item) : undefined;
  }

  /** Brings the edge object to what its copy says, then the copy's status to what the edge says. */
  async sync(item: SyncItem, signal: AbortSignal): Promise<SyncOutcome> {
    if (!this.#isPrepared) await this.#prepare(signal);
    const isLeaving = item.copy === undefined || item.copy.metadata.deletionTimestamp !== undefined;
    const kind =
      this.#versions.peek(item.place) ??
      (await this.#versions.find(item.place)) ??
      // Any version will do to delete it in.
      (isLeaving ? this.#anyVersion(item.place) : undefined);
    if (kind === undefined) {
      const mayGo =
        isLeaving && (!this.#downsync.staysHeld(item) || (await this.#isResourceGone(item.place, signal)));
      if (mayGo) return this.#downsync.releaseUnserved(item, signal);
      throw notServed(item, this.kinds);
    }
    const mirroring = this.#mirror.ensure(kind);
    if (mirroring !== undefined) await mirroring;
    const priming = item.copy === undefined ? undefined : this.#upsync.prime(kind, item.place, signal);
    if (priming !== undefined) await priming;
    if (!this.#hasNamespace(item)) await this.#awaitNamespace(item);
    let outcome: SyncOutcome;
    try {
      outcome = await this.#downsync.sync(kind, item, signal);
    } catch (error) {
      if (isApiError(error, 'NotFound')) await this.#onNotFound(kind, item);
      throw error;
    }
    if (outcome.state === 'present') {
      const waitMs = await this.#upsync.sync(kind, item, signal);
      if (waitMs > 0) {
        const { requeueAfterMs = waitMs } = outcome;
        return { ...outcome, requeueAfterMs: Math.min(requeueAfterMs, waitMs) };
      }
    } else if (outcome.state === 'gone') this.#upsync.forget(item.key);
    return outcome;
  }

  /**
   * Looks through the kinds that nobody watches for what is ours and has no copy: what is found is watched from then on.
   * `quiet` is awaited before each request. Throws ApiError.
   */
  async sweep(quiet: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { edgeClient, kinds, copies, cell, logger } = this.#options;
    const sweep = new OrphanSweep({
      edgeClient,
      kinds,
      mirror: this.#mirror,
      copyKeys: () => copies.keys(),
      cellUid: () => cell().metadata.uid ?? '',
      quiet,
      logger,
    });
    await sweep.run(signal);
  }

  /** Whether what keys wait for (SyncRefusal.waitsFor) is at the edge, as far as its watch tells: namespaces alone. */
  isThere(waitsFor: string): boolean {
    const name = namespaceOf(waitsFor);
    if (name === undefined) return false;
    const kind = this.#options.kinds.peek(namespaces.group, namespaces.version, namespaces.resource);
    return kind !== undefined && this.#mirror.get(kind, '', name) !== undefined;
  }

  /** Kinds that the edge says it does not know (any more, or in this version) are let go of. Throws ApiError. */
  async reviewKinds(): Promise<void> {
    const unknown = this.#mirror.unknown();
    if (unknown.length === 0) return;
    this.kinds.expire();
    await this.kinds.refresh();
    await Promise.all(unknown.map((kind) => this.#letGo(kind)));
  }

  /** Of everything of ours that is known to stand there. */
  keys(): Iterable<CopyKey> {
    return this.#mirror.keys();
  }

  /** Says on the copy why it is not at the edge. What was there before is told of no more once it is known to be gone. */
  async report(
    item: SyncItem,
    error: { readonly reason: string; readonly message: string },
    signal: AbortSignal,
  ): Promise<void> {
    const isGone =
      this.#downsync.saysThere(item) &&
      (await this.#isGone(item, signal)) &&
      (await this.#upsync.takeBack(item, signal));
    await this.#downsync.report(item, error, isGone, signal);
  }

  get claim(): Claim {
    return this.#claim;
  }

  /** A person has let the held deletions happen: what is absent at this source is taken as withdrawn from now on. */
  async renewClaim(signal: AbortSignal): Promise<void> {
    const { workspace, clock } = this.#options;
    const source = () => workspace.source(signal);
    this.#claim = await renewSource(this.client, this.#claim, source, { clock, signal });
  }

  /** See EdgeMirror. */
  brokenWatch(minMs: number): BrokenWatch | undefined {
    return this.#mirror.brokenWatch(minMs);
  }

  /** A watch on the edge has failed and not yet been begun anew. */
  get isInDoubt(): boolean {
    return this.#mirror.isInDoubt;
  }

  /** What there is of nodes, and taken of it; undefined while it is not watched, or not known yet. */
  get room(): Room | undefined {
    return this.#hasNodes ? this.#roomWatch?.room : { state: 'no-nodes' };
  }

  /** An API server that knows no nodes is not asked for them. */
  get #hasNodes(): boolean {
    return this.kinds.peek('', 'v1', 'nodes') !== undefined;
  }

  /** Begins to watch the edge's nodes and pods, or ends that. Idempotent. */
  watchRoom(isWanted: boolean): void {
    if (isWanted === (this.#roomWatch !== undefined) || this.#isClosed || !this.#hasNodes) return;
    if (!isWanted) {
      void this.#roomWatch?.stop();
      this.#roomWatch = undefined;
      return;
    }
    const { edgeClient, clock, logger, onRoom } = this.#options;
    this.#roomWatch = new RoomWatch({ edgeClient, clock, logger, onChange: onRoom });
    this.#roomWatch.start();
  }

  /** Whether anything stands there whose copy went because it was wanted again, and has not come, as far as is known. */
  get isAwaitingCopy(): boolean {
    return this.#mirror.isAwaitingCopyOf(this.#options.cell().metadata.uid ?? '');
  }

  /** How many objects of ours stand there, of the kinds looked at so far. */
  get objectCount(): number {
    return this.#mirror.objectCount;
  }

  /**
   * Idempotent, and bounded in time. What waits at the breaker is refused, so that its keys go to the next connection.
   * `clientClosed`: the client has been closed, or will be once it has its answers.
   */
  async close(clientClosed: Promise<void>): Promise<void> {
    const { clock, limits } = this.#options;
    this.#isClosed = true;
    const parts = [clientClosed, this.#mirror.stop(), this.#roomWatch?.stop()];
    await settledWithin(clock, Promise.all(parts), limits.stopTimeoutMs);
  }

  #prepare(signal: AbortSignal): Promise<void> {
    this.#preparing ??= this.#downsync
      .prepare(signal)
      .then(() => {
        this.#isPrepared = true;
      })
      .finally(() => {
        this.#preparing = undefined;
      });
    return this.#preparing;
  }

  /** Whether the edge is known to hold nothing of the copy; when it does not say, it may. */
  async #isGone(item: SyncItem, signal: AbortSignal): Promise<boolean> {
    const { place } = item;
    const kind = this.#versions.peek(place);
    if (kind !== undefined) {
      return this.#mirror.has(kind) && !this.#mirror.isInDoubt && this.#downsync.isAbsent(kind, item);
    }
    return this.#isResourceGone(place, signal);
  }

  /** Of a kind that is not served the objects may stand there all the same. */
  async #isResourceGone(place: CopyPlace, signal: AbortSignal): Promise<boolean> {
    return isCustomGroup(place.group) && (await this.#goneResources.has(place, signal));
  }

  /** Whether the object's namespace is known to be at the edge, or need not be waited for: what the wait would find out. */
  #hasNamespace({ place, copy }: SyncItem): boolean {
    if (place.namespace === '' || copy === undefined || copy.metadata.deletionTimestamp !== undefined)
      return true;
    const { group, version, resource } = namespaces;
    const kind = this.kinds.peek(group, version, resource);
    if (kind !== undefined && this.#mirror.get(kind, '', place.namespace) !== undefined) return true;
    return this.#options.copies.get(namespaceKeyOf(place)) === undefined;
  }

  /** Namespaces first: an object whose namespace is still on its way is not tried, and woken by the namespace's event. */
  async #awaitNamespace({ place }: SyncItem): Promise<void> {
    const { group, version, resource } = namespaces;
    const kind = this.kinds.peek(group, version, resource);
    if (kind === undefined) return;
    const mirroring = this.#mirror.ensure(kind);
    if (mirroring !== undefined) await mirroring;
    if (this.#mirror.get(kind, '', place.namespace) !== undefined) return;
    throw new SyncRefusal(
      'NamespaceMissing',
      `namespace ${place.namespace} is not at the edge yet`,
      waitsForNamespace(place.namespace),
    );
  }

  /** The edge says that it does not know the object, or the kind: which, tells its discovery. */
  async #onNotFound(kind: ServedKind, item: SyncItem): Promise<void> {
    const { kinds } = this.#options;
    kinds.expire();
    await kinds.refresh();
    if (kinds.peek(kind.group, kind.version, kind.resource) !== undefined) return;
    await this.#letGo(kind);
    if ((await this.#versions.find(item.place)) === undefined) throw notServed(item, kinds);
  }

  /** The kind is not served in this version any more: its objects are looked at in another one, or are gone. */
  async #letGo(kind: ServedKind): Promise<void> {
    const { group, version, resource } = kind;
    if (this.kinds.peek(group, version, resource) !== undefined) return;
    const other = this.kinds.peekAny(group, resource);
    if (other === undefined) await this.#mirror.forget(kind);
    // Which version that is decides who looks at a copy next; until then any shows what is there.
    else if (this.#mirror.kindOf(group, resource)?.version === version) {
      // A list that fails is told as a broken watch.
      this.#mirror.ensure(other)?.catch(() => {});
    }
  }

  #anyVersion({ group, resource }: Pick<ObjectPlace, 'group' | 'resource'>): ServedKind | undefined {
    return this.#mirror.kindOf(group, resource) ?? this.kinds.peekAny(group, resource);
  }
}

const namespaces = { group: '', version: 'v1', resource: 'namespaces' } as const;

function namespaceKeyOf({ namespace }: ObjectPlace): CopyKey {
  return copyKeyOf({ ...namespaces, namespace: '', name: namespace });
}

function notServed({ place }: SyncItem, kinds: ServedKinds): SyncRefusal {
  const { group, version, resource } = place;
  const groupVersion = group === '' ? version : `${group}/${version}`;
  const others = kinds.versionsOf(group, resource).map((kind) => kind.version);
  const why =
    edgeVersionsOf(group, resource).length > 0 ? 'it cannot be written' : 'the cell’s workspace does not';
  const only = others.length === 0 ? '' : `, only in ${others.sort().join(', ')}, in which ${why}`;
  return new SyncRefusal(
    'APINotServed',
    `the edge does not serve ${resource} in ${groupVersion}${only}`,
    waitsForKinds,
  );
}
