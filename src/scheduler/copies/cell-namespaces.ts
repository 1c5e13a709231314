import { LRUCache } from 'lru-cache';
import { copiesGvr } from '#api/federation/copy.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { NameMapper } from '../projection/names.ts';
import type { Origin } from '../projection/origin.ts';
import { type RenderedCopy, renderNamespace } from '../projection/render.ts';
import { type CopyIndex, type CopyRecord, placeKeyOf } from './copy-index.ts';
import type { CopyOutcome, CopyWriter } from './copy-writer.ts';

/** A mapped namespace goes when it was empty for so long. */
export const emptyNamespaceMs = 60_000;

const renderingsMax = 10_000;

/** Mapped namespaces in cell workspaces: made with the first copy, gone a while after the last (DESIGN.md, Names). */
export class CellNamespaces {
  readonly #client: KubeClient;
  readonly #writer: CopyWriter;
  readonly #index: CopyIndex;
  readonly #underWay = new Map<string, Promise<CopyOutcome>>();
  /** Place → how many copies are being written into it just now. */
  readonly #writing = new Map<string, number>();
  /** Places that are being taken away just now. */
  readonly #closing = new Set<string>();
  readonly #renderings = new LRUCache<string, { readonly stamp: string; readonly copy: RenderedCopy }>({
    max: renderingsMax,
  });

  constructor(client: KubeClient, writer: CopyWriter, index: CopyIndex) {
    this.#client = client;
    this.#writer = writer;
    this.#index = index;
  }

  /**
   * Makes or updates the mapped namespace of `origin` in a cell. `create: false` only updates one that is there. Many
   * copies of one namespace share one write.
   */
  ensure(
    cellId: string,
    source: KubeObject | undefined,
    origin: Origin,
    mapper: NameMapper,
    options: { readonly podSecurityLabels: boolean; readonly signal: AbortSignal },
  ): Promise<CopyOutcome> {
    const copy = this.#rendered(source, origin, mapper, options.podSecurityLabels);
    const place = placeKeyOf({
      cellId,
      group: '',
      resource: 'namespaces',
      namespace: '',
      name: copy.place.name,
    });
    const known = this.#index.get(place);
    if (known !== undefined && !known.deleting && known.contentHash === copy.contentHash) {
      return Promise.resolve({ type: 'unchanged' });
    }
    const flight = `${place}|${copy.contentHash}`;
    let underWay = this.#underWay.get(flight);
    if (underWay === undefined) {
      underWay = this.#writer
        .ensure(cellId, copy, options.signal)
        .finally(() => this.#underWay.delete(flight));
      this.#underWay.set(flight, underWay);
    }
    return underWay;
  }

  /** Every copy asks for its namespace: what is rendered for one revision of the project's serves all cells. */
  #rendered(
    source: KubeObject | undefined,
    origin: Origin,
    mapper: NameMapper,
    podSecurityLabels: boolean,
  ): RenderedCopy {
    const key = `${origin.cluster}|${origin.name}|${podSecurityLabels}`;
    const stamp = `${source?.metadata.resourceVersion}|${origin.uid}|${origin.path}|${mapper.identity.prefix}`;
    const present = this.#renderings.get(key);
    if (present?.stamp === stamp) return present.copy;
    const copy = renderNamespace(source, origin, mapper, podSecurityLabels);
    this.#renderings.set(key, { stamp, copy });
    return copy;
  }

  /** Whether the namespace is there to be written into, as far as is known. */
  stands(place: string): boolean {
    const known = this.#index.get(place);
    return known !== undefined && !known.deleting;
  }

  /** Writes a copy into the mapped namespace, if that is not just being taken away as an empty one. */
  async fill<T>(place: string, write: () => Promise<T>): Promise<T | { readonly type: 'leaving' }> {
    if (this.#closing.has(place)) return { type: 'leaving' };
    this.#writing.set(place, (this.#writing.get(place) ?? 0) + 1);
    try {
      return await write();
    } finally {
      const others = (this.#writing.get(place) ?? 0) - 1;
      if (others > 0) this.#writing.set(place, others);
      else this.#writing.delete(place);
    }
  }

  /**
   * Withdraws the mapped namespace if nothing lies in it. Nothing is written into it meanwhile: it would go with the namespace, and
   * what its edge has of it. It is shut for the whole look, which is one request; a federator, whose look takes dozens, shuts for the
   * deletion alone and looks again where something came in between (federator/downsync/container-gates.ts). `isWanted` is asked
   * after the cell's workspace was. False: it stays.
   */
  async withdrawEmpty(record: CopyRecord, isWanted: () => boolean, signal: AbortSignal): Promise<boolean> {
    const place = placeKeyOf(record);
    if (this.#writing.has(place)) return false;
    this.#closing.add(place);
    try {
      if (!(await this.#isEmpty(record, signal)) || isWanted()) return false;
      // A copy may have been told of while we asked.
      if (this.#index.countInNamespace(record.cellId, record.name) > 0) return false;
      await this.#writer.withdraw(record, 'Background', signal);
      return true;
    } finally {
      this.#closing.delete(place);
    }
  }

  /** Whether nothing lies in the mapped namespace, not of another origin either: asked anew, of the cell workspace. */
  async #isEmpty(record: CopyRecord, signal: AbortSignal): Promise<boolean> {
    if (this.#index.countInNamespace(record.cellId, record.name) > 0) return false;
    try {
      const page = await this.#client.list(
        { cluster: record.cellId, gvr: copiesGvr, namespace: record.name },
        { limit: 1, signal },
      );
      return page.items.length === 0;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return true;
      throw error;
    }
  }
}
