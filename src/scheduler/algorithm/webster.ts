import { fnv32a } from '#apimachinery/hash.ts';

export interface Party {
  readonly name: string;
  /** A non-negative integer. */
  readonly weight: number;
}

/**
 * Hands out `seats` by Webster's method (Sainte-Laguë; PLACEMENT.md 2): the next seat goes to the party with the highest
 * weight/(2·seats+1); on a tie to the one with fewer seats, then by name: descending when the 32-bit FNV hash of
 * `uid` is odd, else ascending (no uid: ascending). Returns the seats in the order of `parties`. Monotone in `seats`.
 *
 * Parties of weight 0 get seats only when all weigh 0. Takes O(n log n), however many seats there are: all but the last n
 * or so are given at once, see `headStart`.
 *
 *   7 seats over a:2 b:1 c:1 d:1 → 3, 2, 1, 1
 */
export function divideByWebster(seats: number, parties: readonly Party[], uid = ''): number[] {
  const given = new Array<number>(parties.length).fill(0);
  if (parties.length === 0 || seats <= 0) return given;
  const left = seats - headStart(seats, parties, given);
  const order = contenders(left, parties, given);
  const before = claimOrder(parties, given, uid);
  for (let i = (order.length >> 1) - 1; i >= 0; i--) sink(order, i, before);
  for (let i = 0; i < left; i++) {
    const winner = order[0] as number;
    given[winner] = (given[winner] as number) + 1;
    sink(order, 0, before);
  }
  return given;
}

/** Whether the claim of party `a` to another seat comes before that of `b`, with the seats that they have at the time. */
export function claimOrder(
  parties: readonly Party[],
  given: readonly number[],
  uid: string,
): (a: number, b: number) => boolean {
  const descending = uid !== '' && fnv32a(uid) % 2 === 1;
  return (a, b) => {
    const seatsA = given[a] as number;
    const seatsB = given[b] as number;
    const claimA = (parties[a] as Party).weight / (2 * seatsA + 1);
    const claimB = (parties[b] as Party).weight / (2 * seatsB + 1);
    if (claimA !== claimB) return claimA > claimB;
    if (seatsA !== seatsB) return seatsA < seatsB;
    const ascending = (parties[a] as Party).name < (parties[b] as Party).name;
    return ascending !== descending;
  };
}

/**
 * Gives every party the seats whose claim weight/(2s+1) lies above 1/(2λ), with λ chosen so low that these are never
 * more than `seats`: Σ⌊wλ+½⌋ ≤ λW + n/2 = seats. The order of claims makes them a prefix of what seat by seat would
 * give. λ is lowered by 1e-9 so that rounding cannot take a claim from below the line.
 */
function headStart(seats: number, parties: readonly Party[], given: number[]): number {
  let total = 0;
  for (const party of parties) total += party.weight;
  const lambda = total === 0 ? 0 : ((seats - parties.length / 2) / total) * (1 - 1e-9);
  if (lambda <= 0) return 0;
  let sum = 0;
  for (let i = 0; i < parties.length; i++) {
    const share = Math.floor((parties[i] as Party).weight * lambda + 0.5);
    given[i] = share;
    sum += share;
  }
  return sum;
}

/**
 * Who may still get one of the last seats. With fewer seats than parties and nothing given yet, only those whose weight is
 * among the greatest: every other is outdone by as many first claims as there are seats.
 */
function contenders(left: number, parties: readonly Party[], given: readonly number[]): number[] {
  const all = Array.from(parties.keys());
  if (left >= parties.length || given.some((seats) => seats > 0)) return all;
  // The `left` greatest weights so far, the least of them on top.
  const greatest: number[] = [];
  const lower = (a: number, b: number): boolean => a < b;
  for (let i = 0; i < parties.length; i++) {
    const { weight } = parties[i] as Party;
    if (i < left) {
      greatest.push(weight);
      if (i === left - 1) for (let at = (left >> 1) - 1; at >= 0; at--) sink(greatest, at, lower);
    } else if (weight > (greatest[0] as number)) {
      greatest[0] = weight;
      sink(greatest, 0, lower);
    }
  }
  const least = greatest[0] ?? 0;
  return all.filter((i) => (parties[i] as Party).weight >= least);
}

function sink(heap: number[], from: number, before: (a: number, b: number) => boolean): void {
  const item = heap[from] as number;
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as number, heap[child] as number)) child++;
    if (!before(heap[child] as number, item)) break;
    heap[at] = heap[child] as number;
    at = child;
  }
  heap[at] = item;
}
