import { fnv32a } from '#apimachinery/hash.ts';

/** murmur3's finalizer: FNV alone leaves keys that differ in their last characters close together. */
function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * The candidates by their weight for a key, heaviest first (rendezvous hashing): when a candidate goes, only its own
 * keys move, evenly to the others; when one comes, it takes its share evenly from all.
 */
export function rendezvous(key: string, candidates: readonly string[]): string[] {
  return candidates
    .map((name) => ({ name, weight: mix(fnv32a(`${name}\n${key}`)) }))
    .sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1))
    .map(({ name }) => name);
}
