import type { CopyHealth } from '#api/work/resource-binding.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { type CopyRecord, placeKeyOf } from '../copies/copy-index.ts';
import { syncErrorText } from '../copies/sync-error.ts';
import type { Interpretation } from '../interpreter/interpretation.ts';
import type { KeyState } from '../key-state.ts';
import type { CopyReading } from './copy-reader.ts';
import { healthOf } from './health.ts';

export interface CellReport {
  readonly cell: string;
  readonly applied: boolean;
  readonly message: string | undefined;
  readonly health: CopyHealth;
  readonly status: JsonObject | undefined;
}

/** A copy in a cell that its object is decided for. */
export interface DecidedCopy {
  readonly cell: string;
  readonly record: CopyRecord;
  readonly replicas: number | undefined;
}

/** What the copies of one object are judged by. */
export interface Judging {
  /** As the kind's watch is called: `deployments.apps`. */
  readonly resourceName: string;
  readonly hasStatus: boolean;
  readonly interpretation: Interpretation | undefined;
  readonly state: KeyState;
}

/** What one copy says; `observed`: of what is to be in the cell now. */
export function reportOf(
  { cell, record, replicas }: DecidedCopy,
  reading: CopyReading | undefined,
  { resourceName, hasStatus, interpretation, state }: Judging,
): { readonly report: CellReport; readonly observed: boolean } {
  const { spec = {}, generation = 0 } = reading ?? {};
  const copy = { spec, status: reading?.status ?? {}, metadata: { generation } };
  const status = (reading === undefined ? undefined : interpretation?.reflect(copy)) ?? reading?.status;
  const applied =
    record.syncedHash !== undefined && record.syncedHash === state.desired.get(placeKeyOf(record));
  const observedGeneration = status?.['observedGeneration'];
  const observed = applied && (typeof observedGeneration !== 'number' || observedGeneration >= generation);
  const told =
    reading === undefined || !observed
      ? undefined
      : interpretation?.isHealthy({ ...copy, status: status ?? {} });
  const health = healthOf(resourceName, { told, applied, observed, hasStatus, replicas, spec, status });
  const message = state.failures.get(cell) ?? syncErrorText(record.syncError);
  return { report: { cell, applied, message, health, status }, observed };
}
