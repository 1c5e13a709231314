import { copyLabels } from '#api/federation/copy-contract.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import type { CacheEvent } from '#storage/cached-storage.ts';
import type { Revision } from '#storage/storage.ts';
import { encodeBody, watchFrame } from '../../protobuf/encode-object.ts';
import { renderEntry, servedApiVersion, servedObjectOf } from '../../registry/conversion.ts';
import { hasLabels, headerOf } from '../../registry/stored-object.ts';
import type { IncludeObject } from '../../table/table.ts';
import type { WatchDelivery } from '../../verbs/result.ts';
import type { Form } from '../answers/negotiate.ts';
import { entryMetadataJson, protobufBody, shownKind, tableOfObject } from '../answers/object-forms.ts';
import type { HttpMetrics } from '../metrics/metrics.ts';
import { FrameBlocks } from './frame-blocks.ts';

/** Of the bytes that may be kept, what is left when they have become too many. */
const keptShare = 7 / 8;
/** Watchers that are about have had an event long before: who wants it later is one that comes back. */
export const frameAgeMsMax = 60_000;
/** How often frames are looked through for old ones. */
const lookIntervalMs = frameAgeMsMax / 8;

/** Frames made from one event, by `type` and form, kept in the event's memo for all its watchers. */
class EventFrames {
  readonly byForm = new Map<string, Buffer>();
  readonly madeAtMs: number;
  bytes = 0;

  constructor(madeAtMs: number) {
    this.madeAtMs = madeAtMs;
  }
}

/**
 * Renders each event once for every form that somebody watches in. What is kept is bounded in bytes and, as each holds its
 * event, in time: the oldest events' frames are dropped first, and rendered anew should a late watcher still want them.
 */
export class FrameCache {
  readonly #bytesMax: number;
  readonly #metrics: HttpMetrics;
  readonly #nowMs: () => number;
  readonly #blocks = new FrameBlocks();
  /** Oldest first. */
  readonly #events = new Map<CacheEvent, EventFrames>();
  /** How many watches show events in a form. */
  readonly #watches = new Map<string, number>();
  #bytes = 0;
  #lookedAtMs: number;

  /** `nowMs`: milliseconds that only grow, for tests. */
  constructor(bytesMax: number, metrics: HttpMetrics, nowMs: () => number = () => performance.now()) {
    this.#bytesMax = bytesMax;
    this.#metrics = metrics;
    this.#nowMs = nowMs;
    this.#lookedAtMs = nowMs();
  }

