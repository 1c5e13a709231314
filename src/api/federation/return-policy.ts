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
import { eventKind, type ReturnSelector, returnKindOf } from './return-contract.ts';

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
    /** Of each cell, Events not counted. Default 100. */
    maxObjects?: number;
    /** Events of each cell; of more, the newest. Default 200. */
    maxEvents?: number;
  } & JsonObject;
  status?: {
    observedGeneration?: number;
    returned?: number;
    refused?: number;
    conditions?: Condition[];
  } & JsonObject;
}

export const returnObjectsDefault = 100;
export const returnEventsDefault = 200;

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
      apiVersion: { type: 'string', maxLength: 317 },
      kind: { type: 'string', minLength: 1, maxLength: 63 },
      names: { ...stringSetSchema, maxItems: 100 },
      labelSelector: labelSelectorSchema,
      eventTypes: { ...stringSetSchema, maxItems: 2 },
      reasons: { ...stringSetSchema, maxItems: 100 },
      involvedKinds: { ...stringSetSchema, maxItems: 100 },
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
              maxEvents: { ...returnObjectsSchema, default: returnEventsDefault },
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
  return spec.resources.flatMap((selector, index) => {
    const at = `spec.resources[${index}]`;
    const kind = returnKindOf(selector);
    if (kind === undefined) {
      const { apiVersion = '' } = selector;
      const message =
        apiVersion === ''
          ? 'no built-in kind that may come back; of a custom kind the apiVersion is needed'
          : 'objects of this kind may not come back';
      return [invalid(`${at}.kind`, selector.kind, message)];
    }
    const isEvent = kind === eventKind;
    return [
      ...wrongFields(selector, at, isEvent),
      ...(isEvent || selector.labelSelector === undefined ? [] : wrongSelector(selector.labelSelector, at)),
    ];
  });
}

const eventFields = ['eventTypes', 'reasons', 'involvedKinds'] as const;

/** Fields that would select nothing, or anything, of such a kind. */
function wrongFields(selector: ReturnSelector, at: string, isEvent: boolean): FieldError[] {
  if (!isEvent) {
    return eventFields
      .filter((field) => selector[field] !== undefined)
      .map((field) => invalid(`${at}.${field}`, '', 'is for kind Event'));
  }
  const wrong = (selector.eventTypes ?? []).filter((type) => type !== 'Normal' && type !== 'Warning');
  return [
    ...wrong.map((type) => invalid(`${at}.eventTypes`, type, 'must be Normal or Warning')),
    ...(selector.labelSelector === undefined
      ? []
      : [invalid(`${at}.labelSelector`, '', 'Events have no labels to select them by')]),
  ];
}

function wrongSelector(labelSelector: JsonObject, at: string): FieldError[] {
  try {
    labelSelectorOf(labelSelector);
    return [];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return [invalid(`${at}.labelSelector`, JSON.stringify(labelSelector), message)];
  }
}
