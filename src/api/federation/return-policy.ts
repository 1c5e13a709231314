import { type FieldError, invalid } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { labelSelectorOf } from '#apimachinery/label-selector.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Condition } from '../conditions.ts';
import { ageColumn, defineResource } from '../define.ts';
import {
  conditionsSchema,
  integerSchema,
  kindSchema,
  labelSelectorSchema,
  stringSetSchema,
} from '../fragments.ts';
import { federationGroup, federationVersion } from './group.ts';
import { type ReturnSelector, returnableKinds } from './return-contract.ts';

export const returnPoliciesGvr = {
  group: federationGroup,
  version: federationVersion,
  resource: 'returnpolicies',
} as const;

/**
 * federation.cellplane.io/v1alpha1 ReturnPolicy: which objects that are born at the edges, in the namespace's counterparts
 * there, come back into this namespace. Namespaced, in projects.
 */
export interface ReturnPolicy extends KubeObject {
  spec: {
    resources: ReturnSelector[];
    /** Absent: all. */
    cells?: string[];
    /** `Same` (default): as at the edge; the first to come has the name. `WithCell`: `<name>-<cell>`. */
    naming?: 'Same' | 'WithCell';
    /** Of each cell. Default 100. */
    maxObjects?: number;
  } & JsonObject;
  status?: {
    observedGeneration?: number;
    returned?: number;
    refused?: number;
    conditions?: Condition[];
  } & JsonObject;
}

export const returnObjectsDefault = 100;

/** Also of ReturnRequests, which are such a policy's counterparts in a cell's workspace. */
export const returnResourcesSchema: JsonObject = {
  type: 'array',
  minItems: 1,
  maxItems: 16,
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['kind'],
    properties: {
      kind: { type: 'string', enum: returnableKinds.map(({ kind }) => kind) },
      names: { ...stringSetSchema, maxItems: 100 },
      labelSelector: labelSelectorSchema,
    },
  },
};
export const returnObjectsSchema: JsonObject = { ...integerSchema, minimum: 1, maximum: 1_000 };

export const returnPolicyDefinition = defineResource({
  group: federationGroup,
  kind: 'ReturnPolicy',
  plural: 'returnpolicies',
  categories: ['cellplane'],
  namespaced: true,
  strategy: {
    validate: (object) => validateReturnPolicy(object as ReturnPolicy),
    validateUpdate: (object) => validateReturnPolicy(object as ReturnPolicy),
  },
  versions: [
    {
      name: federationVersion,
      subresources: { status: true },
      columns: [
        { name: 'Returned', type: 'integer', jsonPath: '.status.returned' },
        { name: 'Refused', type: 'integer', jsonPath: '.status.refused' },
        ageColumn,
      ],
      schema: kindSchema(
        'Which objects that are born at the edges come back into this namespace.',
        {
          spec: {
            type: 'object',
            required: ['resources'],
            properties: {
              resources: returnResourcesSchema,
              cells: { ...stringSetSchema, maxItems: 1_000 },
              naming: { type: 'string', enum: ['Same', 'WithCell'], default: 'Same' },
              maxObjects: { ...returnObjectsSchema, default: returnObjectsDefault },
            },
          },
          status: {
            type: 'object',
            properties: {
              observedGeneration: integerSchema,
              returned: integerSchema,
              refused: integerSchema,
              conditions: conditionsSchema,
            },
          },
        },
        ['spec'],
      ),
    },
  ],
});

function validateReturnPolicy({ spec }: ReturnPolicy): FieldError[] {
  return spec.resources.flatMap(({ labelSelector }, index) => {
    if (labelSelector === undefined) return [];
    try {
      labelSelectorOf(labelSelector);
      return [];
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return [invalid(`spec.resources[${index}].labelSelector`, JSON.stringify(labelSelector), message)];
    }
  });
}
