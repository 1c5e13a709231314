import { LRUCache } from 'lru-cache';
import { withCondition } from '#api/conditions.ts';
import type {
  AggregatedStatusItem,
  CopyHealth,
  ResourceBindingStatus,
  StatusSummary,
} from '#api/work/resource-binding.ts';
import { bindingConditions } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { cutText } from '#apimachinery/cut-text.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import { type CopyRecord, placeKeyOf } from '../copies/copy-index.ts';

/** What one copy says when read. */
interface CopyReading {
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

export interface CellReport {
  readonly cell: string;
  readonly applied: boolean;
  readonly message: string | undefined;
  readonly health: CopyHealth;
  readonly status: JsonObject | undefined;
}

const itemsMax = 50;
const messageLengthMax = 256;
/** A status larger than this stands in the copy alone. */
const statusBytesMax = 600;

/** The gathered part of a binding's status: counts, and cells one by one as far as there is room (DESIGN.md, Bindings). */
export function gatheredStatus(
  present: ResourceBindingStatus | undefined,
  reports: readonly CellReport[],
  now: string,
): ResourceBindingStatus {
  const summary: StatusSummary = { cells: reports.length, applied: 0, healthy: 0, unhealthy: 0, unknown: 0 };
  for (const { applied, health } of reports) {
    if (applied) summary.applied++;
    if (health === 'Healthy') summary.healthy++;
    else if (health === 'Unhealthy') summary.unhealthy++;
    else summary.unknown++;
  }
  const told =
    reports.length <= itemsMax
      ? reports
      : reports.filter(({ health }) => health !== 'Healthy').slice(0, itemsMax);
  const fully = summary.cells > 0 && summary.applied === summary.cells;
  const failing = reports.find(({ message }) => message !== undefined);
  return {
    ...present,
    summary,
    aggregatedStatus: reports.length <= itemsMax ? told.map(aggregatedItem) : withinBytes(told),
    conditions: withCondition(
      present?.conditions,
      {
        type: bindingConditions.fullyApplied,
        status: fully ? 'True' : 'False',
        reason: fully ? 'FullyApplied' : failing === undefined ? 'Pending' : 'Failed',
        message: fully
          ? ''
          : `${summary.applied} of ${summary.cells} cells have it${failing === undefined ? '' : `; cell ${failing.cell}: ${cutText(failing.message ?? '', messageLengthMax)}`}`,
      },
      now,
    ),
  };
}

/** Bytes that single cells may take in a binding over many: with a thousand cells it stays under 64 KiB. */
const manyCellsBytesMax = 18 * 1024;

function withinBytes(reports: readonly CellReport[]): AggregatedStatusItem[] {
  const items: AggregatedStatusItem[] = [];
  let bytes = 0;
  for (const report of reports) {
    const item = aggregatedItem({ ...report, status: undefined });
    bytes += JSON.stringify(item).length;
    if (bytes > manyCellsBytesMax) break;
    items.push(item);
  }
  return items;
}

function aggregatedItem({ cell, applied, message, health, status }: CellReport): AggregatedStatusItem {
  const fits = status !== undefined && JSON.stringify(status).length <= statusBytesMax;
  return {
    clusterName: cell,
    applied,
    ...(message === undefined ? {} : { appliedMessage: cutText(message, messageLengthMax) }),
    health,
    ...(fits ? { status } : {}),
  };
}

/** The syncer's error annotation is JSON {reason, message}; anything else is told as it stands. */
export function syncErrorText(annotation: string | undefined): string | undefined {
  if (annotation === undefined || annotation === '') return undefined;
  try {
    const error: unknown = JSON.parse(annotation);
    if (typeof error === 'object' && error !== null && 'message' in error) {
      const reason = 'reason' in error ? `${String(error.reason)}: ` : '';
      return `${reason}${String(error.message)}`;
    }
  } catch {
    // told as it stands
  }
  return annotation;
}
