import {
  eventKind,
  isCustomGroup,
  type ReturnableKind,
  type ReturnKind,
  returnAnnotations,
  returnableKinds,
  returnedEventAgeMaxMs,
  returnedObjectBytesMax,
  returnKindKey,
  returnKindOf,
  selectsReturn,
  staysAtEdge,
} from '#api/federation/return-contract.ts';
import { returnEventsDefault } from '#api/federation/return-policy.ts';
import {
  type ReturnedObject,
  type ReturnRequest,
  returnedObjectName,
  returnedObjectsGvr,
  returnRequestsGvr,
} from '#api/federation/returned-object.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { ServedKinds } from '../edge/edge-kinds.ts';
import { edgeFieldManager } from '../edge/edge-object.ts';
import type { TokenBucket } from '../edge/token-bucket.ts';
import type { Birth, Births } from './births.ts';
import { EdgeBirths } from './edge-births.ts';
import { EdgeEvents } from './edge-events.ts';
import { eventForm } from './event-facts.ts';
import { EventTurns } from './event-turns.ts';
import { type ReturnedForm, returnedForm } from './returned-form.ts';

/** An edge as far as births are looked for at it. */
export interface BirthPlace {
  /** Guarded. */
  readonly client: KubeClient;
  readonly kinds: ServedKinds;
}

export interface ReturnerOptions {
  readonly federationClient: KubeClient;
  /** Path of the cell's workspace. */
  readonly workspace: string;
  /** Undefined while the edge is not connected. */
  readonly edge: () => BirthPlace | undefined;
  /** Nothing is written while the cell is suspended or being withdrawn. */
  readonly isPaused: () => boolean;
  /** Paces what is written upward, together with statuses. */
  readonly pace: TokenBucket;
  /** Of Events, beside that: they are many, and the least of what goes upward. */
  readonly eventPace: TokenBucket;
  readonly clock: Clock;
  readonly logger: Logger;
}

const concurrency = 4;
/** Requests come in groups; the edge is listed anew once for all of them. */
const regroupMs = 200;
/** A kind that the edge does not serve, or not to us, is looked for again: first after this, then after twice as long, … */
const unservedRecheckMinMs = 1_000;
const unservedRecheckMaxMs = 30_000;
/** An Event that is said again and again is told upward once in this time. */
const eventRepeatMs = 10_000;
/** Which Events are the newest is counted anew at most this often in each namespace. */
const newestMs = 1_000;

interface BirthsOfKind {
  readonly kind: ReturnableKind;
  readonly births: Births;
}

/**
 * Brings objects that are born at one edge into the cell's workspace, as ReturnedObjects beside the ReturnRequests that ask
 * for them, and takes them away when the edge's go. Asked for nothing, it watches nothing at the edge.
 */
export class Returner {
  readonly #options: ReturnerOptions;
  readonly #requests: Informer;
  readonly #returned: Informer;
  /** Keys: `<key of the kind>|<namespace>/<name>`; `trim|<namespace>/`; `regroup`; `kinds`. */
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;
  /** By the kind's key. */
  #births = new Map<string, BirthsOfKind>();
  #events: EdgeEvents | undefined;
  readonly #eventTurns: EventTurns;
  /** Names of the Events that come back, by namespace, as they were last counted. */
  readonly #newest = new Map<string, { readonly names: ReadonlySet<string>; readonly atMs: number }>();
  /** Content that was too large, by key: until the edge object changes it is not read again. */
  readonly #refused = new Map<string, string>();
  #unservedRecheckMs = unservedRecheckMinMs;
  #isStarted = false;

