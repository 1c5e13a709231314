import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { CacheEntry, CacheEvent } from '#storage/cached-storage.ts';
import type { Revision } from '#storage/storage.ts';

/**
 * What a verb hands to whoever asked: HTTP renders it into the negotiated form, loopback into objects. Stored objects
 * stay encoded (`entry`) until somebody needs them parsed.
 */
export type VerbResult =
  | {
      readonly type: 'entry';
      readonly code: number;
      readonly served: ServedResource;
      readonly entry: CacheEntry;
    }
  /** An object that is not (or not only) what is stored: dry-run, subresource, review, just written. */
  | {
      readonly type: 'object';
      readonly code: number;
      readonly served: ServedResource;
      readonly object: KubeObject;
    }
  /** Already encoded in the served version, complete with resourceVersion: what a write has just stored. */
  | {
      readonly type: 'encoded';
      readonly code: number;
      readonly served: ServedResource;
      readonly body: Buffer;
    }
  | { readonly type: 'status'; readonly code: number; readonly body: JsonObject }
  | ListResult
  | WatchResult;

export interface ListResult {
  readonly type: 'list';
  readonly served: ServedResource;
  /** Lazily filtered; iterate once. Several iterations of the event loop may pass while a list streams. */
  readonly entries: Iterable<CacheEntry>;
  readonly revision: Revision;
  /** To be called after the entries were taken: paging facts known only then. */
  readonly page: () => {
    readonly continue?: string | undefined;
    readonly remainingItemCount?: number | undefined;
  };
}

/** One watch event as it leaves the selectors (W3): the type may differ from what happened in storage. */
export interface WatchDelivery {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly entry: CacheEntry;
  /** The revision to show in the object: the causing write's, also for DELETED. */
  readonly revision: Revision;
  /** Shared over watchers, for rendered forms. Undefined for synthetic initial events. */
  readonly event: CacheEvent | undefined;
}

export type WatchSignal =
  | { readonly type: 'bookmark'; readonly revision: Revision; readonly initialEventsEnd: boolean }
  /** The watch ends with this Status as an ERROR event (W2), or cleanly when undefined. */
  | { readonly type: 'end'; readonly status: JsonObject | undefined };

export interface WatchSink {
  deliver(deliveries: readonly WatchDelivery[]): void;
  signal(signal: WatchSignal): void;
  /** Told once: what there is at the beginning has been delivered, only what happens follows. */
  begun?(): void;
  /** Asked between chunks of initial events: resolves when there is room for more; undefined when there is already. */
  ready?(): Promise<void> | undefined;
}

export interface WatchResult {
  readonly type: 'watch';
  readonly served: ServedResource;
  /** Starts delivery; the caller writes headers first. Returned function stops it; idempotent. */
  start(sink: WatchSink): () => void;
}
