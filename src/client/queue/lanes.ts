import { fnv32a, sha256 } from '#apimachinery/hash.ts';

/**
 * Into how many lanes all work is divided. A lane is worked on by one process at a time, so that this is also how many
 * processes can share the work. Part of what the processes agree on: those with another number must not share with these.
 */
export const laneCount = 16;

/** The lane in which an owner's work lies: always the same one. */
export function laneOf(owner: string): number {
  return fnv32a(owner) % laneCount;
}

/**
 * Which of the members is to work on a lane: the same for all who know the same members, and a member that comes or goes
 * moves no lanes but those that it gets or had. Within one lane of an even spread. Undefined without members.
 */
export function divideLanes(members: readonly string[]): ReadonlyMap<number, string> {
  const shares = new Map<number, string>();
  if (members.length === 0) return shares;
  const lanesMax = Math.ceil(laneCount / members.length);
  const held = new Map<string, number>();
  for (let lane = 0; lane < laneCount; lane++) {
    const ranked = [...members].sort((a, b) => (weight(lane, a) < weight(lane, b) ? 1 : -1));
    const taker = ranked.find((member) => (held.get(member) ?? 0) < lanesMax);
    if (taker === undefined) continue;
    shares.set(lane, taker);
    held.set(taker, (held.get(taker) ?? 0) + 1);
  }
  return shares;
}

function weight(lane: number, member: string): string {
  return sha256(`${lane} ${member}`).toString('hex');
}
