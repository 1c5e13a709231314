import { type Condition, withCondition } from '#api/conditions.ts';
import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import { workGroup, workVersion } from '#api/work/group.ts';
import {
  type Activation,
  type BindingSnapshot,
  bindingConditions,
  type DecidedCells,
  type FailoverMemory,
  type GracefulEvictionTask,
  type RefusalCount,
  type ResourceBinding,
  type ResourceBindingStatus,
  type RolloutStatus,
  type TargetCluster,
} from '#api/work/resource-binding.ts';
import { cutText } from '#apimachinery/cut-text.ts';
import { equalJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { canonicalQuantity, parseQuantity, quantityNumber } from '#apimachinery/quantity.ts';
import { type Bounds, refusingPolicy } from '../algorithm/bounds.ts';
import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { CellSnapshot } from '../algorithm/cell.ts';
import type { Decision, Outcome, Target } from '../algorithm/decision.ts';
import type { NodeDemand } from '../algorithm/node-demand.ts';
import type { DiscoveredResource } from '../discovery.ts';
import { bindingNameOf, type KeyParts } from '../object-key.ts';
import { placementDigest } from '../policy/placement-digest.ts';
import type { ResolvedPolicy } from '../policy/policy-index.ts';
import type { TriggerDigests } from '../rescheduling/triggers.ts';

/** Says which object a binding is for, where only metadata is read: `<version>/<resource>.<group>/<name>`. */
export const templateAnnotation = 'federation.cellplane.io/template';

const examplesMax = 3;
const messageLengthMax = 1_000;

/** A problem that is told as a condition; undefined: there is none. */
export interface Problems {
  readonly nameCollision?: string | undefined;
  readonly kindNotAllowed?: string | undefined;
  readonly unmappedReference?: string | undefined;
  readonly apiConflict?: string | undefined;
  readonly overrideFailed?: string | undefined;
  readonly interpretationFailed?: string | undefined;
  readonly statusOwnedElsewhere?: string | undefined;
}

const problemTypes: { readonly [problem in keyof Required<Problems>]: string } = {
  nameCollision: bindingConditions.nameCollision,
  kindNotAllowed: bindingConditions.kindNotAllowed,
  unmappedReference: bindingConditions.unmappedReference,
  apiConflict: bindingConditions.apiConflict,
  overrideFailed: bindingConditions.overrideFailed,
  interpretationFailed: bindingConditions.interpretationFailed,
  statusOwnedElsewhere: bindingConditions.statusOwnedElsewhere,
};

/** A problem becomes a condition True; one that is over becomes False; one that never was stands nowhere. */
export function withProblems(
  conditions: readonly Condition[] | undefined,
  problems: Problems,
  now: string,
): Condition[] {
  let list = (conditions ?? []) as Condition[];
  for (const problem of Object.keys(problemTypes) as (keyof Required<Problems>)[]) {
    if (!(problem in problems)) continue;
    const type = problemTypes[problem];
    const message = problems[problem];
    if (message !== undefined) {
      const told = cutText(message, messageLengthMax);
      list = withCondition(list, { type, status: 'True', reason: type, message: told }, now);
    } else if (list.some((condition) => condition.type === type)) {
      list = withCondition(list, { type, status: 'False', reason: 'Resolved', message: '' }, now);
    }
  }
  return list;
}

export interface BindingInput {
  readonly key: KeyParts;
  readonly resource: DiscoveredResource;
  readonly uid: string;
  readonly replicas: number | undefined;
  /** What one of them asks for, where it is to be told. */
  readonly request?: ReplicaRequest | undefined;
  /** On which nodes it may run; told with the request. */
  readonly nodes?: NodeDemand | undefined;
  /** Undefined where the object only follows others. */
  readonly policy: ResolvedPolicy | undefined;
  /** By the policy, without the cells that others need the object in. */
  readonly decision: Decision;
  /** What is told of the cells singly. */
  readonly cells?: DecidedCells | undefined;
  readonly bounds?: Bounds | undefined;
  /** Cells that are being left. */
  readonly tasks?: readonly GracefulEvictionTask[] | undefined;
  /** Who needs the object where it is. */
  readonly requiredBy?: readonly BindingSnapshot[] | undefined;
  /** Cells that are to have the object, for whichever reason; default: those of the decision. */
  readonly cellCount?: number | undefined;
  readonly snapshot: CellSnapshot;
  readonly problems: Problems;
  /** Undefined where the policy gives none. */
  readonly priority?: number | undefined;
  readonly failover?: FailoverMemory | undefined;
  readonly rollout?: RolloutStatus | undefined;
  /** What is to trigger a fresh decision, as this one saw it. */
  readonly triggers?: TriggerDigests | undefined;
  /** When the fresh decision was asked for that this is; undefined when it is none. */
  readonly freshAt?: string | undefined;
  /** What is kept of a lazy policy; undefined where it is none. */
  readonly activation?: Activation | undefined;
  readonly now: string;
}

/**
 * The binding with the whole decision: spec, reasons, conditions. The same object as `present` (or undefined for none)
 * when nothing changes.
 */
export function bindingOf(input: BindingInput, present: ResourceBinding | undefined): ResourceBinding {
  const { key, resource, decision, policy } = input;
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
  const { kind } = resource;
  const { namespace, name } = key;
  const { uid } = input;
  const spec: ResourceBinding['spec'] = {
    resource:
      namespace === ''
        ? { apiVersion, kind, resource: resource.resource, name, uid }
        : { apiVersion, kind, resource: resource.resource, namespace, name, uid },
    clusters: decision.targets.map(targetCluster),
  };
  if (input.replicas !== undefined) {
    spec.replicas = input.replicas;
    if (input.request !== undefined) spec.replicaRequirements = requirementsOf(input.request, input.nodes);
  }
  const rescheduledAt = input.freshAt ?? present?.spec.rescheduleTriggeredAt;
  if (rescheduledAt !== undefined) spec.rescheduleTriggeredAt = rescheduledAt;
  if (input.activation !== undefined) spec.activation = input.activation;
  if (policy !== undefined) {
    spec.placementDigest = placementDigest(policy);
    spec.policy = policyRefOf(policy);
  }
  if (input.priority !== undefined) spec.schedulePriority = { priority: input.priority };
  if (input.bounds !== undefined) spec.boundBy = input.bounds.list.map(({ name }) => name);
  if (input.tasks !== undefined && input.tasks.length > 0) spec.gracefulEvictionTasks = [...input.tasks];
  if (input.requiredBy !== undefined && input.requiredBy.length > 0) spec.requiredBy = [...input.requiredBy];
  const status = decisionStatus(input, present?.status, !equalJson(present?.spec, spec));
  if (present !== undefined && equalJson(present.spec, spec) && equalJson(present.status, status))
    return present;
  const annotations: { [key: string]: string } = { ...present?.metadata.annotations };
  annotations[templateAnnotation] = `${resource.version}/${key.resource}.${key.group}/${name}`;
  return {
    apiVersion: `${workGroup}/${workVersion}`,
    kind: namespace === '' ? 'ClusterResourceBinding' : 'ResourceBinding',
    metadata:
      present === undefined
        ? newMetadata(bindingNameOf(key), namespace, annotations)
        : { ...present.metadata, annotations },
    spec,
    status,
  };
}

function requirementsOf(
  request: ReplicaRequest,
  nodes: NodeDemand | undefined,
): ResourceBinding['spec']['replicaRequirements'] {
  const resourceRequest: { [resource: string]: string } = {};
  for (const [resource, amount] of request) resourceRequest[resource] = canonicalQuantity(String(amount));
  return nodes === undefined ? { resourceRequest } : { nodeClaim: nodes.claim, resourceRequest };
}

/** What the binding says that one replica asks for. */
export function requestOf({ spec }: ResourceBinding): ReplicaRequest {
  const told = spec.replicaRequirements?.resourceRequest ?? {};
  return Object.entries(told).map(
    ([resource, text]) => [resource, quantityNumber(parseQuantity(text))] as const,
  );
}

type PolicyRef = NonNullable<ResourceBinding['spec']['policy']>;

function policyRefOf({ namespace, inheritedFrom, name, uid }: ResolvedPolicy): PolicyRef {
  const kind = namespace === undefined ? 'ClusterPropagationPolicy' : 'PropagationPolicy';
  if (inheritedFrom !== undefined) {
    const { workspace } = inheritedFrom;
    return namespace === undefined
      ? { kind, workspace, name, uid }
      : { kind, workspace, namespace, name, uid };
  }
  return namespace === undefined ? { kind, name, uid } : { kind, namespace, name, uid };
}

function newMetadata(
  name: string,
  namespace: string,
  annotations: { [key: string]: string },
): KubeObject['metadata'] {
  return namespace === '' ? { name, annotations } : { name, namespace, annotations };
}

function decisionStatus(
  {
    decision,
    cells,
    snapshot,
    bounds,
    problems,
    failover,
    rollout,
    triggers,
    now,
    cellCount = decision.targets.length,
  }: BindingInput,
  present: ResourceBindingStatus | undefined,
  specChanged: boolean,
): ResourceBindingStatus {
  const refusals = countRefusals(decision, snapshot, bounds);
  const scheduled = withCondition(
    present?.conditions,
    {
      type: bindingConditions.scheduled,
      status: decision.outcome === 'Scheduled' ? 'True' : 'False',
      reason: scheduledReasons[decision.outcome],
      message: decision.message,
    },
    now,
  );
  const kindRefusal = refusals.find(({ code }) => code === 'KindNotAllowed');
  const kindNotAllowed =
    problems.kindNotAllowed ??
    (kindRefusal === undefined
      ? undefined
      : `${kindRefusal.count === 1 ? '1 cell does' : `${kindRefusal.count} cells do`} not allow this kind (spec.allow)`);
  const status: ResourceBindingStatus = {
    ...present,
    lastScheduledTime: specChanged ? now : (present?.lastScheduledTime ?? now),
    conditions: withProblems(
      withPending(scheduled, present?.summary === undefined, cellCount, now),
      { ...problems, kindNotAllowed },
      now,
    ),
    refusals,
  };
  if (cells !== undefined) status.decision = cells;
  else delete status.decision;
  if (failover !== undefined) status.failover = failover;
  else delete status.failover;
  if (triggers !== undefined) status.reschedule = triggers;
  else delete status.reschedule;
  if (rollout !== undefined) status.rollout = rollout;
  else delete status.rollout;
  if (decision.affinity !== undefined) status.schedulerObservingAffinityName = decision.affinity;
  else delete status.schedulerObservingAffinityName;
  return status;
}

/** Until something comes back from the cells, a decision is applied nowhere. */
function withPending(
  conditions: Condition[],
  isUnheard: boolean,
  cellCount: number,
  now: string,
): Condition[] {
  const type = bindingConditions.fullyApplied;
  if (!isUnheard && conditions.some((condition) => condition.type === type)) return conditions;
  const message = `0 of ${cellCount} cells have it`;
  return withCondition(conditions, { type, status: 'False', reason: 'Pending', message }, now);
}

const scheduledReasons: { readonly [outcome in Outcome]: string } = {
  Scheduled: 'Success',
  NoClusterFit: 'NoClusterFit',
  Unschedulable: 'Unschedulable',
  QuotaExceeded: 'QuotaExceeded',
  Suspended: 'SchedulingSuspended',
  PriorityClassNotFound: 'PriorityClassNotFound',
};

/** How many cells for each reason, and each inherited policy that is one, with a few names; ordered by code. */
function countRefusals(
  decision: Decision,
  snapshot: CellSnapshot,
  bounds: Bounds | undefined,
): RefusalCount[] {
  const byReason = new Map<string, RefusalCount & { examples: string[] }>();
  decision.refusals.forEach((code, i) => {
    if (code === undefined) return;
    const policy = refusingPolicy(code, bounds, snapshot, i);
    const reason = policy === undefined ? code : `${code} ${policy}`;
    let entry = byReason.get(reason);
    if (entry === undefined) {
      entry =
        policy === undefined ? { code, count: 0, examples: [] } : { code, policy, count: 0, examples: [] };
      byReason.set(reason, entry);
    }
    entry.count++;
    if (entry.examples.length < examplesMax) entry.examples.push(snapshot.cells[i]?.name ?? '');
  });
  // Cut to their length: an array that grew keeps room for sixteen more, and a binding is kept.
  for (const entry of byReason.values()) entry.examples = entry.examples.slice();
  if (byReason.size <= 1) return [...byReason.values()];
  return [...byReason].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}

function targetCluster({ name, replicas }: Target): TargetCluster {
  return replicas === undefined ? { name } : { name, replicas };
}

/** What the binding says was decided before. */
export function previousTargets(binding: ResourceBinding | undefined): Target[] {
  return (binding?.spec.clusters ?? []).map(({ name, replicas }) => ({ name, replicas }));
}

/** The inverse of the annotation; undefined when it is missing or malformed. */
export function parseTemplateAnnotation(
  text: string | undefined,
):
  | { readonly version: string; readonly resource: string; readonly group: string; readonly name: string }
  | undefined {
  const match = /^([^/]+)\/([^./]+)\.([^/]*)\/(.+)$/.exec(text ?? '');
  if (match === null) return undefined;
  const [, version = '', resource = '', group = '', name = ''] = match;
  return { version, resource, group, name };
}

/** Which object a binding is for, by its metadata as a wildcard watch tells it. */
export function boundObject({ metadata }: KubeObject): KeyParts | undefined {
  const template = parseTemplateAnnotation(metadata.annotations?.[templateAnnotation]);
  if (template === undefined) return undefined;
  const { group, resource, name } = template;
  const cluster = metadata.annotations?.[clusterAnnotation] ?? '';
  return { group, resource, cluster, namespace: metadata.namespace ?? '', name };
}
