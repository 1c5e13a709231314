import type { Cell } from '#api/federation/cell.ts';
import type { CellScore } from '#api/federation/cell-score.ts';
import type { FederatedResourceQuota } from '#api/policy/federated-resource-quota.ts';
import type { PropagationSpec, Toleration } from '#api/policy/placement.ts';
import type { SchedulingProfile } from '#api/policy/scheduling-profile.ts';
import { taintText } from '#api/taint-text.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { type Bounds, forbiddenCells, refusingPolicy, withinBounds } from '../algorithm/bounds.ts';
import { estimateBeside } from '../algorithm/capacity.ts';
import { type CellInfo, type CellSnapshot, type ProjectRef, toleratedUntilMs } from '../algorithm/cell.ts';
import { suspendedDecision } from '../algorithm/decide.ts';
import type { Decision, DecisionDetails, DecisionInput, Peers, Target } from '../algorithm/decision.ts';
import { meeting, ruledOutText } from '../algorithm/node-kinds.ts';
import { compileProfile } from '../algorithm/profile.ts';
import { previousTargets } from '../bindings/binding.ts';
import { cellInfoOf } from '../cells/cell-info.ts';
import { namedScores } from '../cells/cell-scores.ts';
import { dividesByRoom } from '../cells/estimate-question.ts';
import { definedGroup } from '../copies/projector.ts';
import { heldBack } from '../deciding/held-back.ts';
import type { ToldCommitments } from '../deciding/told-commitments.ts';
import { decideWithFailover, type HealthRecord, leavesAtOnce } from '../failover/failover.ts';
import { remember, rememberedReplicas } from '../failover/health-memory.ts';
import { servedKindsOf } from '../gather/definition-report.ts';
import type { Interpretation } from '../interpreter/interpretation.ts';
import { InheritedPolicies } from '../policy/inherited.ts';
import { deschedulingLimits, limitsNow, tellingOfCrashes } from '../rescheduling/missing-replicas.ts';
import { rescheduleOf } from '../rescheduling/reschedule-of.ts';
import { isTriggered, triggerDigests } from '../rescheduling/triggers.ts';
import { cellsOnTrial } from '../rollout/plan.ts';
import { templateOf } from '../template-of.ts';
import { overflowTierText } from './overflow-tier.ts';
import { type Reason, reasonOf } from './reasons.ts';
import { toldQuotas } from './told-quotas.ts';

export interface InheritedSource {
  /** Path of the workspace that the policy stands in. */
  readonly workspace: string;
  readonly name: string;
  readonly spec: PropagationSpec;
}

/** The parts of a policy that decide where an object goes. */
export type DecidingSpec = Pick<
  PropagationSpec,
  'placement' | 'failover' | 'rollout' | 'suspension' | 'schedulerName' | 'reschedule' | 'dependentOverrides'
>;

/** What a decision is made from besides cells and binding. */
export interface ExplainedTemplate {
  readonly object: KubeObject;
  /** Undefined where the object only follows others. */
  readonly policy: DecidingSpec | undefined;
  /** Served through a CRD of the project. */
  readonly custom: boolean;
  /** Has a scale subresource. */
  readonly scalable: boolean;
  /** Policies of the workspaces above the project, as far as they may be read. */
  readonly inherited?: readonly InheritedSource[] | undefined;
  /** That the policy names, as far as it may be read. */
  readonly profile?: SchedulingProfile | undefined;
  /** The policy names one, and there is none. */
  readonly isProfileMissing?: boolean | undefined;
  /** That the policy names, and there is none. */
  readonly missingPriorityClass?: string | undefined;
  /** Of the policy's `dependentOverrides`. */
  readonly missingOverrides?: readonly string[] | undefined;
  /** Where the other workloads of its groups are. */
  readonly peers?: Peers | undefined;
  /** How the project, or a workspace above it, wants the kind to be understood. */
  readonly interpretation?: Interpretation | undefined;
  readonly scores?: readonly CellScore[] | undefined;
  /** Of the object's namespace, as far as they may be read. */
  readonly quotas?: readonly FederatedResourceQuota[] | undefined;
  /** What the cells' estimators say fits, or why they say nothing. */
  readonly estimates?: ReadonlyMap<string, number | string> | undefined;
  /** By cell how many replicas its edge has no node for, as far as estimators tell. */
  readonly unschedulable?: ReadonlyMap<string, number> | undefined;
  /** What decisions take that cells do not tell of yet, and how many other objects each cell was given. */
  readonly commitments?: ToldCommitments | undefined;
}

const nothingFound: DecisionDetails = { scores: new Map(), available: new Map() };

/** A taint that does not tell since when it is there: what is told is where things end up, and not for how long it is tolerated. */
const longAgoMs = (): number => 0;

