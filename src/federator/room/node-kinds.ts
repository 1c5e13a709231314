import type { NodeKindsTold, NodeKindTold, NodeTaint } from '#api/federation/cell.ts';

/** What of a node lets pods on it, or keeps them off. */
export interface NodeMarks {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** It has further labels, which are not remembered. */
  readonly hasMoreLabels: boolean;
  /** NoSchedule and NoExecute, in order. */
  readonly taints: NodeTaint[];
}

export interface NodeKinds {
  /** Undefined: there are too many kinds, and nothing is told of them. */
  readonly told: NodeKindsTold | undefined;
  /** By the names of nodes: which of the kinds. */
  readonly kindOf: ReadonlyMap<string, number>;
}

export const nodeKindsMax = 16;
/** Of labels that all nodes have, of keys that are not told, and of what distinguishes kinds. */
const commonCharsMax = 3_072;
const untoldCharsMax = 2_048;
const kindsCharsMax = 6_144;
/** Every node has another. */
const neverTold: ReadonlySet<string> = new Set(['kubernetes.io/hostname']);
/** JSON around a name and a value. */
const pairChars = 6;

/**
 * Nodes that have the same taints and labels are of one kind. Of labels those are told that all nodes have with one value,
 * and those that distinguish no more kinds than a status can hold, fewest values first: what differs from node to node comes last, and
 * falls away as soon as there are many nodes. Whoever asks for a label that is not told is not told no (`untoldLabels`).
 */
export function nodeKindsOf(nodes: readonly NodeMarks[]): NodeKinds {
  const unknown: NodeKinds = { told: undefined, kindOf: new Map() };
  let parts = partedBy(nodes, { of: nodes.map(() => 0), count: 1 }, taintsJson);
  if (parts === undefined) return unknown;
  let kindChars = Math.max(0, ...nodes.map((node) => taintsJson(node).length));
  if (kindChars * parts.count > kindsCharsMax) return unknown;
  const common: { [key: string]: string } = {};
  const distinguishing: string[] = [];
  const untold = new Set<string>();
  let commonChars = 0;
  for (const { key, values, most } of labelKeys(nodes)) {
    const chars = key.length + most + pairChars;
    if (values === 1 && !neverTold.has(key) && commonChars + chars <= commonCharsMax) {
      common[key] = nodes[0]?.labels[key] as string;
      commonChars += chars;
      continue;
    }
    const finer: Parts | undefined =
      values === 1 || values > nodeKindsMax || neverTold.has(key)
        ? undefined
        : partedBy(nodes, parts, ({ labels }) => valueIn(labels, key));
    if (finer === undefined || (kindChars + chars) * finer.count > kindsCharsMax) {
      untold.add(key);
      continue;
    }
    parts = finer;
    kindChars += chars;
    distinguishing.push(key);
  }
  if (nodes.some(({ hasMoreLabels }) => hasMoreLabels)) untold.add('*');
  return toldKinds(nodes, parts, { common, distinguishing: distinguishing.sort(), untold });
}

/** Beside the nodes: which part each lies in. */
interface Parts {
  readonly of: readonly number[];
  readonly count: number;
}

/** Undefined: there would be more than may be. */
function partedBy(
  nodes: readonly NodeMarks[],
  parts: Parts,
  markOf: (node: NodeMarks) => string | undefined,
): Parts | undefined {
  const known: Map<string | undefined, number>[] = Array.from({ length: parts.count }, () => new Map());
  let count = 0;
  const of: number[] = [];
  for (const [i, node] of nodes.entries()) {
    const within = known[parts.of[i] as number] as Map<string | undefined, number>;
    const mark = markOf(node);
    let part = within.get(mark);
    if (part === undefined) {
      part = count++;
      if (count > nodeKindsMax) return undefined;
      within.set(mark, part);
    }
    of.push(part);
  }
  return { of, count };
}

interface LabelKey {
  readonly key: string;
  /** How many, that it is not there among them; of more than there may be kinds no exact number. */
  readonly values: number;
  /** Characters of the longest. */
  readonly most: number;
}

/** Fewest values first. */
function labelKeys(nodes: readonly NodeMarks[]): LabelKey[] {
  const found = new Map<string, { readonly values: Set<string>; nodes: number; most: number }>();
  for (const { labels } of nodes) {
    for (const key in labels) {
      const value = labels[key] as string;
      let one = found.get(key);
      if (one === undefined) {
        one = { values: new Set(), nodes: 0, most: 0 };
        found.set(key, one);
      }
      one.nodes++;
      if (one.values.size > nodeKindsMax) continue;
      one.values.add(value);
      one.most = Math.max(one.most, value.length);
    }
  }
  return Array.from(found, ([key, one]) => ({
    key,
    values: one.values.size + (one.nodes < nodes.length ? 1 : 0),
    most: one.most,
  })).sort((a, b) => a.values - b.values || (a.key < b.key ? -1 : 1));
}

interface Labels {
  readonly common: { [key: string]: string };
  readonly distinguishing: readonly string[];
  readonly untold: ReadonlySet<string>;
}

/** In an order that hangs on what the kinds are, not on that of the nodes. */
function toldKinds(
  nodes: readonly NodeMarks[],
  parts: Parts,
  { common, distinguishing, untold }: Labels,
): NodeKinds {
  const kinds: NodeKindTold[] = [];
  for (const [i, node] of nodes.entries()) {
    const labels: { [key: string]: string } = {};
    if (kinds[parts.of[i] as number] !== undefined) continue;
    for (const key of distinguishing) {
      const value = valueIn(node.labels, key);
      if (value !== undefined) labels[key] = value;
    }
    kinds[parts.of[i] as number] = {
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(node.taints.length === 0 ? {} : { taints: [...node.taints] }),
    };
  }
  const texts = kinds.map((kind) => JSON.stringify(kind));
  const order = [...kinds.keys()].sort((a, b) => ((texts[a] as string) < (texts[b] as string) ? -1 : 1));
  const placeOf = new Map(order.map((kind, place) => [kind, place]));
  const told: NodeKindsTold = { kinds: order.map((kind) => kinds[kind] as NodeKindTold) };
  if (Object.keys(common).length > 0) told.labels = sorted(common);
  if (untold.size > 0) told.untoldLabels = toldKeys(untold);
  return {
    told,
    kindOf: new Map(nodes.map(({ name }, i) => [name, placeOf.get(parts.of[i] as number) ?? 0])),
  };
}

/** A label may be called `constructor`. */
function valueIn(labels: NodeMarks['labels'], key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function toldKeys(untold: ReadonlySet<string>): string[] {
  const chars = [...untold].reduce((sum, key) => sum + key.length + pairChars, 0);
  return untold.has('*') || chars > untoldCharsMax ? ['*'] : [...untold].sort();
}

function sorted(labels: { readonly [key: string]: string }): { [key: string]: string } {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function taintsJson({ taints }: NodeMarks): string {
  return taints.length === 0 ? '' : JSON.stringify(taints);
}
