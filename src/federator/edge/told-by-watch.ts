import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { linkedController } from '#apimachinery/lifecycle.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CollectionRef, KubeClient, WatchOptions } from '#client/client.ts';

/**
 * After it the edge ends the watch. An API server that streams lists (Kubernetes' WatchList) says before that that it has told
 * everything, to whoever takes bookmarks: a watch without a revision is one with initial events for it
 * (SetListOptionsDefaults, k8s.io/apimachinery/pkg/apis/meta/internalversion/defaults.go). An older one tells the same and goes on.
 */
const timeoutSeconds = 1;
/** For an edge that neither says so nor ends the watch. */
const answerMsMax = 10_000;

/**
 * The metadata of what a collection holds, as a watch tells it at its beginning, some of it twice perhaps: for who is about to do what
 * cannot be undone because a list was empty (decision 228). Throws ApiError, Timeout among them, when the edge did not tell.
 */
export async function* toldByWatch(
  edgeClient: Pick<KubeClient, 'watch'>,
  collection: CollectionRef,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): AsyncGenerator<KubeObject, void, undefined> {
  const ending = linkedController(signal);
  const timer = clock.setTimeout(
    () => ending.abort(new ApiError('Timeout', `the edge's watch told no end within ${answerMsMax} ms`)),
    answerMsMax,
  );
  const begin = (how: Pick<WatchOptions, 'allowWatchBookmarks' | 'resourceVersion'>) => {
    const options = { ...how, metadataOnly: true, timeoutSeconds, signal: ending.signal };
    return initialObjects(edgeClient.watch(collection, options));
  };
  try {
    try {
      yield* begin({ allowWatchBookmarks: true });
    } catch (error) {
      // One whose etcd cannot be asked for progress (before 3.4.25 and 3.5.8) streams no lists, and waits in vain for the state of this
      // moment (k8s.io/apiserver/pkg/storage/cacher/cacher.go, Watch and getWatchCacheResourceVersion): it tells what its cache has.
      if (!isApiError(error, 'InternalError')) throw error;
      yield* begin({ resourceVersion: '0' });
    }
    // A watch that is given up ends as one that is over.
    ending.signal.throwIfAborted();
  } finally {
    timer.cancel();
    ending.abort();
  }
}

async function* initialObjects(
  events: ReturnType<KubeClient['watch']>,
): AsyncGenerator<KubeObject, void, undefined> {
  for await (const event of events) {
    if (event.type === 'BOOKMARK') {
      if (event.initialEventsEnd) return;
    } else if (event.type !== 'DELETED') yield event.object;
  }
}
