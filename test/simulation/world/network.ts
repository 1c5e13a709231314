import { setMaxListeners } from 'node:events';
import { otherStoreError } from '#api/federation/store-incarnation.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { AcceptedConnection } from '#apiserver/http/server.ts';
import type { UserInfo } from '#apiserver/request/user.ts';
import type {
  CallOptions,
  CollectionRef,
  KubeClient,
  ObjectRef,
  WatchEvent,
  WatchOptions,
} from '#client/client.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import type { ClientStore } from '#client/store-client.ts';
import type { Random } from '../../harness/random.ts';
import { byteFaultNames } from './byte-faults.ts';
import { LyingClient } from './lying-client.ts';
import type { SimulatedProcess } from './process.ts';
import type { VirtualTime } from './virtual-time.ts';
import { openWire } from './wire.ts';

/** The process of whoever is no part of the system. */
export const peopleName = 'people';
export const schedulerName = 'scheduler';

/** What can be reached over the simulated network. */
export interface Reachable {
  readonly name: string;
  /** Of its store. */
  readonly incarnationId: string;
  /** Not ours in the end: a Kubernetes. */
  readonly isEdge: boolean;
  currentRevision(): Promise<number>;
  /** Undefined while it is down. */
  clientAs(user: UserInfo): KubeClient | undefined;
  /** Serves a connection in bytes; false while it is down. */
  accept(connection: AcceptedConnection): boolean;
  /** Calls back when the server that answers now is no more. Returns how to take that back. */
  onDown(callback: () => void): () => void;
}

const latencyMinMs = 0.2;
const latencyMaxMs = 6;
const fnvPrime = 0x01000193;
/** Why what serves a call ends with it. */
const isOver = new Error('the call is over');
/** After so long without a sign from the other side a stream is given up. */
const keepAliveMs = 15_000;
const requestTimeoutMs = 30_000;
const writeVerbs: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'apply', 'delete']);

type CallFault =
  | 'refused'
  | 'answer-lost'
  | 'twice'
  | 'hangs'
  | 'InternalError'
  | 'ServiceUnavailable'
  | 'TooManyRequests'
  | 'Conflict';

const callFaults: { readonly [fault in CallFault]: number } = {
  refused: 3,
  'answer-lost': 4,
  twice: 2,
  hangs: 1,
  InternalError: 2,
  ServiceUnavailable: 2,
  TooManyRequests: 2,
  Conflict: 2,
};

/** What was to be deleted was something else by the time that it was. */
export const replacedFault = 'replaced before deletion';
/** What was to be written over likewise. */
export const replacedApplyFault = 'replaced before apply';

/** Every fault that can be drawn, by the names under which those that had an effect are counted. */
export const networkFaultNames: readonly string[] = [
  ...Object.keys(callFaults),
  ...byteFaultNames,
  replacedFault,
];

interface Link {
  /** Rises with every partition and heal. */
  epoch: number;
  isCut: boolean;
  /** Events are held back until then. */
  heldUntilMs: number;
  /** Until then what begins goes as bytes, and that share of it is damaged. */
  bytesUntilMs: number;
  byteFaultRate: number;
  /** Until then that share of the calls is answered with a lie. */
  lieUntilMs: number;
  lieRate: number;
  readonly streams: Set<(error: ApiError) => void>;
}

interface Counted {
  [what: string]: number;
}

export interface Connecting {
  /** As RemoteClient's. */
  readonly batches?: boolean | undefined;
  /** Whether the server accepts, at this moment, the credentials that the client has. */
  readonly isAccepted?: (() => boolean) | undefined;
  /** As RemoteClient's. */
  readonly store?: ClientStore | undefined;
  /** A connection of its own, that is cut by itself too, for what rests on nothing that the process has read over others. */
  readonly line?: string | undefined;
}

