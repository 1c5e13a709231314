import type { Dispatcher } from 'undici';
import {
  type BatchAnswer,
  BatchDecoder,
  type BatchItem,
  type BatchTextItem,
  batchAnswerOf,
  batchBytesOf,
  batchItemsMax,
  batchItemsOf,
  batchMediaType,
  notInBatch,
} from '#api/federation/batch.ts';
import type { OpenCall } from '../open-calls.ts';
import { type AnsweredBytes, requestBytes } from './request-bytes.ts';

export interface BatchLimits {
  /**
   * Batches that are young: sent, less than half answered, and not older than twice what batches of late took to be half
   * answered. While there are so many, calls gather.
   */
  readonly youngMax: number;
  /** One is young for so long at least, if it is not answered, and at most. */
  readonly youngMs: number;
  readonly youngMsMax: number;
  /** Bodies in one batch; a call with a larger one goes by itself. */
  readonly batchBytesMax: number;
  /** A server that knows no batches is not asked again for so long. */
  readonly unknownMs: number;
}

export const defaultBatchLimits: BatchLimits = {
  youngMax: 2,
  youngMs: 5,
  youngMsMax: 25,
  batchBytesMax: 1024 * 1024,
  unknownMs: 60_000,
};

/** A batch's time counts for so much of what is usual. */
const usualPart = 1 / 4;

/** A call for one object, as it would be sent by itself. */
export type SingleRequest = BatchTextItem;

export interface BatcherOptions {
  readonly dispatcher: Dispatcher;
  /** Path of the server's batches. */
  readonly path: string;
  /** How one call is sent by itself. */
  readonly alone: (request: SingleRequest) => Dispatcher.DispatchOptions;
  /** Headers of a batch beside its type. */
  readonly headers: { readonly [name: string]: string };
  readonly limits?: Partial<BatchLimits> | undefined;
  /** Milliseconds that only rise. Default `performance.now`. */
  readonly now?: (() => number) | undefined;
}

/** One that waits for its answer. */
interface Pending {
  /** Undefined once it is part of a batch: its text lies in the batch's bytes, and would be copied by each collection. */
  request: SingleRequest | undefined;
  readonly call: OpenCall;
  readonly resolve: (answer: AnsweredBytes) => void;
  readonly reject: (reason: unknown) => void;
  isOver: boolean;
  /** Told when the caller has given up. */
  onOver: (() => void) | undefined;
}

/**
 * Sends calls that are made at the same time as one HTTP request (docs/batches.md): TLS, HTTP and system calls are most of
 * what a small request costs both sides. A call that is alone goes as it always did, at once. What a server cannot do within
 * a batch, and everything for a server that knows no batches, is sent by itself. Answers are given as they come: a slow item
 * holds up no other.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #limits: BatchLimits;
  readonly #now: () => number;
  /** In the order of their making; bounded by the calls that callers make at once. */
  #waiting: Pending[] = [];
  #young = 0;
  #isScheduled = false;
  /** Until a batch is half answered, of late. */
  #usualMs = 0;
  #unknownUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#limits = { ...defaultBatchLimits, ...options.limits };
    this.#now = options.now ?? (() => performance.now());
  }

  /** Rejects as `requestBytes` does. */
  send(request: SingleRequest, call: OpenCall): Promise<AnsweredBytes> {
    const isLarge = request.body !== undefined && request.body.length > this.#limits.batchBytesMax;
    if (isLarge || this.#unknownUntilMs > this.#now()) return this.#sendAlone(request, call);
    return new Promise((resolve, reject) => {
      const pending: Pending = { request, call, resolve, reject, isOver: false, onOver: undefined };
      this.#waiting.push(pending);
      this.#schedule();
      call.onAbort((reason) => {
        if (pending.isOver) return;
        pending.isOver = true;
        reject(reason);
        pending.onOver?.();
      });
    });
  }

  #sendAlone(request: SingleRequest, call: OpenCall): Promise<AnsweredBytes> {
    return requestBytes(this.#options.dispatcher, this.#options.alone(request), call);
  }

  /** What is called for in this turn of the event loop goes together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#waiting.length > 0) {
      if (this.#young >= this.#limits.youngMax && this.#waiting.length < batchItemsMax) return;
      const batch = this.#take();
      const [first] = batch;
      if (first === undefined) return;
      this.#young++;
      let isYoung = true;
      const aged = () => {
        if (!isYoung) return;
        isYoung = false;
        this.#young--;
        clearTimeout(timer);
        if (this.#waiting.length > 0) this.#schedule();
      };
      const sentMs = this.#now();
      const timer = setTimeout(aged, this.#youngMs).unref();
      const onAnswered = () => {
        this.#usualMs += (this.#now() - sentMs - this.#usualMs) * usualPart;
        aged();
      };
      if (batch.length > 1) this.#sendBatch(batch, { onAnswered, onAged: aged });
      else this.#repeatAlone(first, first.request as SingleRequest, onAnswered);
    }
  }

  /**
   * How long a batch keeps others waiting. A server that is busy answers late whatever it is sent, and what comes in many
   * small batches costs both sides several times as much as in a few.
   */
  get #youngMs(): number {
    const { youngMs, youngMsMax } = this.#limits;
    return Math.min(youngMsMax, Math.max(youngMs, 2 * this.#usualMs));
  }

  /** Those at the front that fit into one batch, without those that were given up. */
  #take(): Pending[] {
    const batch: Pending[] = [];
    let bytes = 0;
    let taken = 0;
    for (const pending of this.#waiting) {
      if (batch.length === batchItemsMax) break;
      const size = pending.request?.body?.length ?? 0;
      if (!pending.isOver) {
        if (batch.length > 0 && bytes + size > this.#limits.batchBytesMax) break;
        bytes += size;
        batch.push(pending);
      }
      taken++;
    }
    this.#waiting = this.#waiting.slice(taken);
    return batch;
  }

  #repeatAlone(pending: Pending, request: SingleRequest, onAnswered?: () => void): void {
    if (pending.isOver) {
      onAnswered?.();
      return;
    }
    this.#sendAlone(request, pending.call).then(
      (answer) => {
        onAnswered?.();
        finish(pending, answer);
      },
      (error: unknown) => {
        onAnswered?.();
        fail(pending, error);
      },
    );
  }

  #sendBatch(batch: readonly Pending[], events: Pick<BatchEvents, 'onAnswered' | 'onAged'>): void {
    const { dispatcher, path, headers } = this.#options;
    const body = batchBytesOf(batch.map(({ request }) => request as SingleRequest));
    for (const pending of batch) pending.request = undefined;
    let sent: readonly BatchItem[] | undefined;
    const answers = new BatchResponse(batch, {
      ...events,
      alone: (pending, item) => {
        sent ??= batchItemsOf(body);
        this.#repeatAlone(pending, textItemOf(sent[item] as BatchItem));
      },
      onUnknown: () => {
        this.#unknownUntilMs = this.#now() + this.#limits.unknownMs;
      },
    });
    dispatcher.dispatch(
      {
        method: 'POST',
        path,
        headers: { ...headers, 'content-type': batchMediaType, accept: batchMediaType },
        body,
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      answers,
    );
  }
}

