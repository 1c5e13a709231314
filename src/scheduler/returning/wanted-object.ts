import {
  eventKind,
  isCustomGroup,
  returnAnnotations,
  returnedEventAgeMaxMs,
  returnedObjectBytesMax,
  staysAtEdge,
} from '#api/federation/return-contract.ts';
import {
  type ReturnPolicy,
  returnEventsDefault,
  returnObjectsDefault,
} from '#api/federation/return-policy.ts';
import {
  type ReturnedObject,
  returnedObjectName,
  returnedObjectsGvr,
} from '#api/federation/returned-object.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { parseTime } from '#apimachinery/rfc3339.ts';
import type { ObjectRef } from '#client/client.ts';
import type { World } from '../world.ts';
import { findObject } from './find-object.ts';
import type { MappedNamespace } from './mapped-namespaces.ts';
import {
  projectEventForm,
  projectEventNameOf,
  projectForm,
  projectNameOf,
  projectStatusOf,
} from './project-form.ts';
import type { ProjectKind } from './project-kinds.ts';
import type { ReturnState } from './return-state.ts';

/** What is to stand in a project for a ReturnedObject. */
export interface WantedObject {
  /** Of its kind, as `ProjectKinds` has it. */
  readonly kindKey: string;
  readonly address: string;
  readonly ref: ObjectRef;
  readonly form: JsonObject;
  /** When it is written apart. */
  readonly status: JsonObject | undefined;
  readonly state: string;
  readonly policy: string;
}

/** A ReturnedObject in a cell, and the kind and namespace of a project that it is for. */
export interface ReturnedPlace {
  /** Key of the queue and of refusals. */
  readonly key: string;
  /** Name of the cell, for people. */
  readonly cell: string;
  /** As `returnAnnotations.source` says. */
  readonly source: string;
  readonly mapped: MappedNamespace;
  readonly known: ProjectKind;
}

/**
 * What an edge says is checked against the policy once more: undefined when no policy asks for it, or when it is refused,
 * which `refusals` is told.
 */
export async function wantedObject(
  state: ReturnState,
  slimmed: ReturnedObject,
  { key, cell, source, mapped, known: { kind, hasStatus, key: kindKey } }: ReturnedPlace,
  signal: AbortSignal,
): Promise<WantedObject | undefined> {
  const { world, policies, refusals, crowded } = state;
  // Its name is made of what it says to be: two cannot stand for one object, nor one for two.
  if (slimmed.metadata.name !== returnedObjectName(kind, slimmed.spec.name)) return undefined;
  if (!world.workspaces.project(mapped.projectId)) return undefined;
  const { cellId, name: cellNamespace, namespace } = mapped;
  const ref = {
    cluster: cellId,
    gvr: returnedObjectsGvr,
    namespace: cellNamespace,
    name: slimmed.metadata.name ?? '',
  };
  const returned = (await findObject(world.client, ref, signal)) as ReturnedObject | undefined;
  if (returned === undefined) return undefined;
  const { object } = returned.spec;
  const metadata = { ...(object['metadata'] as KubeObject['metadata']), name: returned.spec.name };
  const policy = policies.selecting(mapped, kind, { ...object, metadata } as KubeObject);
  if (policy === undefined) return undefined;
  const policyName = policy.metadata.name ?? '';
  const refuse = (message: string) => refusals.refuse(key, mapped, policyName, message);
  if (object['kind'] !== kind.kind || object['apiVersion'] !== formatApiVersion(kind)) {
    refuse(`${kind.kind} ${returned.spec.name} of ${cell} holds an object of another kind or version`);
    return undefined;
  }
  if (staysAtEdge(kind.kind, { ...object, metadata } as KubeObject)) return undefined;
  const isEvent = kind === eventKind;
  if (isEvent && isOfOld(object, world.clock.now())) return undefined;
  if (Buffer.byteLength(JSON.stringify(object)) > 2 * returnedObjectBytesMax) {
    refuse(
      `${kind.kind} ${returned.spec.name} of ${cell} is larger than ${returnedObjectBytesMax / 1024} KiB`,
    );
    return undefined;
  }
  if (!isWithinMax(state, returned, mapped, policy)) {
    crowded.add(`${cellId}|${cellNamespace}`);
    // Events go by themselves.
    if (!isEvent) refuse(`${cell} has more objects than the policy's maxObjects lets back`);
    return undefined;
  }
  const naming = policy.spec.naming ?? 'Same';
  const options = { cell, source, cellNamespace, projectNamespace: namespace, naming } as const;
  const { group, version, resource } = kind;
  const name = isEvent
    ? projectEventNameOf(returned.spec.name, cell)
    : projectNameOf(returned.spec.name, options);
  const form = isEvent
    ? projectEventForm(returned, options, await involvedUid(world, object, mapped, signal))
    : projectForm(returned, options);
  const status = isCustomGroup(group) ? projectStatusOf(returned, options) : undefined;
  return {
    kindKey,
    address: `${mapped.projectId}|${namespace}|${name}`,
    ref: { cluster: mapped.projectId, gvr: { group, version, resource }, namespace, name },
    form: status === undefined || hasStatus ? form : { ...form, status },
    status: hasStatus ? status : undefined,
    state: returned.metadata.annotations?.[returnAnnotations.edgeState] ?? '',
    policy: policyName,
  };
}

function isOfOld(event: JsonObject, nowMs: number): boolean {
  const lastMs = parseTime(String(event['lastTimestamp'] ?? '')) ?? 0;
  return lastMs + returnedEventAgeMaxMs <= nowMs;
}

/** uid of the project's object that an Event is about; '' when there is none: it is about something of the edge's own. */
async function involvedUid(
  { client, discovery }: World,
  event: JsonObject,
  { projectId, namespace }: MappedNamespace,
  signal: AbortSignal,
): Promise<string> {
  const involved = isJsonObject(event['involvedObject']) ? event['involvedObject'] : {};
  const { apiVersion, kind, name } = involved;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || typeof name !== 'string') return '';
  const found = await discovery.lookup(projectId, apiVersion, kind, signal);
  if (found?.namespaced !== true || name === '') return '';
  const { group, version, resource } = found;
  const ref = { cluster: projectId, gvr: { group, version, resource }, namespace, name };
  try {
    return (await client.get(ref, { metadataOnly: true, signal })).metadata.uid ?? '';
  } catch (error) {
    // A name that is no name at all is the edge's word too.
    if (isApiError(error, 'NotFound', 'BadRequest', 'Invalid')) return '';
    throw error;
  }
}

/** An edge that returns more than it was asked for gets no more in than that. */
function isWithinMax(
  { returned: all, policies }: ReturnState,
  returned: ReturnedObject,
  { cellId, name }: MappedNamespace,
  policy: ReturnPolicy,
): boolean {
  const { maxObjects = returnObjectsDefault, maxEvents = returnEventsDefault } = policy.spec;
  const isEvent = isEventOf(returned);
  // New Events come before those go for which there is no room any more.
  const max = isEvent ? 2 * maxEvents : maxObjects;
  // Several policies may share a namespace: their bounds add up at most.
  const sharedMax = max * Math.max(1, policies.countBeside(policy));
  let before = 0;
  for (const other of all.byIndex('namespace', `${cellId}|${name}`)) {
    if (isEventOf(other as ReturnedObject) !== isEvent) continue;
    if ((other.metadata.uid ?? '') < (returned.metadata.uid ?? '')) before++;
    if (before >= sharedMax) return false;
  }
  return true;
}

function isEventOf({ spec }: ReturnedObject): boolean {
  return spec.kind === eventKind.kind && spec.apiVersion === undefined;
}
