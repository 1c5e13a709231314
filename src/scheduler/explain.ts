import type { Cell } from '#api/federation/cell.ts';
import type { CellScore } from '#api/federation/cell-score.ts';
import { copyAnnotations, definitionAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import type { FederatedResourceQuota } from '#api/policy/federated-resource-quota.ts';
import type { Placement, PropagationSpec } from '#api/policy/placement.ts';
import type { SchedulingProfile } from '#api/policy/scheduling-profile.ts';
import type {
  AggregatedStatusItem,
  BoundPolicy,
  ResourceBinding,
  RolloutStatus,
} from '#api/work/resource-binding.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import { forbiddingPolicy, withinBounds } from './algorithm/bounds.ts';
import type { CellInfo, ProjectRef } from './algorithm/cell.ts';
import { decide } from './algorithm/decide.ts';
import type { Decision, DecisionDetails, RefusalCode, Template } from './algorithm/decision.ts';
import { compileProfile } from './algorithm/profile.ts';
import { previousTargets } from './binding.ts';
import { cellInfoOf } from './cells/cell-info.ts';
import { namedScores } from './cells/cell-scores.ts';
import { servedKindsOf } from './gather/definition-report.ts';
import { syncErrorText } from './gather/gather.ts';
import { InheritedPolicies } from './policy/inherited.ts';
import { isPrivilegedResource } from './projection/kinds.ts';
import { replicasOf, requestOf } from './projection/replicas.ts';
import { definedGroup } from './projector.ts';
import { toldQuotas } from './told-quotas.ts';
import { assuming, type CellAssumption } from './what-if.ts';

/** How far a cell is: `Synced`: the edge has the copy as it is; `Withdrawing`: the copy waits for the edge to let go. */
export type SyncState = 'Synced' | 'Pending' | 'Failed' | 'Missing' | 'Withdrawing' | 'None';

export interface CellExplanation {
  readonly cell: string;
  readonly chosen: boolean;
  readonly replicas: number | undefined;
  /** Why it was not chosen; undefined when it was, or when only counts are known. */
  readonly reason: RefusalCode | undefined;
  /** The reason in words, or what is wrong with the sync. */
  readonly message: string;
  readonly sync: SyncState;
  readonly health: string | undefined;
  /** Points by score, of cells that passed the filters; undefined where deciding anew was not asked for. */
  readonly scores: { readonly [score: string]: number } | undefined;
  /** Further replicas that fit. */
  readonly room: number | undefined;
  /** What says so, where it is not what the cell's status tells. */
  readonly roomBy: 'estimator' | 'quota' | undefined;
}

export interface Explanation {
  readonly scheduled: boolean;
  readonly message: string;
  readonly policy: string | undefined;
  /** How far a change of the object is; undefined where its policy has no rollout. */
  readonly rollout: RolloutStatus | undefined;
  /** Inherited policies that bound where the object may be: `<workspace>/<name>`. */
  readonly boundBy: readonly string[];
  /** Further replicas that the namespace's quotas leave room for in all cells together; undefined where they limit none. */
  readonly quotaRoom: number | undefined;
  /** All cells, by name. */
  readonly cells: readonly CellExplanation[];
  readonly whatIf: WhatIf | undefined;
}

export interface WhatIf {
  readonly assumptions: readonly string[];
  readonly scheduled: boolean;
  readonly message: string;
  /** Cells that have the object now or would have it; true where it has no replicas. */
  readonly cells: readonly {
    readonly cell: string;
    readonly now: number | boolean;
    readonly would: number | boolean;
    readonly reason: RefusalCode | undefined;
  }[];
}

export interface InheritedSource {
  /** Path of the workspace that the policy stands in. */
  readonly workspace: string;
  readonly name: string;
  readonly spec: PropagationSpec;
}

export interface ExplainInput {
  /** Other circumstances to be decided under; needs the template. */
  readonly whatIf?:
    | { readonly assumptions: readonly CellAssumption[]; readonly replicas: number | undefined }
    | undefined;
  readonly binding: ResourceBinding;
  readonly cells: readonly Cell[];
  /** The metadata of the object's copies, by the cell that each lies in; of a definition (CRD), the cell's own of its name. */
  readonly copies: readonly { readonly cell: string; readonly metadata: ObjectMeta }[];
  readonly project: ProjectRef;
  readonly nowMs: number;
  /**
   * The project object and the placement of the policy that decided. With them the reason of every cell is found as the
   * scheduler would find it now; without, only the examples that the binding keeps are known.
   */
  readonly template?:
    | {
        readonly object: KubeObject;
        readonly placement: Placement | undefined;
        /** Served through a CRD of the project. */
        readonly custom: boolean;
        /** Has a scale subresource. */
        readonly scalable: boolean;
        /** Policies of the workspaces above the project, as far as they may be read. */
        readonly inherited?: readonly InheritedSource[] | undefined;
        /** That the policy names, as far as it may be read. */
        readonly profile?: SchedulingProfile | undefined;
        readonly scores?: readonly CellScore[] | undefined;
        /** Of the object's namespace, as far as they may be read. */
        readonly quotas?: readonly FederatedResourceQuota[] | undefined;
        /** What the cells' estimators say fits, or why they say nothing. */
        readonly estimates?: ReadonlyMap<string, number | string> | undefined;
      }
    | undefined;
}

const reasonTexts: { readonly [code in RefusalCode]: string } = {
  ForbiddenByPolicy: 'an inherited policy does not let the object be there',
  AffinityNotMatched: "the policy's affinity leaves the cell out",
  WorkloadAffinity: 'no workload of its group (workloadAffinity.affinity) is in the cell',
  WorkloadAntiAffinity: 'a workload of its group (workloadAffinity.antiAffinity) is in the cell',
  ProjectNotAdmitted: 'the cell does not admit the project (spec.projects)',
  KindNotAllowed: 'the cell does not allow this kind (spec.allow)',
  APINotServed: 'the cell does not serve the kind, nor may projects bring it (spec.apis)',
  TaintNotTolerated: 'the cell has a taint that the policy does not tolerate',
  Evicted: 'failover took the object from the cell',
  OutsideHours: "it is outside the policy's activeHours in the cell",
  InMaintenance: 'the cell is in a maintenance window',
  CellNotReady: 'the cell is not ready',
  CellSuspended: 'the cell is suspended',
  CellDeleting: 'the cell is being deleted',
  NoWeight: "none of the policy's weights names the cell",
  TopologyUnknown: 'the cell does not tell the region, zone, provider, pop or label to spread by',
  MaxGroupsReached: 'the spread constraints let better cells in',
  NoCapacity: 'the cells have too little room for the replicas',
  NoReplicasLeft: 'there are fewer replicas than cells',
};

/** Says for each cell whether an object is placed there, why or why not, and how far its copy is. Pure. */
export function explain(input: ExplainInput): Explanation {
  const { binding } = input;
  const scheduled = binding.status?.conditions?.find(({ type }) => type === 'Scheduled');
  const following = (binding.spec.requiredBy ?? []).flatMap(({ clusters = [] }) => clusters);
  const chosen = new Map<string, number | undefined>([
    ...following.map(({ name }) => [name, undefined] as const),
    ...(binding.spec.clusters ?? []).map(({ name, replicas }) => [name, replicas] as const),
  ]);
  const found =
    input.template === undefined ? undefined : decideAnew(input, input.template, input.cells, undefined);
  const reasons = found?.reasons ?? toldReasons(binding);
  const names = new Set([
    ...input.cells.map(({ metadata }) => metadata.name ?? ''),
    ...chosen.keys(),
    ...input.copies.map(({ cell }) => cell),
  ]);
  const health = new Map((binding.status?.aggregatedStatus ?? []).map((item) => [item.clusterName, item]));
  const cells = [...names].sort().map((cell): CellExplanation => {
    const isChosen = chosen.has(cell);
    const told = health.get(cell);
    const { sync, message } = isDefinition(binding)
      ? definitionSyncOf(input, cell, isChosen, told)
      : syncOf(input, cell, isChosen);
    const reason = isChosen ? undefined : reasons.get(cell);
    const failure = told?.appliedMessage;
    return {
      cell,
      chosen: isChosen,
      replicas: chosen.get(cell),
      reason: reason?.code,
      message: [
        isChosen ? message || failure || '' : (reason?.text ?? message),
        ...estimatorFailure(input.template?.estimates?.get(cell)),
      ]
        .filter((text) => text !== '')
        .join('; '),
      sync,
      health: told?.health,
      scores: entriesOf(found?.details.scores.get(cell)),
      room: found?.details.available.get(cell),
      roomBy: found?.roomBy(cell),
    };
  });
  const { policy, boundBy = [] } = binding.spec;
  return {
    boundBy,
    quotaRoom: found?.quotaRoom === Number.POSITIVE_INFINITY ? undefined : found?.quotaRoom,
    scheduled: scheduled?.status === 'True',
    message: scheduled?.message ?? '',
    rollout: binding.status?.rollout,
    policy: policy === undefined ? undefined : policyText(policy),
    cells,
    whatIf:
      input.template === undefined || input.whatIf === undefined
        ? undefined
        : whatIf(input, input.template, input.whatIf),
  };
}

function estimatorFailure(told: number | string | undefined): string[] {
  return typeof told === 'string' ? [`its estimator does not answer, so its status counts (${told})`] : [];
}

function entriesOf(scores: ReadonlyMap<string, number> | undefined): CellExplanation['scores'] {
  return scores === undefined ? undefined : Object.fromEntries(scores);
}

function policyText({ kind, name, workspace }: BoundPolicy): string {
  return workspace === undefined ? `${kind} ${name}` : `${kind} ${name} of ${workspace}`;
}

function syncOf(input: ExplainInput, cell: string, chosen: boolean): { sync: SyncState; message: string } {
  const own = input.copies.filter((copy) => copy.cell === cell);
  if (own.length === 0)
    return chosen
      ? { sync: 'Missing', message: 'the copy is not written yet' }
      : { sync: 'None', message: '' };
  if (!chosen || own.some(({ metadata }) => metadata.deletionTimestamp !== undefined)) {
    return { sync: 'Withdrawing', message: 'the copy waits for the edge to let go of it' };
  }
  return reportedSync(own);
}

function reportedSync(own: ExplainInput['copies']): { sync: SyncState; message: string } {
  for (const { metadata } of own) {
    const error = syncErrorText(metadata.annotations?.[syncAnnotations.syncError]);
    if (error !== undefined) return { sync: 'Failed', message: error };
  }
  const synced = own.every(({ metadata: { annotations } }) => {
    const hash = annotations?.[copyAnnotations.contentHash];
    return hash !== undefined && annotations?.[syncAnnotations.syncedHash] === hash;
  });
  return synced
    ? { sync: 'Synced', message: '' }
    : { sync: 'Pending', message: 'the syncer has not reported the copy yet' };
}

function isDefinition({ spec: { resource } }: ResourceBinding): boolean {
  return (
    resource.kind === 'CustomResourceDefinition' && resource.apiVersion.startsWith('apiextensions.k8s.io/')
  );
}

/** A definition belongs to the cell: it stays where it is no longer chosen, and may be another project's. */
function definitionSyncOf(
  { copies }: ExplainInput,
  cell: string,
  chosen: boolean,
  told: AggregatedStatusItem | undefined,
): { sync: SyncState; message: string } {
  if (!chosen) return { sync: 'None', message: '' };
  const own = copies.filter((copy) => copy.cell === cell);
  if (own.length === 0) return { sync: 'Missing', message: 'the definition is not written yet' };
  if (told?.applied === true) return { sync: 'Synced', message: told.appliedMessage ?? '' };
  const whose = own[0]?.metadata.annotations?.[definitionAnnotations.definedByPath];
  if (told?.appliedMessage !== undefined) {
    const following = whose === undefined ? '' : ` (the cell's follows that of ${whose})`;
    return { sync: 'Failed', message: `${told.appliedMessage}${following}` };
  }
  return reportedSync(own);
}

interface Reason {
  readonly code: RefusalCode;
  readonly text: string;
}

function reasonOf(code: RefusalCode, policy: string | undefined): Reason {
  const text = reasonTexts[code];
  return { code, text: policy === undefined ? text : `${text}: ${policy}` };
}

function toldReasons(binding: ResourceBinding): Map<string, Reason> {
  const reasons = new Map<string, Reason>();
  for (const { code, policy, examples = [] } of binding.status?.refusals ?? []) {
    if (!Object.hasOwn(reasonTexts, code)) continue;
    for (const cell of examples) reasons.set(cell, reasonOf(code as RefusalCode, policy));
  }
  return reasons;
}

/** Everything that deciding anew says of each cell. */
interface Found {
  readonly outcome: Decision['outcome'];
  readonly message: string;
  readonly reasons: ReadonlyMap<string, Reason>;
  readonly targets: ReadonlyMap<string, number | undefined>;
  readonly details: DecisionDetails;
  readonly quotaRoom: number;
  readonly roomBy: (cell: string) => CellExplanation['roomBy'];
}

function decideAnew(
  { binding, project, nowMs }: ExplainInput,
  {
    object,
    placement,
    custom,
    scalable,
    inherited = [],
    profile,
    scores = [],
    quotas = [],
    estimates = new Map(),
  }: NonNullable<ExplainInput['template']>,
  cells: readonly Cell[],
  replicas: number | undefined,
): Found {
  const infos: CellInfo[] = cells
    .map((cell) => cellInfoOf(cell, true, undefined, namedScores(scores, cell.metadata.name ?? '')))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const { apiVersion, kind, resource } = binding.spec.resource;
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const isCrd = isDefinition(binding);
  const definition = isCrd ? definedGroup(object) : undefined;
  const replicaKind = { group, resource, scalable };
  const own = binding.spec.replicas ?? replicasOf(object, replicaKind);
  const template: Template = {
    group: definition ?? group,
    version: apiVersion.slice(slash + 1),
    kind,
    resource,
    uid: object.metadata.uid ?? '',
    key: `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`,
    replicas: own === undefined ? undefined : (replicas ?? own),
    request: requestOf(object, replicaKind),
    custom: custom || isCrd,
    privileged: isPrivilegedResource(group, resource),
  };
  const snapshot = { version: 0, cells: infos };
  const policies = new InheritedPolicies();
  for (const { workspace, name, spec } of inherited)
    policies.put(`${workspace}/${name}`, workspace, name, spec);
  const { namespace = '', name = '', labels } = object.metadata;
  const bounds = policies.boundsOf(project.path, { group, kind, namespace, name, labels });
  const details: DecisionDetails = { scores: new Map(), available: new Map() };
  const leaving = (binding.spec.gracefulEvictionTasks ?? []).map(({ fromCluster }) => fromCluster);
  const previous = previousTargets(binding);
  const told = toldQuotas(quotas, previous, template.request);
  const estimateIn = (cell: string): number => {
    const estimate = estimates.get(cell);
    return typeof estimate === 'number' ? estimate : Number.POSITIVE_INFINITY;
  };
  const isAsked = estimates.size > 0 || quotas.length > 0;
  const decision = decide(
    {
      template,
      project,
      bounds,
      snapshot,
      previous,
      roomIn: isAsked ? (cell) => Math.min(estimateIn(cell), told.roomIn(cell)) : undefined,
      previousAffinity: binding.status?.schedulerObservingAffinityName,
      nowMs,
      evicted: new Set(leaving),
      profile: profile === undefined ? undefined : compileProfile(profile),
      details,
    },
    withinBounds(placement, bounds),
  );
  const reasons = new Map<string, Reason>();
  infos.forEach((cell, i) => {
    const refusal = decision.refusals[i];
    if (refusal === undefined) return;
    const policy =
      refusal === 'ForbiddenByPolicy' && bounds !== undefined
        ? forbiddingPolicy(bounds, snapshot, i)
        : undefined;
    reasons.set(
      cell.name,
      refusal === 'APINotServed' && definition !== undefined
        ? { code: refusal, text: definitionRefusal(definition, object, cell) }
        : reasonOf(refusal, policy),
    );
  });
  const refusal = decision.outcome === 'Scheduled' ? told.refusal(decision.targets) : undefined;
  const targets = refusal === undefined ? decision.targets : previous;
  return {
    outcome: refusal === undefined ? decision.outcome : 'QuotaExceeded',
    message: refusal ?? decision.message,
    reasons,
    targets: new Map(targets.map(({ name: cell, replicas: share }) => [cell, share])),
    details,
    quotaRoom: told.room,
    roomBy(cell) {
      const room = details.available.get(cell);
      if (room === undefined) return undefined;
      return room === told.roomIn(cell) ? 'quota' : room === estimateIn(cell) ? 'estimator' : undefined;
    },
  };
}

function definitionRefusal(group: string, crd: KubeObject, { served }: CellInfo): string {
  const text = `the cell lets projects bring no definitions of ${group} (spec.apis)`;
  const isServed = servedKindsOf(crd).some((kind) => served?.has(kind) === true);
  return isServed ? `${text}; its edge serves the kind by itself` : text;
}

/** What would be decided under other circumstances; nothing of it is done. */
function whatIf(
  input: ExplainInput,
  template: NonNullable<ExplainInput['template']>,
  { assumptions, replicas }: NonNullable<ExplainInput['whatIf']>,
): WhatIf {
  const found = decideAnew(input, template, assuming(input.cells, assumptions), replicas);
  const now = new Map((input.binding.spec.clusters ?? []).map(({ name, replicas: share }) => [name, share]));
  const names = new Set([...now.keys(), ...found.targets.keys()]);
  return {
    assumptions: [
      ...assumptions.map(({ text }) => text),
      ...(replicas === undefined ? [] : [`replicas=${replicas}`]),
    ],
    scheduled: found.outcome === 'Scheduled',
    message: found.message,
    cells: [...names].sort().map((cell) => ({
      cell,
      now: now.has(cell) ? (now.get(cell) ?? true) : false,
      would: found.targets.has(cell) ? (found.targets.get(cell) ?? true) : false,
      reason: found.targets.has(cell) ? undefined : found.reasons.get(cell)?.code,
    })),
  };
}
