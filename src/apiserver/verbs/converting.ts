import { ApiError, internalError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { ConversionWebhooks } from '../crd/conversion-webhook.ts';
import type { ListResult, VerbResult, WatchDelivery, WatchResult, WatchSignal, WatchSink } from './result.ts';

/** Deliveries that wait for their conversion; a watch with more is ended, and its client comes back. */
const waitingMax = 10_000;

/** What a verb hands out of a CRD with a conversion webhook, in the version that was asked for (KUBERNETES.md R7). */
export async function convertedResult(
  result: VerbResult,
  webhooks: ConversionWebhooks,
  clusterId: string,
): Promise<VerbResult> {
  switch (result.type) {
    case 'entry':
      return { ...result, entry: await webhooks.entry(result.entry, result.served, clusterId) };
    case 'list':
      return convertedList(result, webhooks, clusterId);
    case 'watch':
      return convertedWatch(result, webhooks, clusterId);
    default:
      return result;
  }
}

async function convertedList(
  result: ListResult,
  webhooks: ConversionWebhooks,
  clusterId: string,
): Promise<ListResult> {
  const entries = await webhooks.entries([...result.entries], result.served, clusterId);
  return { ...result, entries };
}

function convertedWatch(result: WatchResult, webhooks: ConversionWebhooks, clusterId: string): WatchResult {
  return {
    ...result,
    start: (sink) => {
      const converting = new ConvertingSink(sink, (deliveries) =>
        convertDeliveries(deliveries, result, webhooks, clusterId),
      );
      const stop = result.start(converting);
      converting.onFailure = stop;
      return () => {
        converting.close();
        stop();
      };
    },
  };
}

async function convertDeliveries(
  deliveries: readonly WatchDelivery[],
  { served }: WatchResult,
  webhooks: ConversionWebhooks,
  clusterId: string,
): Promise<readonly WatchDelivery[]> {
  const entries = await webhooks.entries(
    deliveries.map(({ entry }) => entry),
    served,
    clusterId,
  );
  // Frames are kept by event for all watchers of one version: a converted entry is this watch's own.
  return deliveries.map((delivery, i) => ({ ...delivery, entry: entries[i] as never, event: undefined }));
}

/** Converts in order: what comes later waits for what came before. */
class ConvertingSink implements WatchSink {
  onFailure: () => void = () => {};
  readonly #sink: WatchSink;
  readonly #convert: (deliveries: readonly WatchDelivery[]) => Promise<readonly WatchDelivery[]>;
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;
  #isClosed = false;

  constructor(
    sink: WatchSink,
    convert: (deliveries: readonly WatchDelivery[]) => Promise<readonly WatchDelivery[]>,
  ) {
    this.#sink = sink;
    this.#convert = convert;
  }

  deliver(deliveries: readonly WatchDelivery[]): void {
    if (this.#isClosed) return;
    this.#waiting += deliveries.length;
    if (this.#waiting > waitingMax) {
      this.#end(new Error('conversions do not keep up with what is written'));
      return;
    }
    this.#then(async () => {
      const converted = await this.#convert(deliveries);
      this.#waiting -= deliveries.length;
      if (!this.#isClosed) this.#sink.deliver(converted);
    });
  }

  signal(signal: WatchSignal): void {
    this.#then(async () => {
      if (!this.#isClosed) this.#sink.signal(signal);
    });
  }

  begun(): void {
    this.#then(async () => {
      if (!this.#isClosed) this.#sink.begun?.();
    });
  }

  ready(): Promise<void> | undefined {
    if (this.#waiting === 0) return this.#sink.ready?.();
    return this.#tail.then(() => this.#sink.ready?.());
  }

  close(): void {
    this.#isClosed = true;
  }

  #then(step: () => Promise<void>): void {
    this.#tail = this.#tail.then(step).catch((error: unknown) => this.#end(error));
  }

  #end(error: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sink.signal({ type: 'end', status: statusOf(error) });
    this.onFailure();
  }
}

function statusOf(error: unknown): JsonObject {
  return { ...(error instanceof ApiError ? error : internalError(error)).toStatus() };
}
