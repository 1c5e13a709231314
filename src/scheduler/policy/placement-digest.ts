import type { PropagationSpec } from '#api/policy/placement.ts';
import { contentHashOf } from '../projection/content-hash.ts';

const digests = new WeakMap<object, string>();

/** Equal for equal placements. */
export function placementDigest({ spec }: { readonly spec: Pick<PropagationSpec, 'placement'> }): string {
  let digest = digests.get(spec);
  if (digest === undefined) {
    digest = contentHashOf(spec.placement ?? {});
    digests.set(spec, digest);
  }
  return digest;
}
