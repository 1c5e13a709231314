import type { Placement } from '#api/policy/placement.ts';

export const divided = (preference: object): Placement => ({
  replicaScheduling: { replicaSchedulingType: 'Divided', ...preference },
});

/** Cell → weight. */
export const staticWeights = (weights: Record<string, number>): Placement =>
  divided({
    replicaDivisionPreference: 'Weighted',
    weightPreference: {
      staticWeightList: Object.entries(weights).map(([name, weight]) => ({
        targetCluster: { clusterNames: [name] },
        weight,
      })),
    },
  });

/** By weights that no policy gives: those of the cells. */
export const equally = divided({ replicaDivisionPreference: 'Weighted' });

/** By room. */
export const dynamic = divided({
  replicaDivisionPreference: 'Weighted',
  weightPreference: { dynamicWeight: 'AvailableReplicas' },
});

/** In as few cells as there is room for. */
export const aggregated = divided({ replicaDivisionPreference: 'Aggregated' });

/** In one cell alone. */
export const oneOf: Placement = { spreadConstraints: [{ spreadByField: 'cluster', maxGroups: 1 }] };
