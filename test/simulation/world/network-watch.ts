import type { ApiError } from '#apimachinery/api-error.ts';
import type { CollectionRef, KubeClient, WatchEvent, WatchOptions } from '#client/client.ts';
import { refusalOf, unreachable } from './call-faults.ts';
import type { ClientLine } from './client-line.ts';
import { lieAbout, mayLie } from './lying-watch.ts';

/** Events as they come over the line, until it breaks, the watch is given up or the process is dead. */
export async function* watch(
  { line, closing }: { readonly line: ClientLine; readonly closing: AbortSignal },
  collection: CollectionRef,
  options: WatchOptions,
): AsyncGenerator<WatchEvent, void, undefined> {
  const { name } = line.server;
  const { link } = line;
  const { signal } = options;
  const isFalse = mayLie(options);
  if (signal?.aborted === true || closing.aborted) return;
  let fail: (error: ApiError | undefined) => void = () => {};
  const ended = new Promise<ApiError | undefined>((resolve) => {
    fail = resolve;
  });
  const onEnd = () => fail(undefined);
  const inner = new AbortController();
  const onStream = (error: ApiError) => fail(error);
  link.streams.add(onStream);
  signal?.addEventListener('abort', onEnd, { once: true });
  closing.addEventListener('abort', onEnd, { once: true });
  const forgetDown = line.server.onDown(() => fail(unreachable('connection reset')));
  const forgetDeath = line.from.onDeath(() => {
    inner.abort();
    link.streams.delete(onStream);
    forgetDown();
  });
  /** The promise's value, unless the stream ends before. */
  const until = <T>(promise: Promise<T>): Promise<{ value: T } | { end: ApiError | undefined }> =>
    Promise.race([promise.then((value) => ({ value })), ended.then((error) => ({ end: error }))]);
  try {
    await line.from.awake();
    line.traffic.count(line.from.name, name, 'watch');
    line.authenticate();
    const opened = await until(
      (async () => {
        if (line.goesAsBytes) return { isWired: true, fault: undefined };
        await line.latency();
        await line.passable();
        return { isWired: false, fault: line.traffic.drawFault() };
      })(),
    );
    if ('end' in opened) return yield* endWith(opened.end);
    const { fault } = opened.value;
    const target = opened.value.isWired ? line.overBytes : line.direct;
    if (target === undefined) throw unreachable('connection refused');
    if (fault === 'refused' || fault === 'InternalError') {
      line.traffic.countFault(fault);
      throw refusalOf(fault);
    }
    line.compareStore();
    line.traffic.compareRevision(line.server, options.resourceVersion);
    const events = (await eventsOf(line, target, collection, { ...options, signal: inner.signal }))[
      Symbol.asyncIterator
    ]();
    for (;;) {
      const next = await until(events.next());
      if ('end' in next) return yield* endWith(next.end);
      if (next.value.done === true) return;
      const arrived = await until(
        (async () => {
          if (!opened.value.isWired) {
            await line.latency();
            await line.passable();
          }
          const heldMs = link.heldUntilMs - line.time.nowMs;
          if (heldMs > 0) await line.time.sleep(heldMs);
          await line.from.awake();
        })(),
      );
      if ('end' in arrived) return yield* endWith(arrived.end);
      const event = next.value.value;
      const lied = isFalse && line.traffic.drawLie(link) ? lieAbout(event, line.random) : undefined;
      if (lied !== undefined) line.traffic.countFault(lied.lie);
      const told = lied === undefined ? event : lied.told;
      if (told !== undefined) yield told;
    }
  } finally {
    inner.abort();
    link.streams.delete(onStream);
    forgetDown();
    forgetDeath();
    signal?.removeEventListener('abort', onEnd);
    closing.removeEventListener('abort', onEnd);
  }
}

/**
 * A watch from a revision that the server has yet to reach tells nothing up to that one, and does not say so: as
 * kube-apiserver's (k8s.io/apiserver/pkg/storage/cacher/cache_watcher.go), while ours refuses it.
 */
async function eventsOf(
  line: ClientLine,
  target: KubeClient,
  collection: CollectionRef,
  options: WatchOptions,
): Promise<AsyncIterable<WatchEvent>> {
  const from = Number(options.resourceVersion ?? 0);
  if (!line.server.isEdge || from <= (await line.server.currentRevision())) {
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

// biome-ignore lint/correctness/useYield: it stands where a generator ends
async function* endWith(error: ApiError | undefined): AsyncGenerator<never, void, undefined> {
  if (error !== undefined) throw error;
}
