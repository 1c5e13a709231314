import { contentHashOf } from '../projection/canonical.ts';
import type { ResolvedPolicy } from './policy-index.ts';

const digests = new WeakMap<object, string>();

/** Equal for equal placements. */
export function placementDigest({ spec }: ResolvedPolicy): string {
  let digest = digests.get(spec);
  if (digest === undefined) {
    digest = contentHashOf(spec.placement ?? {});
    digests.set(spec, digest);
  }
  return digest;
}
