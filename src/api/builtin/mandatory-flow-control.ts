import type { JsonObject } from '#apimachinery/json.ts';

const everyone = ['system:unauthenticated', 'system:authenticated'];

/** Specs that no write may change: without them requests would fall under nothing (KUBERNETES.md O2). */
export const mandatoryFlowSchemaSpecs: { readonly [name: string]: JsonObject } = {
  exempt: schemaSpec('exempt', 1, ['system:masters']),
  'catch-all': { ...schemaSpec('catch-all', 10_000, everyone), distinguisherMethod: { type: 'ByUser' } },
};

/** The same of levels; of `exempt` the settings under `spec.exempt` may be changed. */
export const mandatoryPriorityLevelSpecs: { readonly [name: string]: JsonObject } = {
  exempt: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  'catch-all': {
    type: 'Limited',
    limited: { nominalConcurrencyShares: 5, limitResponse: { type: 'Reject' }, lendablePercent: 0 },
  },
};

function schemaSpec(level: string, matchingPrecedence: number, groups: readonly string[]): JsonObject {
  return {
    matchingPrecedence,
    priorityLevelConfiguration: { name: level },
    rules: [
      {
        subjects: groups.map((group) => ({ kind: 'Group', group: { name: group } })),
        resourceRules: [
          { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] },
        ],
        nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
      },
    ],
  };
}
