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
    latitude: { type: 'number', minimum: -90, maximum: 90 },
    longitude: { type: 'number', minimum: -180, maximum: 180 },
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
    matchLabels: stringMapSchema,
    matchExpressions: {
      type: 'array',
      items: {
        type: 'object',
        required: ['key', 'operator'],
        properties: {
          key: stringSchema,
          operator: { type: 'string', enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'] },
          values: stringListSchema,
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
      type: { type: 'string', minLength: 1, maxLength: 316 },
      status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
      reason: { type: 'string', maxLength: 1024 },
      message: { type: 'string', maxLength: 32768 },
      lastTransitionTime: timeSchema,
      observedGeneration: { type: 'integer', format: 'int64', minimum: 0 },
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
      type: stringSchema,
      status: stringSchema,
      severity: stringSchema,
      reason: stringSchema,
      message: stringSchema,
      lastTransitionTime: timeSchema,
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
