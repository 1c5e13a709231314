import type { Scheme } from '#apimachinery/scheme.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { rangePrefix } from '#storage/keys.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { Workspace } from '../workspace/workspace.ts';

/** Objects of a list that cost one seat, and the most that one costs (as in Kubernetes). */
const objectsPerSeat = 100;
const listSeatsMax = 10;

/**
 * How many seats a request takes while it is served (KUBERNETES.md O2): one, and a list, or a watch that begins with
 * one, one for each hundred objects that it looks at, ten at most. Looks at no more objects than that.
 */
export function seatsOf(
  info: RequestInfo,
  workspace: Workspace | undefined,
  scheme: Scheme,
  storage: Pick<CachedStorage, 'snapshot'>,
): number {
  const { verb, resource } = info;
  if (resource === undefined || (verb !== 'list' && verb !== 'watch')) return 1;
  const { query } = info;
  const version = query.get('resourceVersion') ?? '';
  if (verb === 'watch' && version !== '' && version !== '0' && query.get('sendInitialEvents') !== 'true')
    return 1;
  const limit = Number(query.get('limit') ?? '0');
  const isFiltered = query.has('labelSelector') || query.has('fieldSelector');
  // A page costs what is in it; one that selects may look at everything.
  if (limit > 0 && limit <= objectsPerSeat && !isFiltered) return 1;
  const served = scheme.lookupResource(resource.group, resource.version, resource.resource);
  if (served === undefined || served.definition.virtual === true) return 1;
  const prefix = rangePrefix(served.definition.storedAs, workspace?.id, resource.namespace);
  const most = limit > 0 && !isFiltered ? Math.min(limit, listObjectsMax) : listObjectsMax;
  let objects = 0;
  for (const _entry of storage.snapshot(prefix).entries()) if (++objects >= most) break;
  return Math.max(1, Math.ceil(objects / objectsPerSeat));
}

const listObjectsMax = objectsPerSeat * listSeatsMax;
