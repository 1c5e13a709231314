import type { CompiledPlacement } from './compile.ts';
import type { Candidate } from './framework.ts';

export type Selection =
  | { readonly ok: true; readonly selected: readonly Candidate[] }
  | { readonly ok: false; readonly message: string };

/**
 * Picks the cells that may be used (PLACEMENT.md 2, Selection, cluster only): all of them without a spread constraint,
 * else the best `maxGroups` by score, room (own replicas included) and name. When `neededReplicas` (dynamic division)
 * does not fit into these, the lowest-ranked that hold nothing are exchanged, from the last upward, for the roomiest
 * outsider.
 */
export function selectCells(
  candidates: readonly Candidate[],
  placement: CompiledPlacement,
  neededReplicas: number,
): Selection {
  if (!placement.spread) return { ok: true, selected: candidates };
  if (candidates.length < placement.minGroups) {
    const message = `${candidates.length} cells fit, the spread constraint asks for at least ${placement.minGroups}`;
    return { ok: false, message };
  }
  if (candidates.length <= placement.maxGroups && neededReplicas <= 0)
    return { ok: true, selected: candidates };
  const ranked = [...candidates].sort(byRank);
  const selected = ranked.slice(0, placement.maxGroups);
  const outside = ranked.slice(placement.maxGroups).sort((a, b) => room(b) - room(a) || compareNames(a, b));
  let total = selected.reduce((sum, candidate) => sum + room(candidate), 0);
  for (let i = selected.length - 1; i >= 0 && total < neededReplicas; i--) {
    const best = outside[0];
    const worst = selected[i] as Candidate;
    if (best === undefined || worst.previous > 0 || room(best) <= room(worst)) continue;
    outside.shift();
    selected[i] = best;
    total += room(best) - room(worst);
  }
  if (total < neededReplicas) {
    return {
      ok: false,
      message: `${neededReplicas} replicas do not fit into ${selected.length} cells: room for ${total}`,
    };
  }
  return { ok: true, selected: selected.sort(compareNames) };
}

function room(candidate: Candidate): number {
  return candidate.available + candidate.previous;
}

function byRank(a: Candidate, b: Candidate): number {
  return b.score - a.score || room(b) - room(a) || compareNames(a, b);
}

export function compareNames(a: Candidate, b: Candidate): number {
  return a.cell.name < b.cell.name ? -1 : a.cell.name > b.cell.name ? 1 : 0;
}