/** Answers with which a server says that it knows no batches, or not from us; nothing of the batch has happened then. */
const unknownCodes: ReadonlySet<number> = new Set([403, 404, 405, 415, 501]);
const tooLarge = 413;

interface BatchEvents {
  /** Half of it is answered. Once. */
  readonly onAnswered: () => void;
  /** It is over, or nobody waits for it any more. */
  readonly onAged: () => void;
  /** To be sent by itself; `item`: its place in the batch. */
  readonly alone: (pending: Pending, item: number) => void;
  readonly onUnknown: () => void;
}

/** Gives the answers of a batch to those who wait for them. */
class BatchResponse implements Dispatcher.DispatchHandler {
  readonly #batch: readonly Pending[];
  readonly #events: BatchEvents;
  readonly #decoder = new BatchDecoder();
  #controller: Dispatcher.DispatchController | undefined;
  #statusCode = 0;
  #answered = 0;
  /** Not answered, and nobody waits for them any more. */
  #givenUp = 0;
  /** Of an answer that is no batch's. */
  readonly #chunks: Buffer[] = [];

  constructor(batch: readonly Pending[], events: BatchEvents) {
    this.#batch = batch;
    this.#events = events;
    for (const pending of batch) {
      pending.onOver = () => {
        this.#givenUp++;
        this.#abandon();
      };
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#abandon();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, statusCode: number): void {
    this.#statusCode = statusCode;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#statusCode !== 200) {
      this.#chunks.push(chunk);
      return;
    }
    try {
      for (const frame of this.#decoder.push(chunk)) this.#answer(batchAnswerOf(frame));
    } catch (error) {
      controller.abort(error instanceof Error ? error : new Error(String(error)));
    }
  }

  onResponseEnd(): void {
    this.#events.onAged();
    if (this.#statusCode === 200) {
      if (this.#answered < this.#batch.length) this.#failRest(new Error('the answer to a batch ended early'));
      return;
    }
    const isUnknown = unknownCodes.has(this.#statusCode);
    if (isUnknown) this.#events.onUnknown();
    const answer = { statusCode: this.#statusCode, body: Buffer.concat(this.#chunks) };
    for (const [item, pending] of this.#batch.entries()) {
      if (isUnknown || this.#statusCode === tooLarge) this.#events.alone(pending, item);
      else finish(pending, answer);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#events.onAged();
    this.#failRest(error);
  }

  #answer({ item, code, body }: BatchAnswer): void {
    const pending = this.#batch[item];
    if (pending?.onOver === undefined) return;
    if (pending.isOver) this.#givenUp--;
    pending.onOver = undefined;
    if (++this.#answered === Math.ceil(this.#batch.length / 2)) this.#events.onAnswered();
    if (code === notInBatch) this.#events.alone(pending, item);
    else finish(pending, { statusCode: code, body });
    this.#abandon();
  }

  #failRest(error: Error): void {
    for (const pending of this.#batch) if (pending.onOver !== undefined) fail(pending, error);
  }

  /** When nobody waits any more, nothing has to come. */
  #abandon(): void {
    if (this.#controller === undefined || this.#givenUp === 0) return;
    if (this.#answered + this.#givenUp < this.#batch.length) return;
    this.#events.onAged();
    this.#controller.abort(new Error('the calls were given up'));
  }
}

function textItemOf({ body, ...request }: BatchItem): SingleRequest {
  return { ...request, body: body?.toString('utf8') };
}

function finish(pending: Pending, answer: AnsweredBytes): void {
  if (pending.isOver) return;
  pending.isOver = true;
  pending.resolve(answer);
}

function fail(pending: Pending, error: unknown): void {
  if (pending.isOver) return;
  pending.isOver = true;
  pending.reject(error);
}
