import type { JsonObject } from '#apimachinery/json.ts';
import { protobufMediaType } from '../../protobuf/protobuf.ts';
import type { ResourceRequest } from '../../request/request-info.ts';
import type { WatchDelivery, WatchResult, WatchSignal, WatchSink } from '../../verbs/result.ts';
import type { Form } from '../answers/negotiate.ts';
import { includeObjectOf } from '../answers/object-forms.ts';
import { apiHeaders } from '../answers/respond.ts';
import { type Exchange, isClosed } from '../exchange.ts';
import type { HttpLimits } from '../limits.ts';
import type { HttpMetrics } from '../metrics/metrics.ts';
import type { WatchSeries } from '../metrics/watch-series.ts';
import type { FrameChannel, FrameEncoding } from './frame-channel.ts';
import { connectionOf, FrameGatherer } from './gathered-frames.ts';
import { type FrameCache, FrameRenderer } from './watch-frames.ts';

/** Frames are rendered ahead of the client up to this; what comes then waits as references into the cache. */
const aheadBytesMax = 1024 * 1024;

const noResource: ResourceRequest = {
  group: '',
  version: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
};

/** All watches under way, so that stop can end them at a pace. */
export class WatchStreams {
  readonly #streams = new Set<WatchStream>();
  readonly #limits: HttpLimits;
  readonly #metrics: HttpMetrics;
  readonly #frames: FrameCache;
  readonly #gatherer = new FrameGatherer();

