import { withCondition } from '#api/conditions.ts';
import { eventKind, returnAnnotations, selectsReturn } from '#api/federation/return-contract.ts';
import { returnPoliciesGvr } from '#api/federation/return-policy.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { equalJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import { type ReturnState, requestAt, returnedAt, returnFieldManager } from './return-state.ts';

const messageLengthMax = 1_024;

interface Unserved {
  readonly reason: string;
  readonly message: string;
}

/** Writes into a ReturnPolicy's status how many objects came back for it, and why others did not. */
export async function tellPolicyStatus(
  state: ReturnState,
  [projectId = '', namespace = '', name = '']: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { world, policies, projects, refusals } = state;
  const policy = policies.get(projectId, namespace, name);
  if (policy === undefined || !world.owns(projectId)) return;
  let returned = 0;
  for (const { kind, informer } of projects.values()) {
    if (kind === eventKind) continue;
    for (const object of informer.byIndex('namespace', `${projectId}|${namespace}`)) {
      if (selectsReturn(policy.spec.resources, kind, atEdge(state, object))) returned++;
    }
  }
  const refused = refusals.messagesOf(`${projectId}|${namespace}|${name}`);
  const unserved = unservedFor(state, projectId, namespace, name);
  const old = policy.status ?? {};
  const conditions = withCondition(
    old.conditions,
    conditionOf(refused, unserved),
    nowTime(world.clock.now()),
  );
  const observedGeneration = policy.metadata.generation ?? 0;
  const status = { observedGeneration, returned, refused: refused.length, conditions: [...conditions] };
  if (equalJson(old, status)) return;
  const ref = { cluster: projectId, gvr: returnPoliciesGvr, namespace, name };
  try {
    await world.client.patch(
      ref,
      { type: 'merge', body: { status } },
      { subresource: 'status', fieldManager: returnFieldManager, signal },
    );
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
  }
}

function conditionOf(refused: readonly string[], unserved: readonly Unserved[]) {
  if (refused.length === 0 && unserved.length === 0) {
    const message = 'what the edges have is here';
    return { type: 'Returned', status: 'True', reason: 'Returned', message } as const;
  }
  const message =
    refused.length > 0
      ? `${refused.length} refused, first: ${refused[0]}`
      : unserved.map((one) => one.message).join('; ');
  return {
    type: 'Returned',
    status: 'False',
    reason: refused.length > 0 ? 'Refused' : (unserved[0]?.reason ?? 'APINotServed'),
    message: message.slice(0, messageLengthMax),
  } as const;
}

/** What the cells that the policy asks say of kinds that their edges do not serve, or do not let be read. */
function unservedFor(state: ReturnState, projectId: string, namespace: string, name: string): Unserved[] {
  const { namespaces, world } = state;
  const messages: Unserved[] = [];
  for (const { cellId, name: cellNamespace } of namespaces.of(projectId, namespace)) {
    const request = requestAt(state, cellId, cellNamespace, name);
    const { reason = 'APINotServed', message = '' } = request?.status ?? {};
    if (message === '') continue;
    messages.push({ reason, message: `${world.workspaces.cellOf(cellId) ?? cellId}: ${message}` });
  }
  return messages.sort((a, b) => (a.message < b.message ? -1 : 1));
}

/** Selected by the name that it has at the edge. */
function atEdge(state: ReturnState, object: KubeObject): KubeObject {
  const [cellId = '', cellNamespace = '', name = ''] =
    object.metadata.annotations?.[returnAnnotations.source]?.split('|') ?? [];
  const returned = returnedAt(state, cellId, cellNamespace, name);
  const metadata = { ...object.metadata, name: returned?.spec.name ?? object.metadata.name ?? '' };
  return { ...object, metadata };
}
