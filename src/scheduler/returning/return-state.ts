import type { ReturnedObject, ReturnRequest } from '#api/federation/returned-object.ts';
import type { Informer } from '#client/informer.ts';
import type { WorkQueue } from '#client/workqueue.ts';
import type { World } from '../world.ts';
import type { AskingPolicies } from './asking-policies.ts';
import type { MappedNamespace, MappedNamespaces } from './mapped-namespaces.ts';
import type { ProjectKinds } from './project-kinds.ts';
import type { Refusals } from './refusals.ts';

/** What everything that returns decides by; the controller's watches keep it. */
export interface ReturnState {
  readonly world: World;
  readonly policies: AskingPolicies;
  /** ReturnRequests and ReturnedObjects of all cells, indexed by `namespace` (`placeOf`). */
  readonly requests: Informer;
  readonly returned: Informer;
  readonly namespaces: MappedNamespaces;
  /** What has come back, in projects. */
  readonly projects: ProjectKinds;
  readonly refusals: Refusals;
  /** `<cell>|<namespace>` where something was left out because others had taken the room; at most as many as are mapped. */
  readonly crowded: Set<string>;
  /** Of the controller, whose keys `return-keys.ts` makes. */
  readonly queue: WorkQueue;
  /** The statuses of the namespace's policies may have become others. */
  readonly tellPolicies: (mapped: MappedNamespace) => void;
}

/** Of all that is written into projects and cells. */
export const returnFieldManager = 'cellplane-return';

export function requestAt(
  { requests }: Pick<ReturnState, 'requests'>,
  cellId: string,
  cellNamespace: string,
  name: string,
): ReturnRequest | undefined {
  return requests.get(`${cellId}|${cellNamespace}/${name}`) as ReturnRequest | undefined;
}

/** Slim: what is decided by alone. */
export function returnedAt(
  { returned }: Pick<ReturnState, 'returned'>,
  cellId: string,
  cellNamespace: string,
  name: string,
): ReturnedObject | undefined {
  return returned.get(`${cellId}|${cellNamespace}/${name}`) as ReturnedObject | undefined;
}