  constructor(limits: HttpLimits, metrics: HttpMetrics, frames: FrameCache) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#frames = frames;
  }

  get count(): number {
    return this.#streams.size;
  }

  /** Sends headers and then events until either side ends it; leaves the seat once it has begun (O2). */
  start(
    exchange: Exchange,
    result: WatchResult,
    form: Form,
    wire: FrameChannel,
    seat: { leave(): void } | undefined,
  ): void {
    const renderer = new FrameRenderer(result.served, form, includeObjectOf(exchange), this.#frames);
    const channel = this.#gatherer.gather(wire, connectionOf(exchange));
    const onSlow = () => {
      this.#metrics.slowWatchersEnded++;
    };
    const series = this.#metrics.watchesOf(result.served, exchange.info.resource ?? noResource);
    const stream = new WatchStream(renderer, channel, this.#limits, onSlow, seat, series);
    this.#streams.add(stream);
    series.open++;
    channel.onClose(() => {
      if (!this.#streams.delete(stream)) return;
      series.open--;
      stream.stop();
    });
    channel.open(form.encoding === 'protobuf' ? 'protobuf' : 'json');
    stream.start(result);
  }

  /** Ends all watches cleanly, a part at a time: their clients come back elsewhere, and not all in one instant. */
  async endAll(batch: number, pauseMs: number): Promise<void> {
    while (this.#streams.size > 0) {
      let left = batch;
      for (const stream of [...this.#streams]) {
        if (left-- === 0) break;
        this.#streams.delete(stream);
        stream.series.open--;
        stream.end();
      }
      if (this.#streams.size > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** What waits for the client: events are kept as references into the cache and rendered when their turn comes. */
type Pending =
  | { readonly delivery: WatchDelivery }
  | { readonly frame: Buffer }
  | { readonly end: JsonObject | undefined };

class WatchStream implements WatchSink {
  readonly #renderer: FrameRenderer;
  readonly #channel: FrameChannel;
  readonly #limits: HttpLimits;
  readonly #onSlow: () => void;
  /** Where it is counted. */
  readonly series: WatchSeries;
  /** Bytes rendered ahead of the client. */
  readonly #aheadBytes: number;
  #queue: Pending[] = [];
  /** Of the live events in the queue; initial ones come only as fast as they are taken. */
  #queuedBytes = 0;
  #pumping: Promise<void> | undefined;
  #stopWatch: (() => void) | undefined;
  #isOver = false;
  #seat: { leave(): void } | undefined;

  constructor(
    renderer: FrameRenderer,
    channel: FrameChannel,
    limits: HttpLimits,
    onSlow: () => void,
    seat: { leave(): void } | undefined,
    series: WatchSeries,
  ) {
    this.#seat = seat;
    this.series = series;
    this.#renderer = renderer;
    this.#channel = channel;
    this.#limits = limits;
    this.#onSlow = onSlow;
    this.#aheadBytes = Math.min(aheadBytesMax, limits.watchBacklogBytesMax / 2);
  }

  start(result: WatchResult): void {
    const stop = result.start(this);
    // It may have ended while it started.
    if (this.#isOver) stop();
    else this.#stopWatch = stop;
  }

  deliver(deliveries: readonly WatchDelivery[]): void {
    if (this.#isOver) return;
    this.series.events += deliveries.length;
    const written = this.#queue.length === 0 ? this.#writeAhead(deliveries) : 0;
    if (written === deliveries.length) return;
    for (let i = written; i < deliveries.length; i++) {
      const delivery = deliveries[i]!;
      this.#queue.push({ delivery });
      if (delivery.event !== undefined) this.#queuedBytes += delivery.entry.value.length;
    }
    this.#waitForClient();
  }

  signal(signal: WatchSignal): void {
    if (this.#isOver) return;
    if (signal.type === 'end') {
      if (this.#queue.length > 0) this.#queue.push({ end: signal.status });
      else this.#endWith(signal.status);
      return;
    }
    const frame = this.#renderer.bookmark(signal.revision, signal.initialEventsEnd);
    if (this.#queue.length > 0) this.#queue.push({ frame });
    else this.#channel.write([frame]);
  }

  begun(): void {
    const seat = this.#seat;
    this.#seat = undefined;
    seat?.leave();
  }

  ready(): Promise<void> | undefined {
    if (this.#queue.length > 0) return this.#pumping;
    return this.#channel.backlogBytes < this.#aheadBytes ? undefined : this.#channel.drained();
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
    this.#renderer.close();
    this.begun();
    this.#queue = [];
    this.#stopWatch?.();
    this.#stopWatch = undefined;
  }

  /** Renders and writes until enough is on its way; returns how many of them. */
  #writeAhead(deliveries: readonly WatchDelivery[]): number {
    let at = 0;
    while (at < deliveries.length && this.#channel.backlogBytes < this.#aheadBytes) {
      const frames: Buffer[] = [];
      for (let bytes = 0; at < deliveries.length && bytes < this.#aheadBytes; at++) {
        const frame = this.#renderer.render(deliveries[at]!);
        frames.push(frame);
        bytes += frame.length;
      }
      this.#channel.write(frames);
    }
    return at;
  }

  #waitForClient(): void {
    if (this.#queuedBytes + this.#channel.backlogBytes > this.#limits.watchBacklogBytesMax) {
      this.#endBehind();
      return;
    }
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  /** Takes from the queue as the client takes from us. */
  async #pump(): Promise<void> {
    while (this.#queue.length > 0 && !this.#isOver) {
      const isMoving = await withinTime(this.#channel.drained(), this.#limits.writeStallMs);
      if (this.#isOver) return;
      if (!isMoving) {
        this.#cut();
        return;
      }
      this.#drainQueue();
    }
  }

  #drainQueue(): void {
    let at = 0;
    while (at < this.#queue.length && this.#channel.backlogBytes < this.#aheadBytes) {
      const item = this.#queue[at]!;
      at++;
      if ('frame' in item) this.#channel.write([item.frame]);
      else if ('delivery' in item) {
        if (item.delivery.event !== undefined) this.#queuedBytes -= item.delivery.entry.value.length;
        this.#channel.write([this.#renderer.render(item.delivery)]);
      } else {
        this.#endWith(item.end);
        return;
      }
    }
    this.#queue.splice(0, at);
  }

  #endWith(status: JsonObject | undefined): void {
    if (status !== undefined) this.#channel.write([this.#renderer.error(status)]);
    this.end();
  }

  /**
   * What waits for it is more than it may hold: what is on its way still goes out, so that a client that resumes gets on,
   * however much lies between it and now.
   */
  #endBehind(): void {
    this.#onSlow();
    this.end();
    void withinTime(this.#channel.drained(), this.#limits.writeStallMs).then((isMoving) => {
      if (!isMoving) this.#channel.cut();
    });
  }

  /** Its memory is everyone's: it comes back with the last revision that it has seen. */
  #cut(): void {
    this.#onSlow();
    this.stop();
    this.#channel.cut();
  }
}

/** False when the time is over first. */
async function withinTime(work: Promise<void>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
    timer.unref();
  });
  const done = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return done;
}

/** A chunked HTTP/1.1 response or an HTTP/2 stream. */
export class HttpFrameChannel implements FrameChannel {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  open(encoding: FrameEncoding): void {
    const { response } = this.#exchange;
    const headers = apiHeaders(this.#exchange);
    headers['Content-Type'] = encoding === 'json' ? 'application/json' : `${protobufMediaType};stream=watch`;
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
    const needsDrain = 'stream' in response ? response.stream.writableNeedDrain : response.writableNeedDrain;
    if (this.#exchange.isGone || !needsDrain) return Promise.resolve();
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
