import {
  eventKind,
  type ReturnableKind,
  returnAnnotations,
  returnKindKey,
  returnKindOf,
} from '#api/federation/return-contract.ts';
import { type ReturnedObject, returnedObjectsGvr } from '#api/federation/returned-object.ts';
import { deleteExactly } from '#client/delete-exactly.ts';
import { findObject } from './find-object.ts';
import { keyOf, refInProject } from './return-keys.ts';
import { type ReturnState, returnedAt } from './return-state.ts';

/** Deletes what stands in a project when what it came from is gone, as a read of the cell's workspace says. */
export async function keepInProject(
  state: ReturnState,
  [kindKey = '', projectId = '', namespace = '', name = '']: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { world, projects, queue } = state;
  const known = projects.byKey(kindKey);
  if (known === undefined || !world.owns(projectId)) return;
  const { kind, informer } = known;
  const object = informer.get(`${projectId}|${namespace}/${name}`);
  if (object === undefined) {
    lookForName(state, kind, projectId, namespace, name);
    return;
  }
  const source = object.metadata.annotations?.[returnAnnotations.source] ?? '';
  const [cellId = '', cellNamespace = '', returnedName = ''] = source.split('|');
  if (returnedAt(state, cellId, cellNamespace, returnedName) !== undefined) {
    queue.add(`object|${source}`);
    return;
  }
  if (world.workspaces.cellOf(cellId) !== undefined) {
    const ref = { cluster: cellId, gvr: returnedObjectsGvr, namespace: cellNamespace, name: returnedName };
    if ((await findObject(world.client, ref, signal)) !== undefined) return; // its event is on the way
  }
  await deleteExactly(world.client, refInProject(kind, object), object.metadata.uid, signal);
}

/** A name has become free, or what was there has lost its mark: who waits for it is looked at. */
function lookForName(
  { namespaces, returned, queue }: ReturnState,
  kind: ReturnableKind,
  projectId: string,
  namespace: string,
  name: string,
): void {
  if (kind === eventKind) return; // what is told of it next comes
  const key = returnKindKey(kind);
  for (const { cellId, name: cellNamespace } of namespaces.of(projectId, namespace)) {
    for (const one of returned.byIndex('namespace', `${cellId}|${cellNamespace}`)) {
      const { spec } = one as ReturnedObject;
      if (spec.kind !== kind.kind || !name.startsWith(spec.name)) continue;
      const other = returnKindOf(spec);
      if (other !== undefined && returnKindKey(other) === key) queue.add(keyOf('object', one));
    }
  }
}
