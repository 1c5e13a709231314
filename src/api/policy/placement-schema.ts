import type { JsonObject } from '#apimachinery/json.ts';
import {
  booleanSchema,
  integerSchema,
  labelSelectorSchema,
  locationSchema,
  stringListSchema,
  stringMapSchema,
  stringSchema,
} from '../fragments.ts';
import { rescheduleSchema } from './reschedule.ts';
import { timeWindowsSchema } from './time-window.ts';

/**
 * Karmada's field names in CRD form (PLACEMENT.md 1). What we do not honour stands here too, so that validation can refuse
 * it by its path: a field absent from a schema would be pruned in silence.
 */

const int32: JsonObject = { type: 'integer', format: 'int32' };

const resourceSelectorsSchema: JsonObject = {
  type: 'array',
  items: {
    type: 'object',
    required: ['apiVersion', 'kind'],
    properties: {
      apiVersion: { type: 'string', minLength: 1 },
      kind: { type: 'string', minLength: 1 },
      namespace: stringSchema,
      name: stringSchema,
      labelSelector: labelSelectorSchema,
    },
  },
};

const affinityProperties: JsonObject = {
  labelSelector: labelSelectorSchema,
  fieldSelector: {
    type: 'object',
    properties: {
      matchExpressions: {
        type: 'array',
        items: {
          type: 'object',
          required: ['key', 'operator'],
          properties: { key: stringSchema, operator: stringSchema, values: stringListSchema },
        },
      },
    },
  },
  clusterNames: stringListSchema,
  exclude: stringListSchema,
  celSelector: {
    type: 'object',
    properties: {
      celExpressions: {
        type: 'array',
        maxItems: 10,
        items: { type: 'string', minLength: 1, maxLength: 2048 },
      },
    },
  },
};

export const clusterAffinitySchema: JsonObject = { type: 'object', properties: affinityProperties };

const groupByLabelSchema: JsonObject = {
  type: 'object',
  required: ['groupByLabelKey'],
  properties: { groupByLabelKey: { type: 'string', minLength: 1 } },
};

const statePreservationSchema: JsonObject = {
  type: 'object',
  required: ['rules'],
  properties: {
    rules: {
      type: 'array',
      minItems: 1,
      maxItems: 50,
      items: {
        type: 'object',
        required: ['aliasLabelName', 'jsonPath'],
        properties: { aliasLabelName: stringSchema, jsonPath: stringSchema },
      },
    },
  },
};

const placementSchema: JsonObject = {
  type: 'object',
  properties: {
    clusterAffinity: clusterAffinitySchema,
    clusterAffinities: {
      type: 'array',
      items: {
        type: 'object',
        required: ['affinityName'],
        properties: {
          affinityName: { type: 'string', minLength: 1, maxLength: 32 },
          ...affinityProperties,
          overflowAffinities: { type: 'array', items: clusterAffinitySchema },
        },
      },
    },
    clusterTolerations: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          key: stringSchema,
          operator: { type: 'string', enum: ['', 'Exists', 'Equal'] },
          value: stringSchema,
          effect: { type: 'string', enum: ['', 'NoSchedule', 'PreferNoSchedule', 'NoExecute'] },
          tolerationSeconds: integerSchema,
        },
      },
    },
    spreadConstraints: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          spreadByField: { type: 'string', enum: ['', 'cluster', 'region', 'zone', 'provider', 'pop'] },
          spreadByLabel: stringSchema,
          minGroups: int32,
          maxGroups: int32,
          maxSkew: int32,
        },
      },
    },
    replicaScheduling: {
      type: 'object',
      properties: {
        replicaSchedulingType: { type: 'string', enum: ['Divided', 'Duplicated'], default: 'Divided' },
        rebalance: booleanSchema,
        replicaDivisionPreference: { type: 'string', enum: ['Aggregated', 'Weighted'] },
        weightPreference: {
          type: 'object',
          properties: {
            staticWeightList: {
              type: 'array',
              items: {
                type: 'object',
                required: ['targetCluster', 'weight'],
                properties: {
                  targetCluster: clusterAffinitySchema,
                  weight: { type: 'integer', format: 'int64', minimum: 1 },
                  minReplicas: { ...int32, minimum: 0 },
                  maxReplicas: { ...int32, minimum: 0 },
                  priority: int32,
                },
              },
            },
            dynamicWeight: { type: 'string', enum: ['AvailableReplicas'] },
          },
        },
      },
    },
    near: locationSchema,
    data: { type: 'array', maxItems: 100, items: { type: 'string', minLength: 1, maxLength: 63 } },
    activeHours: timeWindowsSchema,
    workloadAffinity: {
      type: 'object',
      properties: { affinity: groupByLabelSchema, antiAffinity: groupByLabelSchema },
    },
  },
};

