import type { KubeObject } from '#apimachinery/object.ts';
import { cellTaints } from './cell-taints.ts';

export type CellScheduling = 'Open' | 'Cordoned' | 'Draining' | 'Removing';

/** What of a Cell says so; its type is in cell.ts, which shows this in its columns. */
interface Tainted {
  readonly metadata: KubeObject['metadata'];
  readonly spec?: {
    readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  };
}

/** What somebody has asked for, and which no condition tells: why a cell that is well gets nothing, or loses what it has. */
export function cellScheduling({ metadata, spec }: Tainted): CellScheduling {
  if (metadata.deletionTimestamp !== undefined) return 'Removing';
  const keys = new Set(spec?.taints?.map(({ key }) => key));
  if (keys.has(cellTaints.drain)) return 'Draining';
  return keys.has(cellTaints.cordon) ? 'Cordoned' : 'Open';
}

/** As `kubectl taint` writes them: `<key>=<value>:<effect>`; null where there are none. */
export function taintsText({ spec }: Tainted): string | null {
  const taints = spec?.taints ?? [];
  if (taints.length === 0) return null;
  return taints
    .map(({ key, value = '', effect }) => `${key}${value === '' ? '' : `=${value}`}:${effect}`)
    .join(',');
}
