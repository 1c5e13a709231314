import type { Candidate } from './candidate.ts';
import type { SpreadDimension } from './spread.ts';

/** Candidates by the groups that they lie in. */
export interface Atoms {
  /** What lies in the same groups by every dimension: indices of candidates. */
  readonly members: readonly (readonly number[])[];
  /** Beside `members`: the number of the group by each dimension. */
  readonly groups: readonly (readonly number[])[];
  /** How many groups there are by each dimension. */
  readonly groupCounts: readonly number[];
}

/** In the order of the candidates. */
export function atomsOf(candidates: readonly Candidate[], dimensions: readonly SpreadDimension[]): Atoms {
  const numbers = dimensions.map(() => new Map<string, number>());
  const atoms = new Map<string, { readonly members: number[]; readonly groups: readonly number[] }>();
  candidates.forEach(({ cell }, i) => {
    const groups = dimensions.map(({ groupOf }, d) =>
      numberOf(groupOf(cell), numbers[d] as Map<string, number>),
    );
    const key = groups.join(' ');
    const atom = atoms.get(key);
    if (atom === undefined) atoms.set(key, { members: [i], groups });
    else atom.members.push(i);
  });
  const list = [...atoms.values()];
  return {
    members: list.map(({ members }) => members),
    groups: list.map(({ groups }) => groups),
    groupCounts: numbers.map(({ size }) => size),
  };
}

function numberOf(name: string, known: Map<string, number>): number {
  let number = known.get(name);
  if (number === undefined) {
    number = known.size;
    known.set(name, number);
  }
  return number;
}
