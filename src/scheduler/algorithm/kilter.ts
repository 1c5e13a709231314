/** A way between two nodes of a network, with what goes along it and between which bounds that is to be. */
export interface Arc {
  readonly from: number;
  readonly to: number;
  readonly least: number;
  /** Infinity where there is no limit. */
  readonly most: number;
  /** Changed by `settle`. */
  flow: number;
}

/**
 * Nodes, by number not zero, into which more has to go than may come out: the least of the arcs that enter adds up to more than
 * the most of those that leave.
 */
export type Cut = Int32Array;

/**
 * Changes a circulation (as much goes into each node as out of it) until every flow is within its bounds, by as little at a time
 * as the shortest detour needs; whole numbers stay whole. When no circulation keeps all bounds it returns a cut that none
 * passes (Hoffman), with flows anywhere. This is the out-of-kilter method (Fulkerson 1961) without costs. O(arcs) for each
 * detour; a detour brings at least one unit nearer, mostly many. `meter` counts the arcs that are looked at.
 */
export function settle(
  nodeCount: number,
  arcs: readonly Arc[],
  meter: { looked: number } = { looked: 0 },
): Cut | undefined {
  const network = new Network(nodeCount, arcs, meter);
  for (let i = 0; i < arcs.length; i++) {
    const arc = arcs[i] as Arc;
    while (arc.flow < arc.least) {
      const pushed = network.push(arc.to, arc.from, arc.least - arc.flow, i);
      if (pushed === 0) return network.reachedFrom(arc.to);
      arc.flow += pushed;
    }
    while (arc.flow > arc.most) {
      const pushed = network.push(arc.from, arc.to, arc.flow - arc.most, i);
      if (pushed === 0) return network.reachedFrom(arc.from);
      arc.flow -= pushed;
    }
  }
  return undefined;
}

class Network {
  readonly #arcs: readonly Arc[];
  /** Arcs that begin or end at a node. */
  readonly #at: number[][];
  readonly #cameBy: Int32Array;
  readonly #meter: { looked: number };

  constructor(nodeCount: number, arcs: readonly Arc[], meter: { looked: number }) {
    this.#arcs = arcs;
    this.#meter = meter;
    this.#at = Array.from({ length: nodeCount }, () => []);
    arcs.forEach(({ from, to }, i) => {
      this.#at[from]?.push(i);
      this.#at[to]?.push(i);
    });
    this.#cameBy = new Int32Array(nodeCount);
  }

  /** Nodes that the last search found a way to, and where it began. */
  reachedFrom(node: number): Cut {
    return this.#cameBy.map((by, i) => (by !== -1 || i === node ? 1 : 0));
  }

  /** Sends up to `wanted` the shortest way that takes no arc further from its bounds, without arc `but`. Returns how much. */
  push(from: number, to: number, wanted: number, but: number): number {
    const cameBy = this.#cameBy.fill(-1);
    const queue = [from];
    for (let next = 0; next < queue.length && cameBy[to] === -1; next++) {
      const node = queue[next] as number;
      const ways = this.#at[node] as number[];
      this.#meter.looked += ways.length;
      for (const i of ways) {
        const arc = this.#arcs[i] as Arc;
        const other = arc.from === node ? arc.to : arc.from;
        if (i === but || other === from || cameBy[other] !== -1 || slack(arc, node) <= 0) continue;
        cameBy[other] = i;
        queue.push(other);
      }
    }
    if (cameBy[to] === -1) return 0;
    const path: { readonly arc: Arc; readonly node: number }[] = [];
    for (let node = to; node !== from; ) {
      const arc = this.#arcs[cameBy[node] as number] as Arc;
      node = arc.from === node ? arc.to : arc.from;
      path.push({ arc, node });
    }
    const pushed = path.reduce((least, { arc, node }) => Math.min(least, slack(arc, node)), wanted);
    for (const { arc, node } of path) arc.flow += arc.from === node ? pushed : -pushed;
    return pushed;
  }
}

/** How much may be sent through the arc, seen from one of its ends. */
function slack({ from, flow, least, most }: Arc, node: number): number {
  return from === node ? most - flow : flow - least;
}
