import type { KubeObject } from '#apimachinery/object.ts';
import { type TaintWords, taintText } from '../taint-text.ts';
import { cellTaints } from './cell-taints.ts';

export type CellScheduling = 'Open' | 'Cordoned' | 'Draining' | 'Removing';

/** What of a Cell says so; its type is in cell.ts, which shows this in its columns. */
interface Tainted {
  readonly metadata: KubeObject['metadata'];
  readonly spec?: {
    readonly taints?: readonly TaintWords[];
  };
}

/** What somebody has asked for, and which no condition tells: why a cell that is well gets nothing, or loses what it has. */
export function cellScheduling({ metadata, spec }: Tainted): CellScheduling {
  if (metadata.deletionTimestamp !== undefined) return 'Removing';
  const keys = new Set(spec?.taints?.map(({ key }) => key));
  if (keys.has(cellTaints.drain)) return 'Draining';
  return keys.has(cellTaints.cordon) ? 'Cordoned' : 'Open';
}

/** All of them, separated by commas; null where there are none. */
export function taintsText({ spec }: Tainted): string | null {
  const taints = spec?.taints ?? [];
  return taints.length === 0 ? null : taints.map(taintText).join(',');
}
