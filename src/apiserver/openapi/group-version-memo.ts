import type { ResourceVersion } from '#apimachinery/resource-definition.ts';
import type { ApiGroupVersion } from '../discovery/api-groups.ts';

/**
 * Keeps what is made of a group version as long as its resources live, and gives it to every scheme that serves the
 * same ones: a workspace with one CRD of its own makes anew what that CRD's group version needs, and nothing else.
 */
export function memoizeByGroupVersion<T>(
  make: (group: string, groupVersion: ApiGroupVersion) => T,
): (group: string, groupVersion: ApiGroupVersion) => T {
  const known = new WeakMap<
    ResourceVersion,
    { readonly versions: readonly ResourceVersion[]; readonly made: T }
  >();
  return (group, groupVersion) => {
    const versions = groupVersion.resources.map((one) => one.version);
    const [first] = versions;
    if (first === undefined) return make(group, groupVersion);
    const standing = known.get(first);
    if (standing !== undefined && sameList(standing.versions, versions)) return standing.made;
    const made = make(group, groupVersion);
    known.set(first, { versions, made });
    return made;
  };
}

function sameList(a: readonly ResourceVersion[], b: readonly ResourceVersion[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}
