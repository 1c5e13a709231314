import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeList, KubeObject } from '#apimachinery/object.ts';
import type {
  ApplyOptions,
  CallOptions,
  CollectionRef,
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectRef,
  Patch,
  ReadOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '#client/client.ts';
import { outcomeOf, type RequestMetrics } from '#client/metrics/request-metrics.ts';
import type { Breaker } from './breaker.ts';
import { checkedItem, checkedList, checkedObject } from './checked-answer.ts';
import { isUnanswered } from './edge-problem.ts';

/** How long an edge's events may keep others from their turn: an edge that floods must cost only itself. */
const turnMs = 2;
const never = new AbortController().signal;

/**
 * A client for one edge, of which every call waits at the breaker, tells it what came of it, has a time limit, and whose
 * answers are checked.
 * `onUnauthorized` is called when the edge does not accept the credentials.
 */
export class GuardedClient implements KubeClient {
  readonly #client: KubeClient;
  readonly #breaker: Breaker;
  readonly #timeoutMs: number;
  readonly #onUnauthorized: () => void;
  readonly #metrics: RequestMetrics | undefined;
  readonly #beforeAsking: ((call: { readonly signal: AbortSignal }) => Promise<void> | undefined) | undefined;
  /** Calls that have passed the breaker, watches aside. */
  #underWay = 0;
  #onIdle: (() => void) | undefined;

  constructor(options: {
    readonly client: KubeClient;
    readonly breaker: Breaker;
    /** What every call waits for before it is sent (EdgePace); absent: for nothing. */
    readonly beforeAsking?:
      | ((call: { readonly signal: AbortSignal }) => Promise<void> | undefined)
      | undefined;
    readonly timeoutMs: number;
    readonly onUnauthorized: () => void;
    readonly metrics?: RequestMetrics | undefined;
  }) {
    this.#client = options.client;
    this.#breaker = options.breaker;
    this.#timeoutMs = options.timeoutMs;
    this.#onUnauthorized = options.onUnauthorized;
    this.#metrics = options.metrics;
    this.#beforeAsking = options.beforeAsking;
  }

  get(ref: ObjectRef, options: ReadOptions = {}): Promise<KubeObject> {
    return this.#guard(options, async (bounded) => checkedObject(await this.#client.get(ref, bounded), ref));
  }

  list(collection: CollectionRef, options: ListOptions = {}): Promise<KubeList> {
    return this.#guard(options, async (bounded) =>
      checkedList(await this.#client.list(collection, bounded), collection),
    );
  }

  create(collection: CollectionRef, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    return this.#guard(options, (bounded) => this.#client.create(collection, object, bounded));
  }

  update(ref: ObjectRef, object: KubeObject, options: WriteOptions = {}): Promise<KubeObject> {
    return this.#guard(options, async (bounded) =>
      checkedObject(await this.#client.update(ref, object, bounded), ref),
    );
  }

  patch(ref: ObjectRef, patch: Patch, options: WriteOptions = {}): Promise<KubeObject> {
    return this.#guard(options, async (bounded) =>
      checkedObject(await this.#client.patch(ref, patch, bounded), ref),
    );
  }

  apply(ref: ObjectRef, object: JsonObject, options: ApplyOptions): Promise<KubeObject> {
    return this.#guard(options, async (bounded) =>
      checkedObject(await this.#client.apply(ref, object, bounded), ref),
    );
  }

  delete(ref: ObjectRef, options: DeleteOptions = {}): Promise<JsonObject> {
    return this.#guard(options, (bounded) => this.#client.delete(ref, bounded));
  }

  deleteCollection(collection: CollectionRef, options: ListOptions & DeleteOptions = {}): Promise<void> {
    return this.#guard(options, (bounded) => this.#client.deleteCollection(collection, bounded));
  }

  raw(request: Parameters<KubeClient['raw']>[0], options: CallOptions = {}): Promise<JsonValue> {
    return this.#guard(options, (bounded) => this.#client.raw(request, bounded));
  }

  async *watch(collection: CollectionRef, options: WatchOptions = {}): AsyncGenerator<WatchEvent> {
    await this.#breaker.pass(options.signal);
    await this.#paced(options.signal);
    let answered = false;
    let sinceMs = performance.now();
    try {
      for await (const event of this.#client.watch(collection, options)) {
        if (!answered) this.#breaker.reached();
        answered = true;
        if (event.type !== 'BOOKMARK') checkedItem(event.object, collection);
        yield event;
        if (performance.now() - sinceMs < turnMs) continue;
        await new Promise((resolve) => setImmediate(resolve));
        sinceMs = performance.now();
      }
    } catch (error) {
      this.#note(error);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#breaker.stop();
    await this.#client.close();
  }

  /** Lets no further call pass, and closes when those under way have been answered, which their time limits bound. */
  async retire(): Promise<void> {
    this.#breaker.stop();
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#client.close();
  }

  async #guard<O extends CallOptions, T>(options: O, call: (bounded: O) => Promise<T>): Promise<T> {
    const wait = this.#breaker.pass(options.signal);
    if (wait !== undefined) await wait;
    this.#underWay++;
    try {
      return await this.#ask(options, call);
    } finally {
      if (--this.#underWay === 0) this.#onIdle?.();
    }
  }

  async #ask<O extends CallOptions, T>(options: O, call: (bounded: O) => Promise<T>): Promise<T> {
    const pause = this.#paced(options.signal);
    if (pause !== undefined) await pause;
    const startedMs = performance.now();
    try {
      const answer = await call(
        options.timeoutMs === undefined ? { ...options, timeoutMs: this.#timeoutMs } : options,
      );
      this.#breaker.reached();
      this.#metrics?.observe('ok', (performance.now() - startedMs) / 1_000);
      return answer;
    } catch (error) {
      if (options.signal?.aborted !== true) {
        this.#metrics?.observe(outcomeOf(error), (performance.now() - startedMs) / 1_000);
        this.#note(error);
      }
      throw error;
    }
  }

  #paced(signal: AbortSignal = never): Promise<void> | undefined {
    return this.#beforeAsking?.({ signal });
  }

  #note(error: unknown): void {
    if (isUnanswered(error)) {
      this.#breaker.unreached();
      return;
    }
    if (!isApiError(error)) return;
    this.#breaker.reached();
    if (error.reason === 'Unauthorized') this.#onUnauthorized();
  }
}