/** Everything that deciding anew says of each cell. */
export interface Found {
  readonly outcome: Decision['outcome'];
  readonly message: string;
  readonly reasons: ReadonlyMap<string, Reason>;
  readonly targets: ReadonlyMap<string, number | undefined>;
  readonly details: DecisionDetails;
  readonly quotaRoom: number;
  /** Nodes of the cell that its replicas may not run on, and why, in words; '' where there are none, or nobody knows. */
  readonly ruledOut: (cell: string) => string;
  /** The overflow tier of the affinity group in use that the cell is of, in words; '' where it is of none. */
  readonly tierText: (cell: string) => string;
  /** What says so, where it is not what the cell's status tells. */
  readonly roomBy: (cell: string) => 'estimator' | 'quota' | undefined;
}

export interface AnewInput {
  readonly binding: ResourceBinding;
  readonly project: ProjectRef;
  readonly nowMs: number;
}

/**
 * The decision as the scheduler makes it of what the binding says (`Decider`), in these cells. Whoever leaves a cell because it
 * failed leaves it now: rates are the scheduler's own. Pure.
 */
export function decideAnew(
  { binding, project, nowMs }: AnewInput,
  given: ExplainedTemplate,
  cells: readonly Cell[],
  replicas: number | undefined,
): Found {
  const { object, inherited = [], profile: profileObject, scores = [], quotas = [] } = given;
  const estimates = given.estimates ?? new Map<string, number | string>();
  const infos: CellInfo[] = cells
    .map((cell) => cellInfoOf(cell, true, longAgoMs, namedScores(scores, cell.metadata.name ?? '')))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const snapshot = { version: 0, cells: infos };
  const definition = isDefinition(binding) ? definedGroup(object) : undefined;
  const { apiVersion, kind, resource } = binding.spec.resource;
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  const { custom, scalable, interpretation } = given;
  const group = groupOf(binding);
  const template = templateOf(
    object,
    { group, version, kind, resource, scalable, custom },
    interpretation,
    replicas,
  );
  const bounds = boundsAbove(inherited, project.path, binding, object);
  const previous = previousTargets(binding);
  const told = toldQuotas(quotas, previous, template.request);
  const estimateIn = (cell: string): number => {
    const estimate = estimates.get(cell);
    if (typeof estimate !== 'number') return Number.POSITIVE_INFINITY;
    const { nodeKinds } = infos.find(({ name }) => name === cell) ?? {};
    const underWay = given.commitments?.underWayOn(cell, meeting(nodeKinds, template.nodes));
    return estimateBeside(estimate, template.request, underWay);
  };
  const isAsked = estimates.size > 0 || quotas.length > 0;
  const input: DecisionInput = {
    template,
    project,
    bounds,
    snapshot,
    previous,
    loadOf: given.commitments?.loadOf,
    assumedIn: given.commitments?.assumedIn,
    assumedOnNodes: ({ name, nodeKinds }) =>
      given.commitments?.assumedOn(name, meeting(nodeKinds, template.nodes)),
    peers: given.peers,
    roomIn: isAsked ? (cell) => Math.min(estimateIn(cell), told.roomIn(cell)) : undefined,
    previousAffinity: binding.status?.schedulerObservingAffinityName,
    nowMs,
    profile: profileObject === undefined ? undefined : compileProfile(profileObject),
  };
  const decision = decideBy(binding, given, input, bounds);
  const details = decision.considered?.detailsOf(decision.considered.candidates) ?? nothingFound;
  const reasons = new Map<string, Reason>();
  infos.forEach((cell, i) => {
    const refusal = decision.refusals[i];
    if (refusal === undefined) return;
    const what =
      refusal === 'TaintNotTolerated'
        ? untolerated(cell, given.policy?.placement?.clusterTolerations)
        : refusingPolicy(refusal, bounds, snapshot, i);
    reasons.set(
      cell.name,
      refusal === 'APINotServed' && definition !== undefined
        ? { code: refusal, text: definitionRefusal(definition, object, cell) }
        : reasonOf(refusal, what),
    );
  });
  const refusal = told.refusal(decision.targets);
  const targets = refusal === undefined ? decision.targets : suspendedDecision(input).targets;
  return {
    outcome: refusal === undefined ? decision.outcome : 'QuotaExceeded',
    message: refusal ?? decision.message,
    reasons,
    targets: new Map(targets.map(({ name: cell, replicas: share }) => [cell, share])),
    details,
    quotaRoom: told.room,
    ruledOut(cell) {
      const info = infos.find(({ name }) => name === cell);
      return info === undefined || !details.available.has(cell) ? '' : ruledOutText(info, template.nodes);
    },
    tierText(cell) {
      const info = infos.find(({ name }) => name === cell);
      const { placement } = given.policy ?? {};
      return info === undefined ? '' : overflowTierText(placement, decision.affinity, info);
    },
    roomBy(cell) {
      const room = details.available.get(cell);
      if (room === undefined) return undefined;
      return room === told.roomIn(cell) ? 'quota' : room === estimateIn(cell) ? 'estimator' : undefined;
    },
  };
}

/** The taints that keep it away, or do once the time is over for which they are tolerated; undefined where its policy is not known. */
function untolerated(cell: CellInfo, tolerations: readonly Toleration[] = []): string | undefined {
  const taints = cell.taints.filter(
    (taint) =>
      taint.effect !== 'PreferNoSchedule' &&
      toleratedUntilMs(tolerations, taint) !== Number.POSITIVE_INFINITY,
  );
  return taints.length === 0 ? undefined : taints.map(taintText).join(', ');
}