  constructor(options: ReturnerOptions) {
    const { federationClient: client, workspace: cluster, clock, logger } = options;
    this.#options = options;
    this.#eventTurns = new EventTurns({ clock, pace: options.eventPace, repeatMs: eventRepeatMs });
    this.#queue = new WorkQueue({ clock, backoffMinMs: 50, backoffMaxMs: 30_000 });
    this.#loop = new ReconcileLoop({
      name: `return/${cluster}`,
      queue: this.#queue,
      concurrency,
      logger,
      reconcile: (key, signal) => this.#reconcile(key, signal),
    });
    const indexers = { namespace: ({ metadata }: KubeObject) => [metadata.namespace ?? ''] };
    const shared = { client, clock, logger, indexers };
    this.#requests = new Informer({ ...shared, collection: { cluster, gvr: returnRequestsGvr } });
    this.#returned = new Informer({
      ...shared,
      collection: { cluster, gvr: returnedObjectsGvr },
      transform: (object) => slim(object as ReturnedObject),
    });
    const regroup = () => this.#queue.addAfter('regroup', regroupMs);
    this.#requests.addHandler({
      onAdd: regroup,
      onUpdate: (request, old) => {
        if (request.metadata.generation !== old.metadata.generation) regroup();
      },
      onDelete: regroup,
    });
    const look = (object: KubeObject) => this.#queue.add(keyOfReturned(object as ReturnedObject));
    this.#returned.addHandler({ onAdd: look, onDelete: look });
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#requests.start();
    this.#returned.start();
    Promise.all([this.#requests.synced, this.#returned.synced]).then(
      () => {
        this.#loop.start();
        this.#queue.add('regroup');
      },
      () => {}, // stopped before
    );
  }

  /** Another connection to the edge is in use, or the cell may be written to again. */
  restart(): void {
    this.#queue.add('regroup');
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([this.#loop.stop(), this.#requests.stop(), this.#returned.stop(), this.#stopBirths()]);
    // A regrouping that was under way may have begun others meanwhile.
    await this.#stopBirths();
  }

  async #stopBirths(): Promise<void> {
    const births = [...this.#births.values()];
    this.#births.clear();
    await Promise.all(births.map((one) => one.births.stop()));
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const edge = this.#options.edge();
    if (key === 'regroup') {
      await this.#regroup(edge);
      return undefined;
    }
    if (key === 'kinds') return this.#lookForKinds(edge);
    if (edge === undefined || this.#options.isPaused()) return undefined;
    if (key.startsWith('trim|')) {
      this.#trim(partsOf(key).namespace);
      return undefined;
    }
    const waitMs = this.#options.pace.waitMs;
    if (waitMs > 0) return { requeueAfterMs: waitMs };
    const { kind } = partsOf(key);
    return kind === eventKind.kind ? this.#bringEvent(key, edge, signal) : this.#bring(key, edge, signal);
  }

  /** Watches at the edge the kinds that are asked for now, and looks at everything anew. */
  async #regroup(edge: BirthPlace | undefined): Promise<void> {
    const former = [...this.#births.values()];
    this.#births = new Map();
    this.#events = undefined;
    this.#refused.clear();
    this.#newest.clear();
    await Promise.all(former.map(({ births }) => births.stop()));
    if (edge === undefined) return;
    for (const asked of this.#askedKinds()) {
      const kind = this.#servedAs(asked, edge);
      if (kind === undefined) continue;
      const births = this.#watch(kind, edge);
      this.#births.set(returnKindKey(kind), { kind, births });
      // An edge that does not let the kind be read says so at the first attempt.
      void births.nextAttempt().then(() => this.#queue.add('kinds'));
      births.start();
      births.synced.then(
        () => this.#lookAtReturned(),
        () => {}, // stopped before
      );
    }
    this.#lookAtReturned();
    this.#unservedRecheckMs = unservedRecheckMinMs;
    this.#queue.add('kinds');
  }

  #watch(kind: ReturnableKind, { client: edgeClient }: BirthPlace): Births {
    const { clock, logger } = this.#options;
    if (kind === eventKind) {
      this.#events = new EdgeEvents({
        edgeClient,
        clock,
        logger,
        type: this.#onlyEventType(),
        wanted: (event) => isAboutItsNamespace(event) && this.#requestFor(kind, event) !== undefined,
        onChange: (namespace, name) => {
          this.#queue.add(keyOf(kind, namespace, name));
          this.#queue.addAfter(`trim|${namespace}/`, newestMs);
        },
      });
      return this.#events;
    }
    return new EdgeBirths({
      kind,
      edgeClient,
      clock,
      logger,
      wanted: (one, object) => this.#requestFor(one, object) !== undefined,
      onChange: (one, namespace, name) => this.#onBirth(one, namespace, name),
    });
  }

  /** Custom kinds that come to be served are watched from then on; who asked for one that is not is told. */
  async #lookForKinds(edge: BirthPlace | undefined): Promise<ReconcileResult> {
    const custom = this.#askedKinds().filter(({ group }) => isCustomGroup(group));
    if (edge === undefined) return undefined;
    const isMissing = (kind: ReturnKind) => !this.#births.has(returnKindKey(kind));
    if (custom.some(isMissing)) {
      // What was just installed counts: the edge is asked anew, not more often than this.
      edge.kinds.expire();
      await edge.kinds.refresh();
      if (custom.some((kind) => isMissing(kind) && this.#servedAs(kind, edge) !== undefined)) {
        this.#queue.add('regroup');
        return undefined;
      }
    }
    const missing = custom.filter(isMissing);
    const unread = this.#refusedKinds();
    await this.#tellRequests(missing, unread);
    if (missing.length === 0 && unread.size === 0) return undefined;
    const requeueAfterMs = this.#unservedRecheckMs;
    this.#unservedRecheckMs = Math.min(2 * requeueAfterMs, unservedRecheckMaxMs);
    return { requeueAfterMs };
  }

  /** The kinds that the edge does not let the federator read, by their keys, with its own words. */
  #refusedKinds(): ReadonlyMap<string, string> {
    const refused = new Map<string, string>();
    for (const [key, { births }] of this.#births) {
      const error = births.lastError;
      if (isApiError(error, 'Forbidden')) refused.set(key, error.message);
    }
    return refused;
  }

  /** `unread`: by the kind's key, why. */
  async #tellRequests(unserved: readonly ReturnKind[], unread: ReadonlyMap<string, string>): Promise<void> {
    const missing = new Set(unserved.map(returnKindKey));
    for (const object of this.#requests.values()) {
      const { metadata, spec, status } = object as ReturnRequest;
      const kinds = spec.resources.flatMap((selector) => returnKindOf(selector) ?? []);
      const names = kinds
        .filter((kind) => missing.has(returnKindKey(kind)))
        .map((kind) => `${kind.kind} in ${formatApiVersion(kind)}`);
      const words = new Set(kinds.flatMap((kind) => unread.get(returnKindKey(kind)) ?? []));
      const message = [
        ...(names.length === 0 ? [] : [`the edge does not serve ${names.join(', ')}`]),
        ...words,
      ].join('; ');
      const reason = names.length > 0 ? 'APINotServed' : words.size > 0 ? 'EdgeForbids' : undefined;
      if ((status?.message ?? '') === message && status?.reason === reason) continue;
      const { name = '', namespace } = metadata;
      const ref = { cluster: this.#options.workspace, gvr: returnRequestsGvr, namespace, name };
      try {
        await this.#options.federationClient.patch(
          ref,
          {
            type: 'merge',
            body: { status: { reason: reason ?? null, message: message === '' ? null : message } },
          },
          { subresource: 'status' },
        );
      } catch (error) {
        if (!isApiError(error, 'NotFound')) throw error;
      }
    }
  }

  /** Every kind that a request names, once. */
  #askedKinds(): ReturnKind[] {
    const asked = new Map<string, ReturnKind>();
    for (const object of this.#requests.values()) {
      for (const selector of (object as ReturnRequest).spec.resources) {
        const kind = returnKindOf(selector);
        if (kind !== undefined) asked.set(returnKindKey(kind), kind);
      }
    }
    return [...asked.values()];
  }

  #servedAs(asked: ReturnKind, { kinds }: BirthPlace): ReturnableKind | undefined {
    const builtin = returnableKinds.find((kind) => kind === asked);
    if (builtin !== undefined) return builtin;
    for (const { group, version, kind, resource, namespaced } of kinds.values()) {
      if (!namespaced || group !== asked.group || version !== asked.version || kind !== asked.kind) continue;
      return { group, version, kind, resource };
    }
    return undefined;
  }

  /** The one type of Events that is asked for; undefined when there are others. */
  #onlyEventType(): string | undefined {
    const types = new Set<string>();
    for (const object of this.#requests.values()) {
      for (const selector of (object as ReturnRequest).spec.resources) {
        if (returnKindOf(selector) !== eventKind) continue;
        for (const type of selector.eventTypes ?? ['Normal', 'Warning']) types.add(type);
      }
    }
    const [only] = types;
    return types.size === 1 ? only : undefined;
  }

  #lookAtReturned(): void {
    for (const object of this.#returned.values()) this.#queue.add(keyOfReturned(object as ReturnedObject));
  }

  #onBirth(kind: ReturnableKind, namespace: string, name: string): void {
    this.#queue.add(keyOf(kind, namespace, name));
    // One that went makes room for another.
    const births = this.#births.get(returnKindKey(kind))?.births;
    if (births?.get(namespace, name) === undefined) {
      for (const { metadata } of births?.in(namespace) ?? []) {
        if (this.#returnedAs(kind, namespace, metadata.name ?? '') === undefined) {
          this.#queue.add(keyOf(kind, namespace, metadata.name ?? ''));
        }
      }
    }
  }

  async #bring(key: string, edge: BirthPlace, signal: AbortSignal): Promise<undefined> {
    const { kind: kindKey, namespace, name } = partsOf(key);
    const known = this.#births.get(kindKey);
    // Not asked for any more: known without the edge. Asked for: absence counts only in a complete list.
    if (this.#isAsked(kindKey) && known?.births.hasSynced !== true) return;
    const birth = known?.births.get(namespace, name);
    const present = this.#presentOf(key);
    if (known === undefined || birth === undefined || !this.#fits(known.kind, birth)) {
      this.#refused.delete(key);
      if (present !== undefined) await this.#remove(present, signal);
      return;
    }
    const seen = `${birth.metadata.uid}/${birth.metadata.resourceVersion}`;
    if (this.#refused.get(key) === seen) return;
    const object = await this.#read(known.kind, birth, edge, signal);
    if (object === undefined) return;
    const form = returnedForm(object, isCustomGroup(known.kind.group));
    if (form.bytes > returnedObjectBytesMax || staysAtEdge(known.kind.kind, object)) {
      this.#refused.set(key, seen);
      this.#options.logger.warn(
        { key, bytes: form.bytes },
        'an object of the edge is not returned: it is too large',
      );
      if (present !== undefined) await this.#remove(present, signal);
      return;
    }
    await this.#tell(known.kind, birth, form, signal);
  }

  /** Events of old go by themselves, here as everywhere; new ones come when it is their turn. */
  async #bringEvent(key: string, edge: BirthPlace, signal: AbortSignal): Promise<ReconcileResult> {
    const { namespace, name } = partsOf(key);
    const events = this.#events;
    if (this.#isAsked(eventKind.kind) && events?.hasSynced !== true) return undefined;
    const nowMs = this.#options.clock.now();
    const group = events?.group(namespace, name);
    const birth = events?.get(namespace, name);
    const present = this.#presentOf(key);
    const expiresMs = (group?.lastMs ?? 0) + returnedEventAgeMaxMs;
    if (
      group === undefined ||
      birth === undefined ||
      expiresMs <= nowMs ||
      !this.#isNewest(namespace, name)
    ) {
      this.#eventTurns.forget(key);
      if (present !== undefined) await this.#remove(present, signal);
      return undefined;
    }
    const isTold = present?.metadata.annotations?.[returnAnnotations.edgeState] === birth.seen;
    if (isTold) return { requeueAfterMs: expiresMs - nowMs + 1 };
    const waitMs = this.#eventTurns.waitMs(key);
    if (waitMs > 0) return { requeueAfterMs: waitMs };
    const event = await this.#read(eventKind, birth, edge, signal);
    if (event === undefined) return undefined;
    const object = eventForm(event, name, group);
    const bytes = Buffer.byteLength(JSON.stringify(object));
    if (bytes > returnedObjectBytesMax) return undefined;
    await this.#tell(eventKind, birth, { object, state: birth.seen ?? '', bytes }, signal);
    return { requeueAfterMs: expiresMs - nowMs + 1 };
  }

  /** Whether it is among as many Events of its namespace as requests allow. */
  #isNewest(namespace: string, name: string): boolean {
    const nowMs = this.#options.clock.monotonic();
    let newest = this.#newest.get(namespace);
    // One that has come since is new: it counts as one until all are counted again.
    if (newest === undefined || nowMs - newest.atMs >= newestMs) {
      newest = {
        names: this.#events?.newestIn(namespace, this.#eventsMax(namespace)) ?? new Set(),
        atMs: nowMs,
      };
      this.#newest.set(namespace, newest);
    }
    return newest.names.has(name) || this.#isSaidAfter(namespace, name, newest.names);
  }

  #isSaidAfter(namespace: string, name: string, names: ReadonlySet<string>): boolean {
    if (names.size < this.#eventsMax(namespace)) return true;
    let last: string | undefined;
    for (const one of names) last = one;
    const oldestMs = last === undefined ? 0 : (this.#events?.group(namespace, last)?.lastMs ?? 0);
    return (this.#events?.group(namespace, name)?.lastMs ?? 0) > oldestMs;
  }

  #eventsMax(namespace: string): number {
    let max = 0;
    for (const request of this.#requests.byIndex('namespace', namespace)) {
      const { resources, maxEvents = returnEventsDefault } = (request as ReturnRequest).spec;
      if (resources.some((selector) => returnKindOf(selector) === eventKind)) max += maxEvents;
    }
    return max;
  }

  /** Newer Events have come: the oldest that came back make room. */
  #trim(namespace: string): void {
    const events = this.#events;
    if (events === undefined) return;
    this.#newest.delete(namespace);
    const names = events.newestIn(namespace, this.#eventsMax(namespace));
    this.#newest.set(namespace, { names, atMs: this.#options.clock.monotonic() });
    for (const object of this.#returned.byIndex('namespace', namespace)) {
      const { spec } = object as ReturnedObject;
      if (spec.kind === eventKind.kind && spec.apiVersion === undefined && !names.has(spec.name)) {
        this.#queue.add(keyOfReturned(object as ReturnedObject));
      }
    }
  }

  /** Undefined when it has gone: its event is on the way. */
  async #read(
    { group, version, resource }: ReturnableKind,
    { metadata: { namespace }, edgeName }: Birth,
    edge: BirthPlace,
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    const ref: ObjectRef = {
      cluster: undefined,
      gvr: { group, version, resource },
      namespace,
      name: edgeName,
    };
    try {
      return await edge.client.get(ref, { signal });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** Writes the ReturnedObject, unless it says so already. */
  async #tell(
    kind: ReturnableKind,
    { metadata: { namespace = '', name = '' } }: Birth,
    { object, state }: ReturnedForm,
    signal: AbortSignal,
  ): Promise<void> {
    const present = this.#returnedAs(kind, namespace, name);
    if (present?.metadata.annotations?.[returnAnnotations.edgeState] === state) return;
    this.#options.pace.spend(1);
    const ref = this.#refOf(namespace, returnedObjectName(kind, name));
    const annotations = { [returnAnnotations.edgeState]: state };
    const custom = isCustomGroup(kind.group) ? { apiVersion: formatApiVersion(kind) } : {};
    await this.#options.federationClient.apply(
      ref,
      {
        apiVersion: `${returnedObjectsGvr.group}/${returnedObjectsGvr.version}`,
        kind: 'ReturnedObject',
        metadata: { name: ref.name, namespace, annotations },
        spec: { ...custom, kind: kind.kind, name, object },
      },
      { fieldManager: edgeFieldManager, force: true, signal },
    );
  }

  #isAsked(kindKey: string): boolean {
    return this.#askedKinds().some((kind) => returnKindKey(kind) === kindKey);
  }

  /** Whether it is among as many as its request allows, Events not counted; of those the first by name. */
  #fits(kind: ReturnableKind, birth: Birth): boolean {
    const request = this.#requestFor(kind, birth);
    if (request === undefined) return false;
    const key = returnKindKey(kind);
    const namespace = birth.metadata.namespace ?? '';
    let before = 0;
    for (const [otherKey, { kind: other, births }] of this.#births) {
      if (other === eventKind) continue;
      for (const one of births.in(namespace)) {
        const isBefore =
          otherKey < key || (otherKey === key && (one.metadata.name ?? '') < (birth.metadata.name ?? ''));
        if (isBefore && selectsReturn(request.spec.resources, other, one)) before++;
      }
      if (before >= request.spec.maxObjects) return false;
    }
    return true;
  }

  #requestFor(kind: ReturnableKind, object: KubeObject): ReturnRequest | undefined {
    for (const request of this.#requests.byIndex('namespace', object.metadata.namespace ?? '')) {
      if (selectsReturn((request as ReturnRequest).spec.resources, kind, object))
        return request as ReturnRequest;
    }
    return undefined;
  }

  #returnedAs(kind: ReturnKind, namespace: string, name: string): KubeObject | undefined {
    return this.#returned.get(`|${namespace}/${returnedObjectName(kind, name)}`);
  }

  #presentOf(key: string): KubeObject | undefined {
    const { kind, namespace, name } = partsOf(key);
    const [kindName = '', version = '', group = ''] = kind.split('/');
    const builtin = returnableKinds.find((one) => one.kind === kindName);
    const returned = group === '' ? builtin : { group, version, kind: kindName };
    return returned === undefined ? undefined : this.#returnedAs(returned, namespace, name);
  }

  async #remove({ metadata }: KubeObject, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.federationClient.delete(
        this.#refOf(metadata.namespace ?? '', metadata.name ?? ''),
        {
          preconditions: { uid: metadata.uid },
          signal,
        },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
    }
  }

  #refOf(namespace: string, name: string): ObjectRef {
    return { cluster: this.#options.workspace, gvr: returnedObjectsGvr, namespace, name };
  }
}

