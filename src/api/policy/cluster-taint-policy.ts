import { duplicate, type FieldError, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition, Strategy } from '#apimachinery/resource-definition.ts';
import { ageColumn, defineResource } from '../define.ts';
import { kindSchema, stringListSchema, stringSchema } from '../fragments.ts';
import { clusterAffinitySchema } from './affinity-schema.ts';
import { policyGroup, policyVersion } from './group.ts';
import type { ClusterAffinity } from './placement.ts';
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
      conditionType: {
        type: 'string',
        minLength: 1,
        description:
          "Type of a condition of the Cell's status. A cell that has none of this type does not match.",
      },
      operator: {
        type: 'string',
        enum: ['In', 'NotIn'],
        description: 'In: its status is one of the values. NotIn: it is none of them.',
      },
      statusValues: { ...stringListSchema, description: 'True, False, Unknown; at least one.' },
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
            description: 'Which taints which cells have, and when.',
            required: ['taints'],
            properties: {
              targetClusters: { ...clusterAffinitySchema, description: 'The cells. Absent: all.' },
              addOnConditions: {
                ...conditions,
                description: 'The taints are added while all of these hold. Absent or empty: none is added.',
              },
              removeOnConditions: {
                ...conditions,
                description:
                  'The taints are removed while all of these hold, and addOnConditions do not. Absent or empty: none is removed.',
              },
              taints: {
                type: 'array',
                description: 'What is added to spec.taints of the cells; key and effect together once.',
                minItems: 1,
                'x-kubernetes-list-type': 'atomic',
                items: {
                  type: 'object',
                  required: ['key', 'effect'],
                  properties: {
                    key: { type: 'string', minLength: 1, maxLength: 316, description: 'Key of the taint.' },
                    value: {
                      ...stringSchema,
                      description: 'Value of the taint. Absent: none, and one that is there already stays.',
                    },
                    effect: {
                      type: 'string',
                      enum: ['NoSchedule', 'NoExecute'],
                      description: 'NoSchedule keeps new work away. NoExecute evicts what is there too.',
                    },
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
