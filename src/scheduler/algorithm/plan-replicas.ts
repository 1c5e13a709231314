/** What is asked for and known of one cell. */
export interface PlannedCell {
  readonly name: string;
  readonly weight: number;
  readonly minReplicas: number;
  /** Infinity when not limited. */
  readonly maxReplicas: number;
  /** Cells of higher priority are served first, whatever they weigh; ours. */
  readonly priority: number;
  readonly current: number;
  /** Replicas that the cell can hold, those that it holds included; Infinity when it does not tell. */
  readonly capacity: number;
}

export interface ReplicaPlan {
  /** Beside the cells. */
  readonly replicas: readonly number[];
  /** Beside the cells: what they would have got beyond their capacity, as far as it found no other place. */
  readonly overflow: readonly number[];
  readonly unplaced: number;
}

/**
 * KubeFed's planner for ReplicaSchedulingPreference (PLACEMENT.md 6): minima first, then, unless `rebalance`, what runs
 * stays where it is, then the rest by weight, rounded up, in order of priority, weight and the hash of the cell's name and
 * `key` (`<namespace>/<name>`), never beyond maxima and capacities. Every round fills a cell, uses up what was set apart or
 * places all.
 *
 *   10 over three of equal weight → 4, 4, 2
 */
export function planReplicas(
  total: number,
  cells: readonly PlannedCell[],
  key: string,
  rebalance: boolean,
): ReplicaPlan {
  const hashes = cells.map(({ name }) => fnv32(name + key));
  const order = Array.from(cells.keys()).sort((a, b) => {
    const one = cells[a] as PlannedCell;
    const two = cells[b] as PlannedCell;
    return (
      two.priority - one.priority ||
      two.weight - one.weight ||
      (hashes[a] as number) - (hashes[b] as number) ||
      (one.name < two.name ? -1 : 1)
    );
  });
  const plan = cells.map(() => 0);
  const apart = cells.map(() => 0);
  const overflow = cells.map(() => 0);
  let remaining = total;
  const give = (i: number, count: number): void => {
    plan[i] = (plan[i] as number) + count;
    remaining -= count;
  };
  for (const i of order) {
    const { minReplicas, capacity } = cells[i] as PlannedCell;
    give(i, Math.min(minReplicas, remaining, capacity));
  }
  for (const i of rebalance ? [] : order) {
    const { current, maxReplicas, capacity } = cells[i] as PlannedCell;
    const kept = Math.min(current, maxReplicas, capacity) - (plan[i] as number);
    apart[i] = Math.max(0, Math.min(kept, remaining));
    give(i, apart[i] as number);
  }
  let open = order;
  for (let changed = true; changed && remaining > 0; ) {
    changed = false;
    const weights = open.reduce((sum, i) => sum + (cells[i] as PlannedCell).weight, 0);
    if (weights === 0) break;
    const toShare = remaining;
    const stillOpen: number[] = [];
    for (const i of open) {
      const { weight, maxReplicas, capacity } = cells[i] as PlannedCell;
      const before = plan[i] as number;
      const share = Math.min(Math.ceil((toShare * weight) / weights), remaining);
      const used = Math.min(share, apart[i] as number);
      apart[i] = (apart[i] as number) - used;
      const wanted = before + share - used;
      const allowed = Math.min(wanted, maxReplicas);
      const held = Math.min(allowed, capacity);
      if (allowed > held) overflow[i] = allowed - held;
      if (held === wanted) stillOpen.push(i);
      const more = Math.max(0, held - before);
      give(i, more);
      if (used > 0 || more > 0) changed = true;
    }
    open = stillOpen;
  }
  return {
    replicas: plan,
    overflow: rebalance ? overflow : overflow.map((count) => Math.min(count, remaining)),
    unplaced: remaining,
  };
}

/** 32-bit FNV-1: multiply, then xor (FNV-1a does it the other way round). */
function fnv32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0;
  return hash;
}
