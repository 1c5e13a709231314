import { LRUCache } from 'lru-cache';
import { isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import { type CopyRecord, placeKeyOf } from '../copies/copy-index.ts';

/** What one copy says when read. */
export interface CopyReading {
  readonly resourceVersion: string;
  readonly generation: number;
  readonly spec: JsonObject;
  /** `spec` is all of it. */
  readonly whole: boolean;
  readonly status: JsonObject | undefined;
}

const readingsMax = 20_000;
const readingsBytesMax = 64 * 1024 * 1024;
const concurrentReadsMax = 16;

/** Reads copies' status from cell workspaces, each revision once: what was read is kept, bounded in items and bytes. */
export class CopyReader {
  readonly #client: KubeClient;
  readonly #readings = new LRUCache<string, CopyReading>({
    max: readingsMax,
    maxSize: readingsBytesMax,
    sizeCalculation: (reading) =>
      JSON.stringify(reading.status ?? null).length + JSON.stringify(reading.spec).length + 100,
  });

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** Beside `records`; undefined for one that is gone. `whole`: with all of its spec. */
  async readAll(
    records: readonly CopyRecord[],
    signal: AbortSignal,
    whole = false,
  ): Promise<(CopyReading | undefined)[]> {
    const readings = new Array<CopyReading | undefined>(records.length).fill(undefined);
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < records.length) {
        const at = next++;
        readings[at] = await this.#read(records[at] as CopyRecord, signal, whole);
      }
    };
    await Promise.all(Array.from({ length: Math.min(concurrentReadsMax, records.length) }, worker));
    return readings;
  }

  async #read(record: CopyRecord, signal: AbortSignal, whole: boolean): Promise<CopyReading | undefined> {
    const place = placeKeyOf(record);
    const present = this.#readings.get(place);
    if (present?.resourceVersion === record.resourceVersion && (present.whole || !whole)) return present;
    const { cellId, group, version, resource, namespace, name } = record;
    const ref = {
      cluster: cellId,
      gvr: { group, version, resource },
      namespace: namespace === '' ? undefined : namespace,
      name,
    };
    try {
      const object = await this.#client.get(ref, { signal });
      const spec = isJsonObject(object['spec']) ? object['spec'] : {};
      const reading: CopyReading = {
        resourceVersion: object.metadata.resourceVersion ?? '',
        generation: object.metadata.generation ?? 0,
        spec: whole ? spec : healthSpecOf(spec),
        whole,
        status: isJsonObject(object['status']) ? object['status'] : undefined,
      };
      this.#readings.set(place, reading);
      return reading;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}

/** Of the spec only what judging health looks at. */
function healthSpecOf(spec: JsonObject): JsonObject {
  const kept: JsonObject = {};
  for (const field of ['type', 'updateStrategy']) if (spec[field] !== undefined) kept[field] = spec[field];
  return kept;
}
