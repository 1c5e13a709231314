import { isCustomGroup, type ReturnSelector, returnKindOf } from '#api/federation/return-contract.ts';
import { returnEventsDefault, returnObjectsDefault } from '#api/federation/return-policy.ts';
import { returnRequestsGvr } from '#api/federation/returned-object.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { equalJson } from '#apimachinery/json.ts';
import type { ObjectRef } from '#client/client.ts';
import { deleteExactly } from '#client/delete-exactly.ts';
import type { ProjectKinds } from './project-kinds.ts';
import { type ReturnState, requestAt, returnFieldManager } from './return-state.ts';

/** Brings one cell's ReturnRequest to what the project's policy of its name says. */
export async function askCell(
  state: ReturnState,
  [cellId = '', cellNamespace = '', name = '']: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { world, policies, namespaces, projects } = state;
  const { client, owns } = world;
  const mapped = namespaces.get(cellId, cellNamespace);
  const present = requestAt(state, cellId, cellNamespace, name);
  const ref: ObjectRef = { cluster: cellId, gvr: returnRequestsGvr, namespace: cellNamespace, name };
  if (mapped !== undefined && !owns(mapped.projectId)) return;
  const policy = mapped === undefined ? undefined : policies.get(mapped.projectId, mapped.namespace, name);
  // Also of what was asked for before: it may have to go.
  const resources = [...(policy?.spec.resources ?? []), ...(present?.spec.resources ?? [])];
  if (mapped !== undefined) await watchKinds(projects, mapped.projectId, resources, signal);
  if (policy === undefined || !policies.asksCell(policy, cellId)) {
    if (present !== undefined) await deleteExactly(client, ref, present.metadata.uid, signal);
    return;
  }
  const spec = {
    resources: policy.spec.resources,
    maxObjects: policy.spec.maxObjects ?? returnObjectsDefault,
    maxEvents: policy.spec.maxEvents ?? returnEventsDefault,
  };
  if (present !== undefined && equalJson(present.spec, spec)) return;
  await client.apply(
    ref,
    {
      apiVersion: `${returnRequestsGvr.group}/${returnRequestsGvr.version}`,
      kind: 'ReturnRequest',
      metadata: { name, namespace: cellNamespace },
      spec,
    },
    { fieldManager: returnFieldManager, force: true, signal },
  );
}

async function watchKinds(
  projects: ProjectKinds,
  projectId: string,
  selectors: readonly ReturnSelector[],
  signal: AbortSignal,
): Promise<void> {
  for (const selector of selectors) {
    const kind = returnKindOf(selector);
    if (kind === undefined || !isCustomGroup(kind.group)) continue;
    await projects.in(projectId, kind, signal).catch((error: unknown) => {
      // Said of each object that comes.
      if (!isApiError(error, 'Forbidden')) throw error;
    });
  }
}