const failoverSchema: JsonObject = {
  type: 'object',
  properties: {
    application: {
      type: 'object',
      properties: {
        decisionConditions: {
          type: 'object',
          properties: { tolerationSeconds: { ...int32, minimum: 0 } },
        },
        purgeMode: {
          type: 'string',
          enum: ['Directly', 'Gracefully', 'Never', 'Immediately', 'Graciously'],
        },
        gracePeriodSeconds: { ...int32, minimum: 1 },
        statePreservation: statePreservationSchema,
      },
    },
    cluster: {
      type: 'object',
      properties: {
        purgeMode: { type: 'string', enum: ['Directly', 'Gracefully'] },
        statePreservation: statePreservationSchema,
        failback: {
          type: 'object',
          required: ['afterSeconds'],
          properties: { afterSeconds: { ...int32, minimum: 0 } },
        },
      },
    },
  },
};

export const propagationSpecSchema: JsonObject = {
  type: 'object',
  required: ['resourceSelectors'],
  properties: {
    resourceSelectors: { ...resourceSelectorsSchema, minItems: 1 },
    association: booleanSchema,
    propagateDeps: booleanSchema,
    placement: placementSchema,
    priority: { ...int32, default: 0 },
    preemption: { type: 'string', enum: ['Always', 'Never'], default: 'Never' },
    dependentOverrides: stringListSchema,
    schedulerName: { type: 'string', default: 'default-scheduler' },
    failover: failoverSchema,
    conflictResolution: { type: 'string', enum: ['Abort', 'Overwrite'], default: 'Abort' },
    activationPreference: { type: 'string', enum: ['Lazy'] },
    suspension: {
      type: 'object',
      properties: {
        scheduling: booleanSchema,
        dispatching: booleanSchema,
        dispatchingOnClusters: { type: 'object', properties: { clusterNames: stringListSchema } },
      },
    },
    preserveResourcesOnDeletion: booleanSchema,
    schedulePriority: {
      type: 'object',
      required: ['priorityClassSource'],
      properties: { priorityClassSource: stringSchema, priorityClassName: stringSchema },
    },
    rollout: {
      type: 'object',
      required: ['waves'],
      properties: {
        waves: {
          type: 'array',
          minItems: 1,
          maxItems: 50,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: {
              name: { type: 'string', minLength: 1, maxLength: 63 },
              clusterAffinity: clusterAffinitySchema,
              pauseSeconds: { ...int32, minimum: 0 },
              approval: booleanSchema,
            },
          },
        },
        healthTimeoutSeconds: { ...int32, minimum: 1 },
        onFailure: { type: 'string', enum: ['Rollback', 'Pause'] },
      },
    },
    reschedule: rescheduleSchema,
    enforcement: { type: 'string', enum: ['Required', 'Default'] },
  },
};

const operator = (...values: string[]): JsonObject => ({ type: 'string', enum: values });
const commandArgs: JsonObject = {
  type: 'array',
  items: {
    type: 'object',
    required: ['containerName', 'operator'],
    properties: {
      containerName: { type: 'string', minLength: 1 },
      operator: operator('add', 'remove'),
      value: stringListSchema,
    },
  },
};
const labelsAnnotations: JsonObject = {
  type: 'array',
  items: {
    type: 'object',
    required: ['operator'],
    properties: { operator: operator('add', 'remove', 'replace'), value: stringMapSchema },
  },
};

const fieldPatches: JsonObject = {
  type: 'array',
  items: {
    type: 'object',
    required: ['subPath', 'operator'],
    properties: {
      subPath: stringSchema,
      operator: operator('add', 'remove', 'replace'),
      value: { 'x-kubernetes-preserve-unknown-fields': true },
    },
  },
};

const overridersSchema: JsonObject = {
  type: 'object',
  properties: {
    imageOverrider: {
      type: 'array',
      items: {
        type: 'object',
        required: ['component', 'operator'],
        properties: {
          predicate: { type: 'object', required: ['path'], properties: { path: stringSchema } },
          component: operator('Registry', 'Repository', 'Tag'),
          operator: operator('add', 'remove', 'replace'),
          value: stringSchema,
        },
      },
    },
    commandOverrider: commandArgs,
    argsOverrider: commandArgs,
    labelsOverrider: labelsAnnotations,
    annotationsOverrider: labelsAnnotations,
    fieldOverrider: {
      type: 'array',
      items: {
        type: 'object',
        required: ['fieldPath'],
        properties: { fieldPath: stringSchema, json: fieldPatches, yaml: fieldPatches },
      },
    },
    plaintext: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'operator'],
        properties: {
          path: stringSchema,
          operator: operator('add', 'remove', 'replace'),
          value: { 'x-kubernetes-preserve-unknown-fields': true },
        },
      },
    },
  },
};

export const overrideSpecSchema: JsonObject = {
  type: 'object',
  properties: {
    resourceSelectors: resourceSelectorsSchema,
    overrideRules: {
      type: 'array',
      items: {
        type: 'object',
        required: ['overriders'],
        properties: { targetCluster: clusterAffinitySchema, overriders: overridersSchema },
      },
    },
    targetCluster: clusterAffinitySchema,
    overriders: overridersSchema,
  },
};
