/** By resource: thousandths of a processor, whole units of all else. Sums stay exact up to 2^53. */
export type Amounts = { [resource: string]: number };

/** Nodes that have about as much free. */
export interface NodeGroup {
  readonly nodes: number;
  /** On each of them, on the average. */
  readonly free: Readonly<Amounts>;
}

/** At most so many are told of a cell: some 3 KB. */
export const nodeGroupsMax = 32;

/**
 * What is free on nodes, as so few groups that a Cell's status can hold them (Karmada: grades of resource models,
 * pkg/modeling). As long as there are no more different nodes than groups each is told as it is; then those that are most alike are told
 * by their average: the group whose nodes differ most is parted, where they differ most, until there are enough.
 * Largest first, so that equal nodes give equal text.
 */
export function nodeGroupsOf(free: Iterable<Readonly<Amounts>>, groupsMax = nodeGroupsMax): NodeGroup[] {
  const same = new Map<string, { nodes: number; readonly free: Readonly<Amounts> }>();
  const most: Amounts = {};
  for (const amounts of free) {
    const key = Object.keys(amounts)
      .sort()
      .map((resource) => `${resource}=${amounts[resource]}`)
      .join();
    const group = same.get(key);
    if (group !== undefined) group.nodes++;
    else {
      same.set(key, { nodes: 1, free: amounts });
      for (const resource in amounts)
        most[resource] = Math.max(most[resource] ?? 0, amounts[resource] as number);
    }
  }
  const exact = [...same.values()];
  const groups = exact.length <= groupsMax ? exact : parted(exact, most, groupsMax);
  return groups.sort(
    (a, b) => compare(b.free['cpu'], a.free['cpu']) || compare(b.free['memory'], a.free['memory']),
  );
}

interface Box {
  readonly groups: readonly NodeGroup[];
  readonly average: NodeGroup;
  /** In which resource its nodes differ most, and by how much of the most that any node has, added up. */
  readonly widest: string;
  readonly spread: number;
}

function parted(groups: readonly NodeGroup[], most: Readonly<Amounts>, groupsMax: number): NodeGroup[] {
  const boxes = [boxOf(groups, most)];
  while (boxes.length < groupsMax) {
    let at = 0;
    for (let i = 1; i < boxes.length; i++) if ((boxes[i] as Box).spread > (boxes[at] as Box).spread) at = i;
    const { groups: inside, average, widest } = boxes[at] as Box;
    const middle = average.free[widest] ?? 0;
    const below = inside.filter(({ free }) => (free[widest] ?? 0) < middle);
    const above = inside.filter(({ free }) => (free[widest] ?? 0) >= middle);
    if (below.length === 0 || above.length === 0) break;
    boxes.splice(at, 1, boxOf(below, most), boxOf(above, most));
  }
  return boxes.map(({ average: { nodes, free } }) => ({ nodes, free: wholeParts(free) }));
}

function boxOf(groups: readonly NodeGroup[], most: Readonly<Amounts>): Box {
  let nodes = 0;
  const sums: Amounts = {};
  for (const group of groups) {
    nodes += group.nodes;
    for (const resource in group.free)
      sums[resource] = (sums[resource] ?? 0) + group.nodes * (group.free[resource] as number);
  }
  const free: Amounts = {};
  for (const resource in sums) free[resource] = (sums[resource] as number) / nodes;
  let widest = '';
  let spread = -1;
  for (const resource in free) {
    const mean = free[resource] as number;
    let sum = 0;
    for (const group of groups) sum += group.nodes * Math.abs((group.free[resource] ?? 0) - mean);
    sum /= most[resource] as number;
    if (sum > spread) [widest, spread] = [resource, sum];
  }
  return { groups, average: { nodes, free }, widest, spread };
}

function wholeParts(free: Readonly<Amounts>): Amounts {
  const whole: Amounts = {};
  for (const resource in free) whole[resource] = Math.floor(free[resource] as number);
  return whole;
}

function compare(a = 0, b = 0): number {
  return a - b;
}
