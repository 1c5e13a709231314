import { canonicalJson } from '#apimachinery/canonical-json.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import type { CopyKey } from '../cell/copy-keys.ts';
import { digestOfText } from '../digest.ts';

/** A status that the edge's watch told and that is not yet written upstream. */
export interface PendingStatus {
  readonly digest: string;
  /** Undefined: there was no room for it; it has to be read from the edge again. */
  readonly status: JsonValue | undefined;
}

interface Entry extends PendingStatus {
  readonly bytes: number;
}

/**
 * Statuses on their way from an edge to the copies, at most `bytesMax` of them: of those beyond it only the digest is
 * kept, and who writes them reads them again. The newest of an object counts.
 */
export class PendingStatuses {
  readonly #bytesMax: number;
  readonly #entries = new Map<CopyKey, Entry>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** `writtenDigest`: of the status that was written last; the same again need not wait. */
  put(key: CopyKey, status: JsonValue, writtenDigest: string | undefined): void {
    this.delete(key);
    const text = canonicalJson(status);
    const digest = digestOfText(text);
    if (digest === writtenDigest) return;
    const fits = this.#bytes + text.length <= this.#bytesMax;
    const bytes = fits ? text.length : 0;
    this.#bytes += bytes;
    this.#entries.set(key, { digest, status: fits ? status : undefined, bytes });
  }

  keys(): Iterable<CopyKey> {
    return this.#entries.keys();
  }

  get(key: CopyKey): PendingStatus | undefined {
    return this.#entries.get(key);
  }

  /** Takes it out once it is written, unless a newer one has come meanwhile. */
  written(key: CopyKey, pending: PendingStatus): void {
    if (this.#entries.get(key) === pending) this.delete(key);
  }

  delete(key: CopyKey): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}
