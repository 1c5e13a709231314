import { duplicate, type FieldError, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, Strategy } from '#apimachinery/resource-definition.ts';
import { ageColumn, defineResource } from '../define.ts';
import { kindSchema, stringListSchema, stringSchema } from '../fragments.ts';
import { policyGroup, policyVersion } from './group.ts';
import type { ClusterAffinity } from './placement.ts';
import { clusterAffinitySchema } from './placement-schema.ts';
import { told } from './unused-fields.ts';
import { validateAffinity } from './validate-placement.ts';

export const clusterTaintPoliciesGvr = {
  group: policyGroup,
  version: policyVersion,
  resource: 'clustertaintpolicies',
} as const;

/** Holds when the cell has a condition of this type whose status is, or is not, among the values. */
export interface MatchCondition extends JsonObject {
  conditionType: string;
  operator: 'In' | 'NotIn';
  statusValues: string[];
}

/** policy.karmada.io/v1alpha1 ClusterTaintPolicy: which conditions of cells become taints. In `root:cells`. */
export interface ClusterTaintPolicy extends KubeObject {
  spec: {
    /** Absent: all cells. */
    targetClusters?: ClusterAffinity;
    /** All must hold; empty: nothing is added. */
    addOnConditions?: MatchCondition[];
    /** All must hold; empty: nothing is removed. */
    removeOnConditions?: MatchCondition[];
    taints: ({ key: string; value?: string; effect: 'NoSchedule' | 'NoExecute' } & JsonObject)[];
  } & JsonObject;
}

const conditions: JsonObject = {
  type: 'array',
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['conditionType', 'operator', 'statusValues'],
    properties: {
      conditionType: { type: 'string', minLength: 1 },
      operator: { type: 'string', enum: ['In', 'NotIn'] },
      statusValues: stringListSchema,
    },
  },
};

const strategy: Strategy = {
  validate: (object) => validateClusterTaintPolicy(object as ClusterTaintPolicy),
  validateUpdate: (object) => validateClusterTaintPolicy(object as ClusterTaintPolicy),
  warnings: unusedTaintFields,
};

export const clusterTaintPolicyDefinition: ResourceDefinition = defineResource({
  group: policyGroup,
  kind: 'ClusterTaintPolicy',
  plural: clusterTaintPoliciesGvr.resource,
  categories: ['karmada-io'],
  namespaced: false,
  versions: [
    {
      name: policyVersion,
      columns: [ageColumn],
      schema: kindSchema(
        'Which conditions of cells become taints.',
        {
          spec: {
            type: 'object',
            required: ['taints'],
            properties: {
              targetClusters: clusterAffinitySchema,
              addOnConditions: conditions,
              removeOnConditions: conditions,
              taints: {
                type: 'array',
                minItems: 1,
                'x-kubernetes-list-type': 'atomic',
                items: {
                  type: 'object',
                  required: ['key', 'effect'],
                  properties: {
                    key: { type: 'string', minLength: 1, maxLength: 316 },
                    value: stringSchema,
                    effect: { type: 'string', enum: ['NoSchedule', 'NoExecute'] },
                  },
                },
              },
            },
          },
        },
        ['spec'],
      ),
    },
  ],
  strategy,
});

export function validateClusterTaintPolicy({ spec }: ClusterTaintPolicy): FieldError[] {
  if (spec === undefined) return [required('spec')];
  const errors: FieldError[] = [];
  validateAffinity(spec.targetClusters, 'spec.targetClusters', errors);
  for (const field of ['addOnConditions', 'removeOnConditions'] as const) {
    spec[field]?.forEach(({ statusValues }, i) => {
      if ((statusValues?.length ?? 0) === 0) errors.push(required(`spec.${field}[${i}].statusValues`));
    });
  }
  const seen = new Set<string>();
  spec.taints?.forEach(({ key, effect }, i) => {
    const identity = `${key}:${effect}`;
    if (seen.has(identity)) errors.push(duplicate(`spec.taints[${i}]`, identity));
    seen.add(identity);
  });
  return errors;
}

/** Of a ClusterTaintPolicy (karmada pkg/apis/policy/v1alpha1: without conditions nothing is added or removed). */
function unusedTaintFields(object: KubeObject): string[] {
  return told((tell) => {
    const { addOnConditions = [], removeOnConditions = [] } = (object as ClusterTaintPolicy).spec ?? {};
    if (addOnConditions.length + removeOnConditions.length === 0)
      tell('spec.taints', 'neither addOnConditions nor removeOnConditions say when');
  });
}
