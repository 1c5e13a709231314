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
  description: 'What comes back: objects born at the edge that one of these selects.',
  minItems: 1,
  maxItems: 16,
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['kind'],
    properties: {
      apiVersion: {
        type: 'string',
        maxLength: 317,
        description: 'Group and version of a custom kind. Absent: of the built-in kind of that name.',
      },
      kind: {
        type: 'string',
        minLength: 1,
        maxLength: 63,
        description: 'ConfigMap, Endpoints, EndpointSlice, Event, Secret, Service, or a custom kind.',
      },
      names: {
        ...stringSetSchema,
        maxItems: 100,
        description: 'Names at the edge; of Events, those of the objects that they are about. Absent: any.',
      },
      labelSelector: {
        ...labelSelectorSchema,
        description: 'Labels that objects have at the edge. Absent: any. Refused of Events.',
      },
      eventTypes: {
        ...stringSetSchema,
        maxItems: 2,
        description: 'Of Events: Normal, Warning. Absent: both. Refused of other kinds.',
      },
      reasons: {
        ...stringSetSchema,
        maxItems: 100,
        description: 'Of Events: their reasons. Absent: any. Refused of other kinds.',
      },
      involvedKinds: {
        ...stringSetSchema,
        maxItems: 100,
        description:
          'Of Events: kinds of the objects that they are about. Absent: any. Refused of other kinds.',
      },
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
            description: 'What comes back, from where, and how much of it.',
            required: ['resources'],
            properties: {
              resources: returnResourcesSchema,
              cells: {
                ...stringSetSchema,
                maxItems: 1_000,
                description: 'Names of the cells that are asked. Absent: all.',
              },
              naming: {
                type: 'string',
                enum: ['Same', 'WithCell'],
                default: 'Same',
                description:
                  'Same: named as at the edge; of several cells the first to come has the name. WithCell: `<name>-<cell>`.',
              },
              maxObjects: {
                ...returnObjectsSchema,
                default: returnObjectsDefault,
                description: `The most objects that come back from each cell, Events not counted. Default ${returnObjectsDefault}.`,
              },
              maxEvents: {
                ...returnObjectsSchema,
                default: returnEventsDefault,
                description: `The most Events that come back from each cell; of more, the newest. Default ${returnEventsDefault}.`,
              },
            },
          },
          status: {
            type: 'object',
            description: 'What came of it.',
            properties: {
              observedGeneration: {
                ...integerSchema,
                description: 'The metadata.generation that this is about.',
              },
              returned: {
                ...integerSchema,
                description: 'How many objects are here by this policy, Events not counted.',
              },
              refused: {
                ...integerSchema,
                description: 'How many were not let in; the condition Returned says why.',
              },
              conditions: {
                ...conditionsSchema,
                description:
                  'Returned: everything that the edges have is here; else what is refused, or which kind an edge does not give.',
              },
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
