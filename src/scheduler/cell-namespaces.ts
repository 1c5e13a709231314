import { copiesGvr } from '#api/federation/copy.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { type CopyIndex, type CopyRecord, placeKeyOf } from './copy-index.ts';
import type { CopyOutcome, CopyWriter } from './copy-writer.ts';
import type { NameMapper } from './projection/names.ts';
import type { Origin } from './projection/origin.ts';
import { renderNamespace } from './projection/render.ts';

/** A mapped namespace goes when it was empty for so long. */
export const emptyNamespaceMs = 60_000;

/** Mapped namespaces in cell workspaces: made with the first copy, gone a while after the last (DESIGN.md, Names). */
export class CellNamespaces {
  readonly #client: KubeClient;
  readonly #writer: CopyWriter;
  readonly #index: CopyIndex;
  readonly #underWay = new Map<string, Promise<CopyOutcome>>();

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
    const copy = renderNamespace(source, origin, mapper, options.podSecurityLabels);
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

  /** Whether the namespace is there to be written into, as far as is known. */
  stands(place: string): boolean {
    const known = this.#index.get(place);
    return known !== undefined && !known.deleting;
  }

  /** Whether nothing lies in the mapped namespace, not of another origin either: asked anew, of the cell workspace. */
  async isEmpty(record: CopyRecord, signal: AbortSignal): Promise<boolean> {
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
