import { returnAnnotations, returnedFromLabel, returnKindOf } from '#api/federation/return-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import { equalJson, isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { deleteExactly } from '#client/delete-exactly.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import { findObject } from './find-object.ts';
import type { MappedNamespace } from './mapped-namespaces.ts';
import type { ProjectKind } from './project-kinds.ts';
import { addressOf, refInProject } from './return-keys.ts';
import { returnFieldManager as fieldManager, type ReturnState, returnedAt } from './return-state.ts';
import { type WantedObject, wantedObject } from './wanted-object.ts';

/** A kind that a project does not serve is looked for again. */
const unservedRecheckMs = 30_000;
const unsyncedRecheckMs = 500;

interface Turn {
  readonly key: string;
  readonly cell: string;
  /** As `returnAnnotations.source` says. */
  readonly source: string;
  readonly mapped: MappedNamespace;
  readonly wasRefused: boolean;
}

/** Brings what came from an edge into its project, where a policy there opens the way; else takes it away. */
export async function bringObject(
  state: ReturnState,
  key: string,
  [cellId = '', cellNamespace = '', name = '']: readonly string[],
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { world, namespaces, projects, refusals, tellPolicies } = state;
  const { owns, workspaces } = world;
  const mapped = namespaces.get(cellId, cellNamespace);
  if (mapped !== undefined && !owns(mapped.projectId)) return undefined;
  const source = `${cellId}|${cellNamespace}|${name}`;
  const slimmed = returnedAt(state, cellId, cellNamespace, name);
  const wasRefused = refusals.forget(key);
  const cell = workspaces.cellOf(cellId);
  const kind = slimmed === undefined ? undefined : returnKindOf(slimmed.spec);
  let known: ProjectKind | undefined;
  if (kind !== undefined && mapped !== undefined) {
    known = await projects.in(mapped.projectId, kind, signal).catch((error: unknown) => {
      if (!isApiError(error, 'Forbidden')) throw error;
      refusals.refuseKind(key, mapped, kind, error.message);
      return undefined;
    });
    // What stands there must be known before anything is written or deleted.
    if (known !== undefined && !known.informer.hasSynced) return { requeueAfterMs: unsyncedRecheckMs };
  }
  if (slimmed === undefined || mapped === undefined || cell === undefined || known === undefined) {
    await removeOthers(state, source, undefined, signal);
  } else {
    const wanted = await wantedObject(state, slimmed, { key, cell, source, mapped, known }, signal);
    await removeOthers(state, source, wanted, signal);
    if (wanted !== undefined) {
      await putObject(state, wanted, { key, cell, source, mapped, wasRefused }, signal);
      return undefined;
    }
  }
  if (mapped === undefined) return undefined;
  if (wasRefused) tellPolicies(mapped);
  if (kind === undefined || known !== undefined || refusals.has(key)) return undefined;
  const message = `the project does not serve ${kind.kind} in ${formatApiVersion(kind)}`;
  return refusals.refuseKind(key, mapped, kind, message) ? { requeueAfterMs: unservedRecheckMs } : undefined;
}

/** What came of it before, under another name or kind, or is unwanted now. */
async function removeOthers(
  { projects, world }: ReturnState,
  source: string,
  wanted: WantedObject | undefined,
  signal: AbortSignal,
): Promise<void> {
  for (const { key, kind, informer } of projects.values()) {
    for (const object of informer.byIndex('source', source)) {
      const isIt = wanted?.kindKey === key && addressOf(object) === wanted.address;
      if (isIt) continue;
      await deleteExactly(world.client, refInProject(kind, object), object.metadata.uid, signal);
    }
  }
}

/** Never over an object of the project. */
async function putObject(
  state: ReturnState,
  wanted: WantedObject,
  turn: Turn,
  signal: AbortSignal,
): Promise<void> {
  const { world, refusals, tellPolicies } = state;
  const { client } = world;
  const { ref, form } = wanted;
  const present = await findObject(client, ref, signal);
  if (present === undefined) {
    await orRefused(state, wanted, turn, async () => {
      await client.apply(ref, form, { fieldManager, ifAbsent: true, signal });
      await writeStatus(client, wanted, signal);
    });
    return;
  }
  const { labels = {}, annotations = {}, uid, resourceVersion } = present.metadata;
  if (labels[returnedFromLabel] === undefined || annotations[returnAnnotations.source] !== turn.source) {
    const message = `${ref.gvr.resource} ${ref.name} is there and did not come from ${turn.cell}`;
    refusals.refuse(turn.key, turn.mapped, wanted.policy, message);
    return;
  }
  if (annotations[returnAnnotations.edgeState] === wanted.state) {
    await writeStatusUnlessSame(client, wanted, present, signal);
    if (turn.wasRefused) tellPolicies(turn.mapped);
    return;
  }
  const guarded = { ...form, metadata: { ...(form['metadata'] as object), uid, resourceVersion } };
  await orRefused(state, wanted, turn, async () => {
    await client.apply(ref, guarded, { fieldManager, force: true, signal });
    await writeStatus(client, wanted, signal);
  });
}

async function orRefused(
  { refusals, tellPolicies }: ReturnState,
  { policy }: WantedObject,
  { key, mapped }: Turn,
  write: () => Promise<void>,
): Promise<void> {
  try {
    await write();
  } catch (error) {
    // Taken, or changed, meanwhile: looked at again. Refused: told, and tried again when something changes.
    if (!isApiError(error, 'Invalid', 'Forbidden', 'BadRequest')) throw error;
    refusals.refuse(key, mapped, policy, error.message);
    return;
  }
  tellPolicies(mapped);
}

async function writeStatus(
  client: KubeClient,
  { ref, form, status }: WantedObject,
  signal: AbortSignal,
): Promise<void> {
  if (status === undefined) return;
  const { apiVersion = '', kind = '' } = form;
  const metadata = { name: ref.name, namespace: ref.namespace ?? '' };
  await client.apply(
    ref,
    { apiVersion, kind, metadata, status },
    { fieldManager, force: true, subresource: 'status', signal },
  );
}

/** It may be that the object was written and its status was not. */
async function writeStatusUnlessSame(
  client: KubeClient,
  wanted: WantedObject,
  present: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  const before = isJsonObject(present['status']) ? present['status'] : undefined;
  if (wanted.status === undefined || equalJson(before, wanted.status)) return;
  try {
    await writeStatus(client, wanted, signal);
  } catch (error) {
    if (!isApiError(error, 'Invalid', 'Forbidden', 'BadRequest', 'NotFound')) throw error;
  }
}
