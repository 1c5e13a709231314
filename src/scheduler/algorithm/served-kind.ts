import { edgeVersionsOf } from '#api/federation/edge-versions.ts';
import type { CellInfo } from './cell.ts';
import type { Template } from './decision.ts';

/** Whether a cell's edge serves a kind, in the object's version or in an older one that its syncer can write it in. */
export function servesKind(
  served: NonNullable<CellInfo['served']>,
  { group, version, kind, resource }: Pick<Template, 'group' | 'version' | 'kind' | 'resource'>,
): boolean {
  if (served.has(`${group}/${version}/${kind}`)) return true;
  return edgeVersionsOf(group, resource).some((older) => served.has(`${group}/${older.version}/${kind}`));
}
