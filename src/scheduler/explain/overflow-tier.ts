import type { Placement } from '#api/policy/placement.ts';
import { compileAffinity } from '../algorithm/affinity.ts';
import type { CellInfo } from '../algorithm/cell.ts';

/**
 * The tier of the group in use that a cell belongs to, in words: by its name, or its number where it has none; '' for a cell of
 * the group itself, and where there are no tiers.
 */
export function overflowTierText(
  { clusterAffinities = [] }: Placement = {},
  groupInUse: string | undefined,
  cell: CellInfo,
): string {
  const group = clusterAffinities.find(({ affinityName }) => affinityName === groupInUse);
  const { overflowAffinities: tiers = [] } = group ?? {};
  if (tiers.length === 0 || compileAffinity(group)(cell)) return '';
  const index = tiers.findIndex((tier) => compileAffinity(tier)(cell));
  return index < 0 ? '' : `of overflow tier ${tiers[index]?.affinityName ?? index + 1}`;
}
