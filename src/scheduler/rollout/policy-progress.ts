import { clusterPropagationPoliciesGvr, propagationPoliciesGvr } from '#api/policy/group.ts';
import type { RolloutCounts, RolloutProgress, UnfinishedRollout } from '#api/policy/rollout-progress.ts';
import type { RolloutStatus } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { equalJson, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import { laneOf } from '#client/queue/lanes.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { WorkQueue } from '#client/workqueue.ts';
import type { KeyStates } from '../key-state.ts';
import { splitKey } from '../object-key.ts';
import type { Policies, PolicyAbove } from '../policy/policies.ts';
import { clusterOfPolicy, splitInheritedKey } from '../policy/policy-index.ts';

/** A policy's progress is written at most once in this time. */
const statusIntervalMs = 1_000;
const unfinishedMax = 10;
const messageLengthMax = 256;

export interface PolicyProgressOptions {
  readonly client: KubeClient;
  readonly states: KeyStates;
  readonly policies: Policies;
  readonly queue: WorkQueue;
  /** Of all projects that are this scheduler's, from 0 to 1. */
  readonly share: () => number;
  readonly owns: (cluster: string) => boolean;
  /** Default 1,000. */
  readonly intervalMs?: number | undefined;
}

/**
 * Adds up how far the rollouts of a policy's objects are and writes it into the policy's status. Of a policy above projects counts
 * alone: what its objects are called in other projects is nobody's to read in one place. Of several schedulers that share the
 * projects each tells of its lanes, and adds up what all have told.
 */
export class PolicyProgress {
  readonly #options: PolicyProgressOptions;
  /** Policy → what it was to tell when that was added up last. Bounded by the policies that have a rollout, or told of one. */
  readonly #wanted = new Map<string, RolloutProgress | undefined>();

  constructor(options: PolicyProgressOptions) {
    this.#options = options;
  }

  /** An object of the policy came, went, or is further. */
  look(policyKey: string): void {
    const key = splitInheritedKey(policyKey)?.policyKey ?? policyKey;
    this.#options.queue.addAfter(key, this.#options.intervalMs ?? statusIntervalMs);
  }

  /**
   * The policy tells something else than before: what was written last was written over what it told then, which may have been
   * old, or was not written since it told the same.
   */
  told(policyKey: string): void {
    if (!this.#wanted.has(policyKey)) return;
    if (!equalJson(this.#options.policies.toldProgress(policyKey), this.#wanted.get(policyKey)))
      this.look(policyKey);
  }

  async reconcile(policyKey: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { client, policies, share, owns } = this.#options;
    const inherited = splitInheritedKey(policyKey);
    if (inherited !== undefined) {
      this.look(policyKey);
      return undefined;
    }
    const above = policies.policyAbove(policyKey);
    this.#wanted.delete(policyKey);
    if (above === undefined && !owns(clusterOfPolicy(policyKey))) return undefined;
    const policy = above ?? policies.index.get(policyKey);
    // One that stands by knows of nothing.
    if (policy === undefined || (above !== undefined && share() === 0)) return undefined;
    const { cluster, namespace, name, uid, spec } = policy;
    const told = policies.toldProgress(policyKey);
    const isShared = above !== undefined && share() < 1;
    const rollout = spec.rollout === undefined ? undefined : this.#rolloutOf(policyKey, above, told);
    if (rollout !== undefined || told !== undefined) this.#wanted.set(policyKey, rollout);
    if (equalJson(rollout, told)) return undefined;
    const gvr = namespace === undefined ? clusterPropagationPoliciesGvr : propagationPoliciesGvr;
    try {
      await client.patch(
        { cluster, gvr, namespace, name },
        {
          type: 'merge',
          body: {
            // What the others told since is not to be lost.
            metadata: { uid, ...(isShared ? { resourceVersion: above.resourceVersion ?? null } : {}) },
            status: { rollout: rollout === undefined ? null : replacing(told, rollout) },
          },
        },
        { subresource: 'status', signal },
      );
    } catch (error) {
      // Gone: which is told.
      if (isApiError(error, 'NotFound')) return undefined;
      // Made anew, or told something by another scheduler, or it lost to another write.
      if (!isApiError(error, 'Conflict')) throw error;
      this.look(policyKey);
    }
    return undefined;
  }

  #rolloutOf(
    policyKey: string,
    above: PolicyAbove | undefined,
    told: RolloutProgress | undefined,
  ): RolloutProgress {
    const { share, owns } = this.#options;
    if (above === undefined) return this.#ownProgress(policyKey);
    const own = new Map<string, RolloutCounts>();
    const lanes = new Set<string>();
    for (const key of above.keys) {
      const project = clusterOfPolicy(key);
      const lane = String(laneOf(project));
      lanes.add(lane);
      if (owns(project)) own.set(lane, sumOf([own.get(lane) ?? nothing, this.#countsOf(key)]));
    }
    if (share() === 1) return sumOf(own.values());
    const parts: NonNullable<RolloutProgress['parts']> = {};
    for (const lane of [...lanes].sort()) {
      const part = own.get(lane) ?? told?.parts?.[lane];
      if (part !== undefined) parts[lane] = part;
    }
    return { ...sumOf(Object.values(parts)), parts };
  }

  #countsOf(policyKey: string): RolloutCounts {
    const { states } = this.#options;
    const counts = { ...nothing };
    for (const key of states.keysOf(policyKey)) {
      const status = states.get(key)?.rolloutStatus;
      if (status === undefined) continue;
      counts.objects++;
      counts[countOf[status.phase]]++;
    }
    return counts;
  }

  #ownProgress(policyKey: string): RolloutProgress {
    const { states } = this.#options;
    const counts = this.#countsOf(policyKey);
    const unfinished: UnfinishedRollout[] = [];
    for (const key of states.keysOf(policyKey)) {
      const status = states.get(key)?.rolloutStatus;
      if (status === undefined || status.phase === 'Complete') continue;
      const { resource, group, namespace, name } = splitKey(key);
      unfinished.push({
        resource: `${resource}.${group}`,
        ...(namespace === '' ? {} : { namespace }),
        name,
        phase: status.phase,
        ...(status.waveName === undefined ? {} : { wave: status.waveName }),
        ...(status.updated === undefined ? {} : { updated: status.updated }),
        ...(status.cells === undefined ? {} : { cells: status.cells }),
        ...(status.message === undefined ? {} : { message: status.message.slice(0, messageLengthMax) }),
      });
    }
    if (unfinished.length === 0) return counts;
    unfinished.sort(
      (a, b) => urgency[b.phase] - urgency[a.phase] || (identityOf(a) < identityOf(b) ? -1 : 1),
    );
    return { ...counts, unfinished: unfinished.slice(0, unfinishedMax) };
  }
}

/** A merge patch that leaves nothing of what was told before: what is not told any more is null. */
function replacing(told: JsonObject | undefined, now: JsonObject): JsonObject {
  const patch: JsonObject = { ...now };
  for (const [name, before] of Object.entries(told ?? {})) {
    const value = now[name];
    if (value === undefined) patch[name] = null;
    else if (isJsonObject(value) && isJsonObject(before)) patch[name] = replacing(before, value);
  }
  return patch;
}

const nothing = {
  objects: 0,
  complete: 0,
  progressing: 0,
  awaitingApproval: 0,
  paused: 0,
  rolledBack: 0,
};

function sumOf(parts: Iterable<RolloutCounts>): RolloutCounts {
  const sum = { ...nothing };
  for (const part of parts)
    for (const name of Object.keys(nothing) as (keyof typeof nothing)[]) sum[name] += part[name];
  return sum;
}

type Phase = RolloutStatus['phase'];

const countOf = {
  Complete: 'complete',
  Progressing: 'progressing',
  Pausing: 'progressing',
  AwaitingApproval: 'awaitingApproval',
  Paused: 'paused',
  RolledBack: 'rolledBack',
} as const satisfies { readonly [phase in Phase]: keyof typeof nothing };

const urgency: { readonly [phase in Phase]: number } = {
  RolledBack: 4,
  Paused: 3,
  AwaitingApproval: 2,
  Progressing: 1,
  Pausing: 1,
  Complete: 0,
};

function identityOf({ resource, namespace = '', name }: UnfinishedRollout): string {
  return `${resource} ${namespace}/${name}`;
}