  /** A watch that shows events in this form begins. Returns how it ends; idempotent. */
  join(form: string): () => void {
    this.#watches.set(form, (this.#watches.get(form) ?? 0) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = (this.#watches.get(form) ?? 0) - 1;
      if (left > 0) this.#watches.set(form, left);
      else this.#watches.delete(form);
    };
  }

  /** `shape`: of the watch, as it joined; `form`: of this frame. What one watch alone wants is made and not kept. */
  get(event: CacheEvent, shape: string, form: string, make: () => Buffer): Buffer {
    this.#metrics.watchFrames++;
    if (event.isForOne === true || (this.#watches.get(shape) ?? 0) < 2) return make();
    let frames = event.memo instanceof EventFrames ? event.memo : undefined;
    const known = frames?.byForm.get(form);
    if (known !== undefined) {
      this.#metrics.watchFramesShared++;
      return known;
    }
    const made = this.#blocks.place(make());
    const nowMs = this.#nowMs();
    if (frames === undefined) {
      frames = new EventFrames(nowMs);
      event.memo = frames;
      this.#events.set(event, frames);
    }
    frames.byForm.set(form, made);
    frames.bytes += made.length;
    this.#bytes += made.length;
    this.#evict(nowMs);
    return made;
  }

  /** Many at once: to find the oldest of a map costs the more, the more were taken from its front before. */
  #evict(nowMs: number): void {
    const isFull = this.#bytes > this.#bytesMax;
    if (!isFull && nowMs - this.#lookedAtMs < lookIntervalMs) return;
    this.#lookedAtMs = nowMs;
    const keptBytes = isFull ? this.#bytesMax * keptShare : this.#bytesMax;
    for (const [event, frames] of this.#events) {
      if (this.#bytes <= keptBytes && nowMs - frames.madeAtMs <= frameAgeMsMax) return;
      this.#events.delete(event);
      this.#bytes -= frames.bytes;
      event.memo = undefined;
    }
  }
}

/** Two workspaces may serve different definitions under one apiVersion: forms are told apart by the definition. */
const versionNumbers = new WeakMap<ResourceVersion, number>();
let nextVersionNumber = 1;

function versionNumber(version: ResourceVersion): number {
  let number = versionNumbers.get(version);
  if (number === undefined) {
    number = nextVersionNumber++;
    versionNumbers.set(version, number);
  }
  return number;
}

/** A new object that takes more stored bytes is read by who wants it: its event must not burden those who do not. */
const wholeBytesMax = 16 * 1024;

const frameEnd = Buffer.from('}\n');
const frameStart = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
} as const;

/** Makes the frames of one watch (W1): one JSON document a line, or protobuf events, each after its length. */
export class FrameRenderer {
  readonly #served: ServedResource;
  readonly #form: Form;
  readonly #includeObject: IncludeObject;
  readonly #cache: FrameCache;
  readonly #shape: string;
  readonly #formKeys: { readonly [type in WatchDelivery['type']]: string };
  readonly #leave: () => void;
  #sentColumns = false;

  constructor(served: ServedResource, form: Form, includeObject: IncludeObject, cache: FrameCache) {
    this.#served = served;
    this.#form = form;
    this.#includeObject = includeObject;
    this.#cache = cache;
    const { encoding, as, metaVersion, isLean, newWhole } = form;
    const shape = `${encoding} ${as} ${metaVersion} ${isLean} ${newWhole}`;
    const key = `${versionNumber(served.version)} ${shape} ${includeObject}`;
    this.#shape = key;
    this.#formKeys = { ADDED: `A ${key}`, MODIFIED: `M ${key}`, DELETED: `D ${key}` };
    this.#leave = cache.join(key);
  }

  /** To be called when the watch is over. Idempotent. */
  close(): void {
    this.#leave();
  }

  render(delivery: WatchDelivery): Buffer {
    const { event, type } = delivery;
    // The first Table of a watch carries the columns (N3): it is nobody else's.
    const isFirstTable = this.#form.as === 'Table' && !this.#sentColumns;
    if (isFirstTable) this.#sentColumns = true;
    if (event === undefined || isFirstTable) return this.#make(delivery, isFirstTable);
    return this.#cache.get(event, this.#shape, this.#formKeys[type], () => this.#make(delivery, false));
  }

  /** W5: only kind, apiVersion and resourceVersion, and the mark that ends initial events (W6). */
  bookmark(revision: Revision, initialEventsEnd: boolean): Buffer {
    const metadata: JsonObject = {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
    };
    return this.#frame('BOOKMARK', this.#bookmarkObject(metadata));
  }

  /** W2: the Status with which a watch ends. */
  error(status: JsonObject): Buffer {
    return this.#frame('ERROR', status);
  }

  #frame(type: string, object: JsonObject): Buffer {
    if (this.#form.encoding !== 'protobuf')
      return Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`);
    return watchFrame(type, String(object['apiVersion']), String(object['kind']), encodeBody(object));
  }

  #bookmarkObject(metadata: JsonObject): JsonObject {
    const { definition } = this.#served;
    const metaApiVersion = `meta.k8s.io/${this.#form.metaVersion}`;
    const partial = { kind: 'PartialObjectMetadata', apiVersion: metaApiVersion, metadata };
    switch (this.#form.as) {
      case 'Object':
        return { kind: definition.kind, apiVersion: servedApiVersion(this.#served), metadata };
      case 'PartialObjectMetadata':
        return partial;
      case 'Table':
        return {
          kind: 'Table',
          apiVersion: metaApiVersion,
          metadata: { resourceVersion: metadata['resourceVersion']! },
          columnDefinitions: [],
          rows: [{ cells: this.#served.version.columns.map(() => ''), object: partial }],
        };
    }
  }

  #make(delivery: WatchDelivery, withColumns: boolean): Buffer {
    const { type, entry, revision } = delivery;
    if (this.#form.encoding === 'protobuf') {
      const { apiVersion, kind } = shownKind(this.#served, this.#form);
      return watchFrame(type, apiVersion, kind, protobufBody(entry, this.#served, this.#form, revision));
    }
    const object = this.#isToldWhole(delivery)
      ? renderEntry(entry, this.#served, revision)
      : this.#object(entry, revision, withColumns);
    return Buffer.concat([frameStart[type], object, frameEnd]);
  }

  /** Not what a watch begins with, which is old; nor copies, which are the watcher's own. */
  #isToldWhole({ type, entry, event }: WatchDelivery): boolean {
    if (this.#form.newWhole !== true || type !== 'ADDED' || event === undefined) return false;
    const { group, resource } = this.#served.definition;
    if (entry.value.length > wholeBytesMax || (group === '' && resource === 'secrets')) return false;
    return !hasLabels(entry) || headerOf(entry).labels[copyLabels.originCluster] === undefined;
  }

  #object(entry: WatchDelivery['entry'], revision: Revision, withColumns: boolean): Buffer {
    switch (this.#form.as) {
      case 'Object':
        return renderEntry(entry, this.#served, revision);
      case 'PartialObjectMetadata':
        return entryMetadataJson(entry, this.#form, revision);
      case 'Table': {
        const object = servedObjectOf(entry, this.#served, revision);
        const shape = { form: this.#form, includeObject: this.#includeObject, withColumns };
        return Buffer.from(JSON.stringify(tableOfObject(this.#served, object, shape)));
      }
    }
  }
}