/**
 * Every request and watch between simulated processes: late by chance, in any order, and for as long as faults are drawn
 * refused, unanswered although done, done twice, or answered with an error. For a while a link's calls and watches go as bytes,
 * through the code of the real transport on both sides, and are damaged there.
 */
export class SimulatedNetwork {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #links = new Map<string, Link>();
  /** Share of the calls that go wrong. */
  faultRate = 0;
  /** Of every verb from one to another. */
  requests: Counted = {};
  /** Done when a component's deletion or apply has come to the server, before it is carried out. */
  beforeWrite: ((verb: 'delete' | 'apply', server: string, ref: ObjectRef) => Promise<void>) | undefined;
  /** Writes that rest on what was read of a store that is another one by now: what is told of them. */
  readonly strayWrites: string[] = [];
  /** By scheduler and server: what the scheduler's knowledge of it began with. */
  readonly #begunWith = new Map<string, { readonly by: SimulatedProcess; readonly incarnationId: string }>();
  /** How often credentials were not accepted. */
  refusals = 0;
  /** Of every request in its order and moment. */
  digest = 0;
  /** Faults that had an effect, by name. */
  readonly struck: Counted = {};

  constructor(time: VirtualTime, random: Random) {
    this.#time = time;
    this.#random = random;
  }

