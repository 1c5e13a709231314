import { clusterPropagationPoliciesGvr, propagationPoliciesGvr } from '#api/policy/group.ts';
import type { RolloutProgress, UnfinishedRollout } from '#api/policy/rollout-progress.ts';
import type { RolloutStatus } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { equalJson } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { WorkQueue } from '#client/workqueue.ts';
import type { KeyStates } from '../key-state.ts';
import { splitKey } from '../object-key.ts';
import type { Policies } from '../policies.ts';
import { splitInheritedKey } from '../policy/policy-index.ts';

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
  /** Default 1,000. */
  readonly intervalMs?: number | undefined;
}

/**
 * Adds up how far the rollouts of a policy's objects are and writes it into the policy's status. Of a policy above projects counts
 * alone: what its objects are called in other projects is nobody's to read in one place. One scheduler that has all projects tells
 * these; of several that share them each sees a part, and none tells.
 */
export class PolicyProgress {
  readonly #options: PolicyProgressOptions;

  constructor(options: PolicyProgressOptions) {
    this.#options = options;
  }

  /** An object of the policy came, went, or is further. */
  look(policyKey: string): void {
    const key = splitInheritedKey(policyKey)?.policyKey ?? policyKey;
    this.#options.queue.addAfter(key, this.#options.intervalMs ?? statusIntervalMs);
  }

  async reconcile(policyKey: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { client, policies, share } = this.#options;
    const inherited = splitInheritedKey(policyKey);
    if (inherited !== undefined) {
      this.look(policyKey);
      return undefined;
    }
    const above = policies.policyAbove(policyKey);
    const policy = above ?? policies.index.get(policyKey);
    // One that stands by knows of nothing.
    if (policy === undefined || (above !== undefined && share() === 0)) return undefined;
    const { cluster, namespace, name, uid, spec } = policy;
    const told = policies.toldProgress(policyKey);
    const isWhole = above === undefined || share() === 1;
    const rollout =
      spec.rollout === undefined || !isWhole
        ? undefined
        : this.#progressOf(above?.keys ?? [policyKey], above === undefined ? unfinishedMax : 0);
    if (equalJson(rollout, told)) return undefined;
    const gvr = namespace === undefined ? clusterPropagationPoliciesGvr : propagationPoliciesGvr;
    try {
      await client.patch(
        { cluster, gvr, namespace, name },
        {
          type: 'merge',
          body: {
            metadata: { uid },
            status: { rollout: null, ...(rollout === undefined ? {} : { rollout }) },
          },
        },
        { subresource: 'status', signal },
      );
    } catch (error) {
      // Gone, or made anew: which is told.
      if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
    }
    return undefined;
  }

  /** `namedMax`: objects that are not done and are named. */
  #progressOf(policyKeys: Iterable<string>, namedMax: number): RolloutProgress {
    const { states } = this.#options;
    const progress = {
      objects: 0,
      complete: 0,
      progressing: 0,
      awaitingApproval: 0,
      paused: 0,
      rolledBack: 0,
    };
    const unfinished: UnfinishedRollout[] = [];
    const keys = Array.from(policyKeys, (policyKey) => [...states.keysOf(policyKey)]).flat();
    for (const key of keys) {
      const status = states.get(key)?.rolloutStatus;
      if (status === undefined) continue;
      progress.objects++;
      progress[countOf[status.phase]]++;
      if (status.phase === 'Complete' || namedMax === 0) continue;
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
    if (unfinished.length === 0) return progress;
    unfinished.sort(
      (a, b) => urgency[b.phase] - urgency[a.phase] || (identityOf(a) < identityOf(b) ? -1 : 1),
    );
    return { ...progress, unfinished: unfinished.slice(0, namedMax) };
  }
}

type Phase = RolloutStatus['phase'];

const countOf = {
  Complete: 'complete',
  Progressing: 'progressing',
  Pausing: 'progressing',
  AwaitingApproval: 'awaitingApproval',
  Paused: 'paused',
  RolledBack: 'rolledBack',
} as const satisfies { readonly [phase in Phase]: keyof RolloutProgress };

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
