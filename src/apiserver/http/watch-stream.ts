import type { WatchDelivery, WatchResult, WatchSignal, WatchSink } from '../verbs/result.ts';
import { type Exchange, isClosed } from './exchange.ts';
import type { HttpLimits } from './limits.ts';
import type { HttpMetrics } from './metrics.ts';
import type { Form } from './negotiate.ts';
import { includeObjectOf } from './object-forms.ts';
import { apiHeaders } from './respond.ts';
import { errorFrame, type FrameCache, FrameRenderer } from './watch-frames.ts';

/** Where frames go: a chunked response, an HTTP/2 stream, a WebSocket. */
export interface FrameChannel {
  /** Headers, at once (W1). */
  open(): void;
  /** Whole frames, in order. */
  write(frames: readonly Buffer[]): void;
  /** Written and not yet taken by the client. */
  readonly backlogBytes: number;
  /** Resolves when the client has caught up or is gone. */
  drained(): Promise<void>;
  /** A clean end. */
  end(): void;
  /** Cuts the connection: the client sees that the stream broke. */
  cut(): void;
  /** Calls back once when nobody listens any more. */
  onClose(callback: () => void): void;
}

/** A sink with less than this to be taken may be handed more initial events. */
const readyBytes = 1024 * 1024;

/** All watches under way, so that stop can end them at a pace. */
export class WatchStreams {
  readonly #streams = new Set<WatchStream>();
  readonly #limits: HttpLimits;
  readonly #metrics: HttpMetrics;
  readonly #frames: FrameCache;

  constructor(limits: HttpLimits, metrics: HttpMetrics, frames: FrameCache) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#frames = frames;
  }

  get count(): number {
    return this.#streams.size;
  }

  /** Sends headers and then events until either side ends it. */
  start(exchange: Exchange, result: WatchResult, form: Form, channel: FrameChannel): void {
    const renderer = new FrameRenderer(result.served, form, includeObjectOf(exchange), this.#frames);
    const stream = new WatchStream(renderer, channel, this.#limits.watchBacklogBytesMax, () => {
      this.#metrics.slowWatchersEnded++;
    });
    this.#streams.add(stream);
    this.#metrics.watches++;
    channel.onClose(() => {
      if (!this.#streams.delete(stream)) return;
      this.#metrics.watches--;
      stream.stop();
    });
    channel.open();
    stream.start(result);
  }

  /** Ends all watches cleanly, a part at a time: their clients come back elsewhere, and not all in one instant. */
  async endAll(batch: number, pauseMs: number): Promise<void> {
    while (this.#streams.size > 0) {
      let left = batch;
      for (const stream of [...this.#streams]) {
        if (left-- === 0) break;
        this.#streams.delete(stream);
        this.#metrics.watches--;
        stream.end();
      }
      if (this.#streams.size > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

class WatchStream implements WatchSink {
  readonly #renderer: FrameRenderer;
  readonly #channel: FrameChannel;
  readonly #backlogBytesMax: number;
  readonly #onSlow: () => void;
  #stopWatch: (() => void) | undefined;
  #isOver = false;

  constructor(renderer: FrameRenderer, channel: FrameChannel, backlogBytesMax: number, onSlow: () => void) {
    this.#renderer = renderer;
    this.#channel = channel;
    this.#backlogBytesMax = backlogBytesMax;
    this.#onSlow = onSlow;
  }

  start(result: WatchResult): void {
    const stop = result.start(this);
    // It may have ended while it started.
    if (this.#isOver) stop();
    else this.#stopWatch = stop;
  }

  deliver(deliveries: readonly WatchDelivery[]): void {
    if (this.#isOver) return;
    this.#write(deliveries.map((delivery) => this.#renderer.render(delivery)));
  }

  signal(signal: WatchSignal): void {
    if (this.#isOver) return;
    if (signal.type === 'bookmark') {
      this.#write([this.#renderer.bookmark(signal.revision, signal.initialEventsEnd)]);
      return;
    }
    if (signal.status !== undefined) this.#write([errorFrame(signal.status)]);
    this.end();
  }

  ready(): Promise<void> | undefined {
    return this.#channel.backlogBytes < readyBytes ? undefined : this.#channel.drained();
  }

  /** Ends cleanly from our side. Idempotent. */
  end(): void {
    if (this.#isOver) return;
    this.stop();
    this.#channel.end();
  }

  /** The client is gone, or is to be. Idempotent. */
  stop(): void {
    this.#isOver = true;
    this.#stopWatch?.();
    this.#stopWatch = undefined;
  }

  #write(frames: readonly Buffer[]): void {
    this.#channel.write(frames);
    if (this.#channel.backlogBytes <= this.#backlogBytesMax) return;
    // Its memory is everyone's: it comes back with the last revision that it has seen.
    this.#onSlow();
    this.stop();
    this.#channel.cut();
  }
}

/** A chunked HTTP/1.1 response or an HTTP/2 stream. */
export class HttpFrameChannel implements FrameChannel {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  open(): void {
    const { response } = this.#exchange;
    const headers = apiHeaders(this.#exchange);
    headers['Content-Type'] = 'application/json';
    response.writeHead(200, headers);
    // HTTP/2 has sent them already.
    if ('flushHeaders' in response) response.flushHeaders();
  }

  write(frames: readonly Buffer[]): void {
    const { response } = this.#exchange;
    if (this.#exchange.isGone) return;
    const data = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
    (response as NodeJS.WritableStream).write(data);
  }

  get backlogBytes(): number {
    return this.#exchange.response.writableLength;
  }

  drained(): Promise<void> {
    const { response } = this.#exchange;
    if (!response.writableNeedDrain && this.backlogBytes < readyBytes) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        response.off('drain', done);
        response.off('close', done);
        resolve();
      };
      response.once('drain', done);
      response.once('close', done);
    });
  }

  end(): void {
    if (!this.#exchange.response.writableEnded) this.#exchange.response.end();
  }

  cut(): void {
    this.#exchange.response.destroy();
  }

  onClose(callback: () => void): void {
    const { response } = this.#exchange;
    if (isClosed(response)) callback();
    else response.once('close', callback);
  }
}
