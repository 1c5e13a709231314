import { setTimeout } from 'node:timers/promises';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { Random } from '../harness/random.ts';
import { loadKinds } from './kinds.ts';
import { type Ledger, Tracked } from './ledger.ts';
import { callTimeoutMs } from './load.ts';

/** Weight of each cell; a cell that is not named is not allowed. */
export type Weights = { readonly [cell: string]: number };

export const policiesGvr = {
  group: 'policy.karmada.io',
  version: 'v1alpha1',
  resource: 'propagationpolicies',
} as const;
export const policyName = 'everything';
const pauseMs = 700;

/** What a policy says beside where its objects go; as it stands in `spec` or, of tolerations, in `spec.placement`. */
export interface PolicyTraits {
  readonly clusterTolerations?: readonly JsonObject[] | undefined;
  readonly rollout?: JsonObject | undefined;
  readonly failover?: JsonObject | undefined;
}

export interface LoadPolicy {
  readonly namespace: string;
  readonly tracked: Tracked<Weights>;
  /** Makes it say this, whether it is there or not. */
  set(weights: Weights): Promise<void>;
  delete(): Promise<void>;
}

export function loadPolicy(
  client: KubeClient,
  ledger: Ledger,
  project: string,
  namespace: string,
  traits: PolicyTraits = {},
): LoadPolicy {
  const ref = { cluster: undefined, gvr: policiesGvr, namespace, name: policyName };
  const options = { timeoutMs: callTimeoutMs };
  const tracked = new Tracked<Weights>(
    `${project} policy ${namespace}`,
    ledger,
    () => client.get(ref, options),
    readWeights,
  );
  return {
    namespace,
    tracked,
    set: (weights) =>
      tracked.write(weights, () =>
        client.apply(ref, renderPolicy(namespace, weights, traits), {
          ...options,
          fieldManager: 'chaos',
          force: true,
        }),
      ),
    delete: () => tracked.write(undefined, () => client.delete(ref, options)),
  };
}

/** Changes, deletes and re-creates policies until the signal fires. */
export async function runPolicies(
  policies: readonly LoadPolicy[],
  cells: readonly string[],
  random: Random,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const policy = random.pick(policies);
    while (!policy.tracked.isCertain && !signal.aborted) {
      if (!(await policy.tracked.resolve())) await setTimeout(100);
    }
    if (signal.aborted) return;
    if (policy.tracked.state !== undefined && random.next() < 0.2) await policy.delete();
    else await policy.set(randomWeights(cells, random));
    await setTimeout(pauseMs);
  }
}

function randomWeights(cells: readonly string[], random: Random): Weights {
  const chosen = cells.filter(() => random.next() < 0.7);
  const some = chosen.length === 0 ? [random.pick(cells)] : chosen;
  return Object.fromEntries(some.map((cell) => [cell, random.between(1, 3)]));
}

function renderPolicy(
  namespace: string,
  weights: Weights,
  { clusterTolerations, rollout, failover }: PolicyTraits,
): KubeObject {
  return {
    apiVersion: 'policy.karmada.io/v1alpha1',
    kind: 'PropagationPolicy',
    metadata: { name: policyName, namespace },
    spec: {
      resourceSelectors: loadKinds.map(({ apiVersion, kind }) => ({ apiVersion, kind })),
      ...(rollout === undefined ? {} : { rollout }),
      ...(failover === undefined ? {} : { failover }),
      placement: {
        ...(clusterTolerations === undefined ? {} : { clusterTolerations: [...clusterTolerations] }),
        clusterAffinity: { clusterNames: Object.keys(weights) },
        replicaScheduling: {
          replicaSchedulingType: 'Divided',
          replicaDivisionPreference: 'Weighted',
          weightPreference: {
            staticWeightList: Object.entries(weights).map(([cell, weight]) => ({
              targetCluster: { clusterNames: [cell] },
              weight,
            })),
          },
        },
      },
    },
  };
}

function readWeights(policy: KubeObject): Weights {
  const { placement } = policy['spec'] as {
    placement: {
      replicaScheduling: {
        weightPreference: {
          staticWeightList: { targetCluster: { clusterNames: string[] }; weight: number }[];
        };
      };
    };
  };
  return Object.fromEntries(
    placement.replicaScheduling.weightPreference.staticWeightList.map(({ targetCluster, weight }) => [
      targetCluster.clusterNames[0] ?? '',
      weight,
    ]),
  );
}
