import type { Clock } from '#apimachinery/clock.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

interface Entry {
  readonly object: KubeObject;
  readonly bytes: number;
  readonly atMs: number;
}

export interface RecentObjectsOptions {
  readonly clock: Clock;
  /** About as much is kept; beyond it the oldest are forgotten. */
  readonly bytesMax: number;
  /** What came longer ago is not given any more. */
  readonly ageMaxMs: number;
}

/**
 * Whole objects that a watch has just told, for the work that they bring about: what is taken from here need not be read.
 * It is only ever an offer: whoever finds nothing reads.
 */
export class RecentObjects {
  readonly #clock: Clock;
  readonly #bytesMax: number;
  readonly #ageMaxMs: number;
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor({ clock, bytesMax, ageMaxMs }: RecentObjectsOptions) {
    this.#clock = clock;
    this.#bytesMax = bytesMax;
    this.#ageMaxMs = ageMaxMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The newest under a key counts. Returns about how many bytes the object takes. */
  put(key: string, object: KubeObject): number {
    this.delete(key);
    const bytes = roughBytesOf(object);
    if (bytes > this.#bytesMax) return bytes;
    const nowMs = this.#clock.monotonic();
    this.#entries.set(key, { object, bytes, atMs: nowMs });
    this.#bytes += bytes;
    for (const [oldest, { atMs }] of this.#entries) {
      if (this.#bytes <= this.#bytesMax && nowMs - atMs <= this.#ageMaxMs) break;
      this.delete(oldest);
    }
    return bytes;
  }

  /** Hands the object over, if it is of just this revision and still recent. It is the caller's own. */
  take(key: string, resourceVersion: string | undefined): KubeObject | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const isRecent = this.#clock.monotonic() - entry.atMs <= this.#ageMaxMs;
    if (isRecent && entry.object.metadata.resourceVersion !== resourceVersion) return undefined;
    this.delete(key);
    return isRecent ? entry.object : undefined;
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

/** Of what it takes in memory: a bound needs no more. */
function roughBytesOf(value: JsonValue | undefined): number {
  if (typeof value === 'string') return 24 + value.length;
  if (Array.isArray(value)) {
    let bytes = 16;
    for (const item of value) bytes += 8 + roughBytesOf(item);
    return bytes;
  }
  if (!isJsonObject(value)) return 8;
  let bytes = 32;
  for (const key in value) bytes += 8 + roughBytesOf(value[key]);
  return bytes;
}