  link(from: string, to: string): Link {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = {
        epoch: 0,
        isCut: false,
        heldUntilMs: 0,
        bytesUntilMs: 0,
        byteFaultRate: 0,
        lieUntilMs: 0,
        lieRate: 0,
        streams: new Set(),
      };
      this.#links.set(key, link);
    }
    return link;
  }

  /** Nothing passes any more; nobody is told. */
  cut(from: string, to: string): void {
    const link = this.link(from, to);
    link.isCut = true;
    const epoch = ++link.epoch;
    void this.#time.sleep(keepAliveMs).then(() => {
      if (link.epoch === epoch) breakStreams(link, unreachable('no sign of the other side'));
    });
  }

  heal(from: string, to: string): void {
    const link = this.link(from, to);
    link.isCut = false;
    link.epoch++;
  }

  healAll(): void {
    this.faultRate = 0;
    for (const link of this.#links.values()) {
      if (link.isCut) link.epoch++;
      link.isCut = false;
      link.heldUntilMs = 0;
      link.bytesUntilMs = 0;
      link.lieUntilMs = 0;
    }
  }

  /** Streams of a link end. `Expired`: the server says that the revision is compacted. */
  breakStreams(from: string, to: string, how: 'reset' | 'expired'): void {
    breakStreams(
      this.link(from, to),
      how === 'reset'
        ? unreachable('connection reset')
        : new ApiError('Expired', 'the revision is compacted'),
    );
  }

  /** Events of a link come so much later. */
  hold(from: string, to: string, forMs: number): void {
    this.link(from, to).heldUntilMs = this.#time.nowMs + forMs;
  }

  /** For so long what begins on a link goes as bytes, and a share of it is damaged; watches begin anew. */
  damage(from: string, to: string, rate: number, forMs: number): void {
    const link = this.link(from, to);
    link.bytesUntilMs = this.#time.nowMs + forMs;
    link.byteFaultRate = rate;
    this.breakStreams(from, to, 'reset');
  }

  /** For so long the server answers a share of the calls with lies. Whoever makes it truthful again restarts it: see `breakStreams`. */
  lie(from: string, to: string, rate: number, forMs: number): void {
    const link = this.link(from, to);
    link.lieUntilMs = this.#time.nowMs + forMs;
    link.lieRate = rate;
  }

  drawLie(link: Link): boolean {
    return link.lieUntilMs > this.#time.nowMs && this.#random.next() < link.lieRate;
  }

  /** A client of `server` for a process. */
  connect(from: SimulatedProcess, server: Reachable, user: UserInfo, options: Connecting = {}): KubeClient {
    return new NetworkClient(this.#time, this.#random, this, from, server, user, options);
  }

  drawFault(): CallFault | undefined {
    if (this.faultRate === 0 || this.#random.next() >= this.faultRate) return undefined;
    return this.#random.weighted(callFaults);
  }

  count(from: string, to: string, verb: string): void {
    const what = `${from}>${to} ${verb}`;
    add(this.requests, what);
    for (const character of `${this.#time.nowMs} ${what}`) {
      this.digest = Math.imul(this.digest ^ (character.codePointAt(0) ?? 0), fnvPrime) >>> 0;
    }
  }

  countFault(fault: string): void {
    add(this.struck, fault);
  }

  /** A scheduler has read which workspaces there are: what it decides from now on rests on this store. */
  begins(by: SimulatedProcess, { name, incarnationId }: Reachable): void {
    if (by.name.startsWith(schedulerName)) this.#begunWith.set(`${by.name}>${name}`, { by, incarnationId });
  }

  /** A write is carried out. */
  writes(by: SimulatedProcess, verb: string, { name, incarnationId }: Reachable): void {
    const begun = this.#begunWith.get(`${by.name}>${name}`);
    if (begun === undefined || begun.by !== by || begun.incarnationId === incarnationId) return;
    const atMs = Math.round(this.#time.nowMs);
    this.strayWrites.push(
      `${by.name}: ${verb} at ${atMs} ms by what it knew of ${name} before that was put back`,
    );
  }
}

function add(counted: Counted, what: string): void {
  counted[what] = (counted[what] ?? 0) + 1;
}

function breakStreams(link: Link, error: ApiError): void {
  for (const end of [...link.streams]) end(error);
}

/** What the client is told instead of its answer, where the call is not done. */
function refusalOf(fault: CallFault): ApiError | undefined {
  switch (fault) {
    case 'refused':
      return unreachable('connection refused');
    case 'TooManyRequests':
      return new ApiError(fault, 'injected', { details: { retryAfterSeconds: 1 } });
    case 'InternalError':
    case 'ServiceUnavailable':
    case 'Conflict':
      return new ApiError(fault, 'injected');
    default:
      return undefined;
  }
}

function unreachable(why: string): ApiError {
  return new ApiError('ServiceUnavailable', why, { cause: new Error(why) });
}

class NetworkClient implements KubeClient {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #network: SimulatedNetwork;
  readonly #from: SimulatedProcess;
  readonly #server: Reachable;
  readonly #user: UserInfo;
  readonly #options: Connecting;
  readonly #closing = new AbortController();
  #remote: RemoteClient | undefined;

  constructor(
    time: VirtualTime,
    random: Random,
    network: SimulatedNetwork,
    from: SimulatedProcess,
    server: Reachable,
    user: UserInfo,
    options: Connecting,
  ) {
    this.#time = time;
    this.#random = random;
    this.#network = network;
    this.#from = from;
    this.#server = server;
    this.#user = user;
    this.#options = options;
    setMaxListeners(0, this.#closing.signal); // one for every call under way
  }

  get: KubeClient['get'] = (ref, options) =>
    this.#call('get', options, (target, bounded) => target.get(ref, bounded));

  list: KubeClient['list'] = (collection, options) =>
    this.#call('list', options, async (target, bounded) => {
      if (collection.gvr.resource === 'logicalclusters') this.#network.begins(this.#from, this.#server);
      return target.list(collection, bounded);
    });

  create: KubeClient['create'] = (collection, object, options) =>
    this.#call('create', options, (target, bounded) => target.create(collection, object, bounded));

  update: KubeClient['update'] = (ref, object, options) =>
    this.#call('update', options, (target, bounded) => target.update(ref, object, bounded));

  patch: KubeClient['patch'] = (ref, patch, options) =>
    this.#call('patch', options, (target, bounded) => target.patch(ref, patch, bounded));

  apply: KubeClient['apply'] = (ref, object, options) =>
    this.#call('apply', options, async (target, bounded) => {
      await this.#beforeWrite('apply', ref);
      return target.apply(ref, object, bounded);
    });

  delete: KubeClient['delete'] = (ref, options) =>
    this.#call('delete', options, async (target, bounded) => {
      await this.#beforeWrite('delete', ref);
      return target.delete(ref, bounded);
    });

  deleteCollection: KubeClient['deleteCollection'] = (collection, options) =>
    this.#call('delete', options, (target, bounded) => target.deleteCollection(collection, bounded));

  raw: KubeClient['raw'] = (request, options) =>
    this.#call('get', options, (target, bounded) => target.raw(request, bounded));

  watch(collection: CollectionRef, options: WatchOptions = {}): AsyncIterable<WatchEvent> {
    return { [Symbol.asyncIterator]: () => this.#watch(collection, options) };
  }

  close(): Promise<void> {
    this.#closing.abort(unreachable('the client is closed'));
    return this.#remote?.close() ?? Promise.resolve();
  }

  async #beforeWrite(verb: 'delete' | 'apply', ref: ObjectRef): Promise<void> {
    const { beforeWrite } = this.#network;
    if (beforeWrite !== undefined && this.#from.name !== peopleName) {
      await beforeWrite(verb, this.#server.name, ref);
    }
  }

  #latency(): Promise<void> {
    const spreadMs = latencyMaxMs - latencyMinMs;
    return this.#time.sleep(latencyMinMs + this.#random.next() ** 3 * spreadMs);
  }

  /** Settles in time, and never once the process is dead. */
  #call<T, O extends CallOptions>(
    verb: string,
    options: O | undefined,
    perform: (target: KubeClient, options: O) => Promise<T>,
  ): Promise<T> {
    const { signal, timeoutMs = requestTimeoutMs } = options ?? {};
    const ending = new AbortController();
    // The server goes on with what it was sent, whether anybody waits or not.
    const sent = { ...options, signal: undefined, timeoutMs: undefined } as unknown as O;
    return new Promise<T>((resolve, reject) => {
      const endings: (() => void)[] = [];
      const end = (act: () => void) => {
        if (ending.signal.aborted) return;
        ending.abort(isOver); // an error of its own for each would cost more than the rest of the call
        for (const one of endings) one();
        void this.#from.awake().then(act);
      };
      const giveUp = (reason: unknown) => end(() => reject(reason));
      for (const one of [signal, this.#closing.signal]) {
        if (one === undefined) continue;
        if (one.aborted) {
          giveUp(one.reason);
          return;
        }
        const onAbort = () => giveUp(one.reason);
        one.addEventListener('abort', onAbort, { once: true });
        endings.push(() => one.removeEventListener('abort', onAbort));
      }
      const timer = setTimeout(
        () => giveUp(new ApiError('Timeout', `${this.#server.name} did not answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      endings.push(() => clearTimeout(timer));
      this.#exchange(verb, perform, sent, ending.signal, endings).then(
        (value) => end(() => resolve(value)),
        (error: unknown) => giveUp(error),
      );
    });
  }

  async #exchange<T, O>(
    verb: string,
    perform: (target: KubeClient, options: O) => Promise<T>,
    options: O,
    signal: AbortSignal,
    endings: (() => void)[],
  ): Promise<T> {
    const { name } = this.#server;
    const link = this.#network.link(this.#from.name, name);
    await this.#from.awake();
    this.#network.count(this.#from.name, name, verb);
    this.#authenticate();
    const isWrite = writeVerbs.has(verb);
    if (isWrite) await this.#from.atWrite('before');
    if (this.#goesAsBytes(link)) {
      const value = await perform(this.#overBytes(link), { ...options, signal });
      if (isWrite) await this.#from.atWrite('after');
      return value;
    }
    await this.#latency();
    if (this.#isCut(link)) await never();
    const fault = this.#network.drawFault();
    if (fault === 'hangs') {
      this.#network.countFault(fault);
      await never();
    }
    const truth = this.#server.clientAs(this.#user);
    if (truth === undefined) throw unreachable('connection refused');
    const target = this.#network.drawLie(link)
      ? new LyingClient(truth, this.#random, (lie) => this.#network.countFault(lie))
      : truth;
    const isIdle =
      (fault === 'Conflict' && (verb === 'get' || verb === 'list' || verb === 'create')) ||
      (fault === 'twice' && verb === 'create');
    if (fault !== undefined && !isIdle) {
      this.#network.countFault(fault);
      const error = refusalOf(fault);
      if (error !== undefined) throw error;
    }
    const down = new Promise<never>((_, reject) => {
      endings.push(this.#server.onDown(() => reject(unreachable('connection reset'))));
    });
    down.catch(() => {}); // told by the race
    this.#compareStore();
    if (isWrite && this.#options.line === undefined) this.#network.writes(this.#from, verb, this.#server);
    const value = await Promise.race([perform(target, options), down]);
    if (isWrite) await this.#from.atWrite('after');
    // A proxy that saw no answer has asked again; a creation is nothing that it may repeat.
    if (fault === 'twice' && !isIdle) await Promise.race([perform(target, options).catch(() => {}), down]);
    if (fault === 'answer-lost') throw unreachable('connection reset');
    await this.#latency();
    if (this.#isCut(link)) await never();
    return value;
  }

  async *#watch(
    collection: CollectionRef,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent, void, undefined> {
    const { name } = this.#server;
    const link = this.#network.link(this.#from.name, name);
    const { signal } = options;
    if (signal?.aborted === true || this.#closing.signal.aborted) return;
    let fail: (error: ApiError | undefined) => void = () => {};
    const ended = new Promise<ApiError | undefined>((resolve) => {
      fail = resolve;
    });
    const onEnd = () => fail(undefined);
    const inner = new AbortController();
    const onStream = (error: ApiError) => fail(error);
    link.streams.add(onStream);
    signal?.addEventListener('abort', onEnd, { once: true });
    this.#closing.signal.addEventListener('abort', onEnd, { once: true });
    const forgetDown = this.#server.onDown(() => fail(unreachable('connection reset')));
    const forgetDeath = this.#from.onDeath(() => {
      inner.abort();
      link.streams.delete(onStream);
      forgetDown();
    });
    /** The promise's value, unless the stream ends before. */
    const until = <T>(promise: Promise<T>): Promise<{ value: T } | { end: ApiError | undefined }> =>
      Promise.race([promise.then((value) => ({ value })), ended.then((error) => ({ end: error }))]);
    try {
      await this.#from.awake();
      this.#network.count(this.#from.name, name, 'watch');
      this.#authenticate();
      const opened = await until(
        (async () => {
          if (this.#goesAsBytes(link)) return { isWired: true, fault: undefined };
          await this.#latency();
          await this.#passable(link);
          return { isWired: false, fault: this.#network.drawFault() };
        })(),
      );
      if ('end' in opened) return yield* endWith(opened.end);
      const { fault } = opened.value;
      const target = opened.value.isWired ? this.#overBytes(link) : this.#server.clientAs(this.#user);
      if (target === undefined) throw unreachable('connection refused');
      if (fault === 'refused' || fault === 'InternalError') {
        this.#network.countFault(fault);
        throw refusalOf(fault);
      }
      this.#compareStore();
      const events = (await this.#eventsOf(target, collection, { ...options, signal: inner.signal }))[
        Symbol.asyncIterator
      ]();
      for (;;) {
        const next = await until(events.next());
        if ('end' in next) return yield* endWith(next.end);
        if (next.value.done === true) return;
        const arrived = await until(
          (async () => {
            if (!opened.value.isWired) {
              await this.#latency();
              await this.#passable(link);
            }
            const heldMs = link.heldUntilMs - this.#time.nowMs;
            if (heldMs > 0) await this.#time.sleep(heldMs);
            await this.#from.awake();
          })(),
        );
        if ('end' in arrived) return yield* endWith(arrived.end);
        yield next.value.value;
      }
    } finally {
      inner.abort();
      link.streams.delete(onStream);
      forgetDown();
      forgetDeath();
      signal?.removeEventListener('abort', onEnd);
      this.#closing.signal.removeEventListener('abort', onEnd);
    }
  }

  /**
   * A watch from a revision that the server has yet to reach tells nothing up to that one, and does not say so: as
   * kube-apiserver's (k8s.io/apiserver/pkg/storage/cacher/cache_watcher.go), while ours refuses it.
   */
  async #eventsOf(
    target: KubeClient,
    collection: CollectionRef,
    options: WatchOptions,
  ): Promise<AsyncIterable<WatchEvent>> {
    const from = Number(options.resourceVersion ?? 0);
    if (!this.#server.isEdge || from <= (await this.#server.currentRevision())) {
      return target.watch(collection, options);
    }
    const { metadata } = await target.list(collection, { limit: 1 });
    const events = target.watch(collection, { ...options, resourceVersion: metadata.resourceVersion });
    return {
      async *[Symbol.asyncIterator]() {
        for await (const event of events) {
          const { resourceVersion } = event.type === 'BOOKMARK' ? event : event.object.metadata;
          if (Number(resourceVersion ?? 0) > from) yield event;
        }
      },
    };
  }

  #authenticate(): void {
    if (this.#options.isAccepted?.() !== false) return;
    this.#network.refusals++;
    throw new ApiError('Unauthorized', 'Unauthorized');
  }

  /** What the server’s HTTP does with the header that RemoteClient sends. */
  #compareStore(): void {
    const { store } = this.#options;
    if (store === undefined || store.incarnationId === this.#server.incarnationId) return;
    store.onOther();
    throw otherStoreError();
  }

  #goesAsBytes(link: Link): boolean {
    return link.bytesUntilMs > this.#time.nowMs;
  }

  /** The client as it is in a program, on connections whose other end is the server's HTTP. */
  #overBytes(link: Link): KubeClient {
    this.#remote ??= this.#connectRemote(link);
    return this.#remote;
  }

  #connectRemote(link: Link): RemoteClient {
    const { name } = this.#server;
    const { batches, store } = this.#options;
    const connector = () =>
      openWire({
        random: this.#random,
        user: this.#user,
        accept: (connection) => this.#server.accept(connection),
        delay: async (to) => {
          await this.#latency();
          await this.#passable(link);
          if (to === 'client') await this.#from.awake();
        },
        onBreak: (callback) => {
          const onStream = (error: ApiError) => {
            if (error.reason !== 'Expired') callback();
          };
          link.streams.add(onStream);
          const endings = [this.#server.onDown(callback), this.#from.onDeath(callback)];
          return () => {
            link.streams.delete(onStream);
            for (const end of endings) end();
          };
        },
        faultRate: () => (this.#goesAsBytes(link) ? link.byteFaultRate : 0),
        struck: (fault) => this.#network.countFault(fault),
      });
    // The name by which fields are owned is the same as of calls that do not go as bytes.
    const options = { userAgent: 'cellplane', batches, connector, store };
    return new RemoteClient({ server: `http://${name}.example` }, options);
  }

  /** A partition that ends before anybody noticed only delays. */
  async #passable(link: Link): Promise<void> {
    while (this.#isCut(link)) await this.#time.sleep(100);
  }

  #isCut(link: Link): boolean {
    const { line } = this.#options;
    return link.isCut || (line !== undefined && this.#network.link(line, this.#server.name).isCut);
  }
}

// biome-ignore lint/correctness/useYield: it stands where a generator ends
async function* endWith(error: ApiError | undefined): AsyncGenerator<never, void, undefined> {
  if (error !== undefined) throw error;
}

function never(): Promise<never> {
  return new Promise(() => {});
}