/** What inherited policies allow the object; undefined: none of them selects it. */
export function boundsAbove(
  inherited: readonly InheritedSource[],
  path: string,
  binding: ResourceBinding,
  { metadata: { namespace = '', name = '', labels } }: KubeObject,
): Bounds | undefined {
  const policies = new InheritedPolicies();
  for (const source of inherited)
    policies.put(`${source.workspace}/${source.name}`, source.workspace, source.name, source.spec);
  const { kind } = binding.spec.resource;
  return policies.boundsOf(path, { group: groupOf(binding), kind, namespace, name, labels });
}

function decideBy(
  binding: ResourceBinding,
  {
    policy,
    isProfileMissing = false,
    missingPriorityClass,
    missingOverrides = [],
    unschedulable: stuck,
  }: ExplainedTemplate,
  input: DecisionInput,
  bounds: Bounds | undefined,
): Decision {
  const { snapshot, template, nowMs, previous, profile } = input;
  if (policy === undefined) return followingDecision(binding, snapshot, bounds);
  const held = heldBack({ spec: policy, bounds, isProfileMissing, missingPriorityClass, missingOverrides });
  if (held !== undefined) return suspendedDecision(input, held);
  const isShared = isDefinition(binding);
  const { triggers: wanted, unschedulable } = rescheduleOf(policy, profile);
  const fresh =
    wanted !== undefined &&
    isTriggered(
      triggerDigests(wanted, { spec: policy }, snapshot, template),
      binding.status?.reschedule,
      snapshot,
    );
  const usable = new Set(snapshot.cells.filter(({ ready }) => ready).map(({ name }) => name));
  const limiting =
    unschedulable === undefined || !dividesByRoom(policy.placement)
      ? undefined
      : limitsNow(
          rememberedReplicas(binding.status?.failover),
          previous,
          deschedulingLimits(unschedulable),
          (cell) => usable.has(cell),
          nowMs,
          stuck,
        );
  const { decision } = decideWithFailover({
    input: { ...input, fresh, mostIn: limiting?.mostIn },
    placement: withinBounds(policy.placement, bounds),
    failover: isShared ? leavesAtOnce : policy.failover,
    tasks: isShared ? [] : (binding.spec.gracefulEvictionTasks ?? []),
    health: healthOf(binding),
    onTrial: cellsOnTrial(policy.rollout, binding.status?.rollout, snapshot.cells),
    mayEvict: () => 0,
  });
  return tellingOfCrashes(decision, limiting);
}

/** What only follows others is where they need it; where these would go is theirs to tell. */
function followingDecision(
  { spec: { requiredBy = [] } }: ResourceBinding,
  snapshot: CellSnapshot,
  bounds: Bounds | undefined,
): Decision {
  const forbidden = forbiddenCells(bounds, snapshot);
  const needed = new Set(requiredBy.flatMap(({ clusters = [] }) => clusters.map(({ name }) => name)));
  const targets: Target[] = snapshot.cells
    .filter(({ name }) => needed.has(name) && !forbidden.has(name))
    .map(({ name }) => ({ name, replicas: undefined }));
  const refusals = snapshot.cells.map(({ name }) => (forbidden.has(name) ? 'ForbiddenByPolicy' : undefined));
  const message = `follows ${requiredBy.length} objects that need it`;
  return { outcome: 'Scheduled', message, targets, refusals, affinity: undefined, recheckAtMs: undefined };
}

/** What the binding has kept. Where it tells of single cells no more, it names those that are not well. */
function healthOf({ spec, status }: ResourceBinding): HealthRecord {
  const told = new Map((status?.aggregatedStatus ?? []).map((item) => [item.clusterName, item.health]));
  const isCut = (status?.summary?.cells ?? 0) > told.size;
  const healthy = (spec.clusters ?? []).filter(
    ({ name }) => (told.get(name) ?? (isCut && 'Healthy')) === 'Healthy',
  );
  const health = {
    healthy: new Set(healthy.map(({ name }) => name)),
    unhealthySinceMs: new Map<string, number>(),
    avoidUntilMs: new Map<string, number>(),
    preferredSinceMs: undefined,
  };
  remember(status?.failover, health);
  return health;
}

function groupOf({ spec: { resource } }: ResourceBinding): string {
  return resource.apiVersion.includes('/')
    ? resource.apiVersion.slice(0, resource.apiVersion.indexOf('/'))
    : '';
}

export function isDefinition({ spec: { resource } }: ResourceBinding): boolean {
  return (
    resource.kind === 'CustomResourceDefinition' && resource.apiVersion.startsWith('apiextensions.k8s.io/')
  );
}

function definitionRefusal(group: string, crd: KubeObject, { served }: CellInfo): string {
  const text = `the cell lets projects bring no definitions of ${group} (spec.apis)`;
  const isServed = servedKindsOf(crd).some((kind) => served?.has(kind) === true);
  return isServed ? `${text}; its edge serves the kind by itself` : text;
}