function keyOf(kind: ReturnKind, namespace: string, name: string): string {
  return `${returnKindKey(kind)}|${namespace}/${name}`;
}

function partsOf(key: string): { readonly kind: string; readonly namespace: string; readonly name: string } {
  const bar = key.indexOf('|');
  const slash = key.indexOf('/', bar);
  return { kind: key.slice(0, bar), namespace: key.slice(bar + 1, slash), name: key.slice(slash + 1) };
}

/** Of one that names no kind that comes back: a key that nothing stands under. */
function keyOfReturned({ metadata, spec }: ReturnedObject): string {
  const kind = returnKindOf(spec) ?? { group: '', version: '', kind: spec.kind };
  return keyOf(kind, metadata.namespace ?? '', spec.name);
}

/** The Event of an object beside it: of others a namespace's Events say nothing that is its project's. */
function isAboutItsNamespace({ metadata, involvedObject }: KubeObject): boolean {
  return isJsonObject(involvedObject) && involvedObject['namespace'] === metadata.namespace;
}

/** Without the workspace's own annotation: all lie in one, and are found by namespace and name. */
function slim({ apiVersion, kind, metadata, spec }: ReturnedObject): ReturnedObject {
  const { name, namespace, uid, resourceVersion } = metadata;
  const state = metadata.annotations?.[returnAnnotations.edgeState];
  const custom = spec.apiVersion === undefined ? {} : { apiVersion: spec.apiVersion };
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      ...(state === undefined ? {} : { annotations: { [returnAnnotations.edgeState]: state } }),
    },
    spec: { ...custom, kind: spec.kind, name: spec.name, object: {} },
  } as ReturnedObject;
}
