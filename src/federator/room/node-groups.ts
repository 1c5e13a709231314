/** By resource: thousandths of a processor, whole units of all else. Sums stay exact up to 2^53. */
export type Amounts = { [resource: string]: number };

/** Nodes that have about as much free. */
export interface NodeGroup {
  readonly nodes: number;
  /** On each of them, on the average. */
  readonly free: Readonly<Amounts>;
  /** Which kind of nodes they are: nodes of several kinds are in no group together. */
  readonly kind: number;
}

/** At most so many are told of a cell, and one more for each further kind of nodes: some 3 to 5 KB. */
export const nodeGroupsMax = 32;

/**
 * What is free on nodes, as so few groups that a Cell's status can hold them (Karmada: grades of resource models,
 * pkg/modeling). As long as there are no more different nodes than groups each is told as it is; then those that are most alike are told
 * by their average: the group whose nodes differ most is parted, where they differ most, until there are enough.
 * Largest first, so that equal nodes give equal text. `kindOf`: beside the nodes, which kind each is of; absent: all are of one.
 */
export function nodeGroupsOf(
  free: Iterable<Readonly<Amounts>>,
  groupsMax = nodeGroupsMax,
  kindOf: readonly number[] = [],
): NodeGroup[] {
  const nodes = [...free];
  const resources = [...new Set(nodes.flatMap((amounts) => Object.keys(amounts)))].sort();
  const groups = alike(nodes, kindOf, resources);
  const told = groups.counts.length <= groupsMax ? groups : parted(groups, groupsMax);
  const { counts, kinds, columns } = told;
  return Array.from(counts, (count, i) => {
    const amounts: Amounts = {};
    for (const [r, resource] of resources.entries()) {
      const amount = Math.floor((columns[r] as Float64Array)[i] as number);
      if (amount > 0) amounts[resource] = amount;
    }
    return { nodes: count, free: amounts, kind: kinds[i] as number };
  }).sort(
    (a, b) =>
      compare(b.free['cpu'], a.free['cpu']) ||
      compare(b.free['memory'], a.free['memory']) ||
      compare(a.kind, b.kind),
  );
}

/** Groups of nodes, and beside them a column for each resource: what each node of a group has. */
interface Groups {
  readonly counts: Float64Array;
  readonly kinds: readonly number[];
  readonly columns: readonly Float64Array[];
}

/** Nodes of a kind that have the very same. */
function alike(
  nodes: readonly Readonly<Amounts>[],
  kindOf: readonly number[],
  resources: readonly string[],
): Groups {
  const at = new Map<string, number>();
  const counts: number[] = [];
  const kinds: number[] = [];
  const columns: number[][] = resources.map(() => []);
  for (const [i, node] of nodes.entries()) {
    const kind = kindOf[i] ?? 0;
    let key = `${kind}:`;
    for (const resource of resources) key += `${node[resource] ?? 0},`;
    const present = at.get(key);
    if (present !== undefined) {
      counts[present] = (counts[present] as number) + 1;
      continue;
    }
    at.set(key, counts.length);
    counts.push(1);
    kinds.push(kind);
    for (const [r, resource] of resources.entries()) columns[r]?.push(node[resource] ?? 0);
  }
  return {
    counts: Float64Array.from(counts),
    kinds,
    columns: columns.map((column) => Float64Array.from(column)),
  };
}

interface Box {
  /** Which of the groups. */
  readonly inside: readonly number[];
  readonly nodes: number;
  /** By resource, on the average. */
  readonly averages: readonly number[];
  /** In which resource its nodes differ most, and by how much of the most that any node has, added up. */
  readonly widest: number;
  readonly spread: number;
}

function parted(groups: Groups, groupsMax: number): Groups {
  const most = groups.columns.map((column) => column.reduce((a, b) => Math.max(a, b), 1));
  const boxes = [...new Set(groups.kinds)].map((kind) => {
    const inside = [...groups.counts.keys()].filter((i) => groups.kinds[i] === kind);
    return boxOf(groups, inside, most);
  });
  while (boxes.length < groupsMax) {
    let at = 0;
    for (let i = 1; i < boxes.length; i++) if ((boxes[i] as Box).spread > (boxes[at] as Box).spread) at = i;
    const { inside, averages, widest } = boxes[at] as Box;
    const column = groups.columns[widest] as Float64Array;
    const middle = averages[widest] as number;
    const below = inside.filter((i) => (column[i] as number) < middle);
    const above = inside.filter((i) => (column[i] as number) >= middle);
    if (below.length === 0 || above.length === 0) break;
    boxes.splice(at, 1, boxOf(groups, below, most), boxOf(groups, above, most));
  }
  return {
    counts: Float64Array.from(boxes, ({ nodes }) => nodes),
    kinds: boxes.map(({ inside }) => groups.kinds[inside[0] as number] as number),
    columns: groups.columns.map((_, r) => Float64Array.from(boxes, ({ averages }) => averages[r] as number)),
  };
}

function boxOf({ counts, columns }: Groups, inside: readonly number[], most: readonly number[]): Box {
  let nodes = 0;
  for (const i of inside) nodes += counts[i] as number;
  let widest = 0;
  let spread = -1;
  const averages = columns.map((column, r) => {
    let sum = 0;
    for (const i of inside) sum += (counts[i] as number) * (column[i] as number);
    const average = sum / nodes;
    let apart = 0;
    for (const i of inside) apart += (counts[i] as number) * Math.abs((column[i] as number) - average);
    apart /= most[r] as number;
    if (apart > spread) [widest, spread] = [r, apart];
    return average;
  });
  return { inside, nodes, averages, widest, spread };
}

function compare(a = 0, b = 0): number {
  return a - b;
}
