import type { JsonObject } from '#apimachinery/json.ts';

/**
 * Schema parts, in CRD form, that the system's own kinds share. Each is a constant: schemas made from equal parts are
 * shared.
 */

export const stringSchema: JsonObject = { type: 'string' };
export const booleanSchema: JsonObject = { type: 'boolean' };
export const integerSchema: JsonObject = { type: 'integer', format: 'int64' };
export const timeSchema: JsonObject = { type: 'string', format: 'date-time' };

/** A place on earth, in degrees. */
export const locationSchema: JsonObject = {
  type: 'object',
  required: ['latitude', 'longitude'],
  properties: {
    latitude: { type: 'number', minimum: -90, maximum: 90, description: 'Degrees; north is positive.' },
    longitude: { type: 'number', minimum: -180, maximum: 180, description: 'Degrees; east is positive.' },
  },
};
export const stringListSchema: JsonObject = { type: 'array', items: stringSchema };
export const stringSetSchema: JsonObject = {
  type: 'array',
  items: stringSchema,
  'x-kubernetes-list-type': 'set',
};
export const stringMapSchema: JsonObject = { type: 'object', additionalProperties: stringSchema };

/** meta/v1 LabelSelector. */
export const labelSelectorSchema: JsonObject = {
  type: 'object',
  'x-kubernetes-map-type': 'atomic',
  properties: {
    matchLabels: {
      ...stringMapSchema,
      description: 'Labels that all have to be there with just these values. Absent: any labels.',
    },
    matchExpressions: {
      type: 'array',
      description: 'What all has to hold of labels, beside matchLabels. Absent: nothing more.',
      items: {
        type: 'object',
        required: ['key', 'operator'],
        properties: {
          key: { ...stringSchema, description: 'The label that is looked at.' },
          operator: {
            type: 'string',
            enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'],
            description:
              'In: its value is one of `values`. NotIn: it is none of them, or there is no such label. Exists, DoesNotExist: whether there is one, whatever its value.',
          },
          values: {
            ...stringListSchema,
            description: 'One at least with In and NotIn; none with Exists and DoesNotExist.',
          },
        },
      },
    },
  },
};

/** A map of resource name to quantity (`cpu: 10`, `memory: 64Gi`). */
export const quantityMapSchema: JsonObject = {
  type: 'object',
  additionalProperties: {
    'x-kubernetes-int-or-string': true,
    pattern:
      '^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$',
  },
};

/** meta/v1 Condition, one of each type. */
export const conditionsSchema: JsonObject = {
  type: 'array',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  items: {
    type: 'object',
    required: ['type', 'status'],
    properties: {
      type: {
        type: 'string',
        minLength: 1,
        maxLength: 316,
        description: 'What is told of; one condition of each type.',
      },
      status: {
        type: 'string',
        enum: ['True', 'False', 'Unknown'],
        description: 'Whether it is so. Unknown: who would tell it cannot, or has not yet.',
      },
      reason: { type: 'string', maxLength: 1024, description: 'Why, in one word that programs may go by.' },
      message: { type: 'string', maxLength: 32768, description: 'Why, in words for people.' },
      lastTransitionTime: { ...timeSchema, description: 'When `status` changed last.' },
      observedGeneration: {
        type: 'integer',
        format: 'int64',
        minimum: 0,
        description: 'The metadata.generation that this was said of. Absent: it is not told.',
      },
    },
  },
};

/** kcp's conditions: like meta/v1's, with a severity and no list type, so that an update replaces the list. */
export const kcpConditionsSchema: JsonObject = {
  type: 'array',
  items: {
    type: 'object',
    required: ['type', 'status', 'lastTransitionTime'],
    properties: {
      type: { ...stringSchema, description: 'What is told of; one condition of each type.' },
      status: { ...stringSchema, description: 'Whether it is so: True, False or Unknown.' },
      severity: {
        ...stringSchema,
        description: 'How bad it is that it is not so. Info: it is under way. Absent where it is so.',
      },
      reason: { ...stringSchema, description: 'Why, in one word that programs may go by.' },
      message: { ...stringSchema, description: 'Why, in words for people.' },
      lastTransitionTime: { ...timeSchema, description: 'When `status` changed last.' },
    },
  },
};

/** The root of a kind: type and object metadata beside what is given. */
export function kindSchema(
  description: string,
  properties: { readonly spec?: JsonObject; readonly status?: JsonObject },
  required: readonly string[] = [],
): JsonObject {
  return {
    type: 'object',
    description,
    ...(required.length === 0 ? {} : { required: [...required] }),
    properties: {
      apiVersion: stringSchema,
      kind: stringSchema,
      metadata: { type: 'object' },
      ...properties,
    },
  };
}
