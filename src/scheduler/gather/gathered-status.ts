import { withCondition } from '#api/conditions.ts';
import {
  type AggregatedStatusItem,
  bindingConditions,
  type ResourceBindingStatus,
  type StatusSummary,
} from '#api/work/resource-binding.ts';
import { cutText } from '#apimachinery/cut-text.ts';
import type { CellReport } from './cell-report.ts';

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
