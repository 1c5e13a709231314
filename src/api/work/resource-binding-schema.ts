import type { JsonObject } from '#apimachinery/json.ts';
import {
  conditionsSchema,
  kindSchema,
  quantityMapSchema,
  stringListSchema,
  stringMapSchema,
  stringSchema,
  timeSchema,
} from '../fragments.ts';

const count: JsonObject = { type: 'integer', format: 'int32', minimum: 0 };

/** Lists are atomic: their one writer writes them whole, and managedFields stay small with a thousand cells. */
const spec: JsonObject = {
  type: 'object',
  required: ['resource'],
  properties: {
    resource: {
      type: 'object',
      required: ['apiVersion', 'kind', 'resource', 'name'],
      'x-kubernetes-map-type': 'atomic',
      properties: {
        apiVersion: { type: 'string', minLength: 1 },
        kind: { type: 'string', minLength: 1 },
        resource: { type: 'string', minLength: 1 },
        namespace: stringSchema,
        name: { type: 'string', minLength: 1 },
        uid: stringSchema,
        resourceVersion: stringSchema,
      },
    },
    clusters: {
      type: 'array',
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string', minLength: 1 }, replicas: count },
      },
    },
    replicas: count,
    replicaRequirements: {
      type: 'object',
      properties: { resourceRequest: quantityMapSchema },
    },
    gracefulEvictionTasks: {
      type: 'array',
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['fromCluster'],
        properties: {
          fromCluster: stringSchema,
          replicas: count,
          reason: stringSchema,
          purgeMode: stringSchema,
          gracePeriodSeconds: count,
          creationTimestamp: timeSchema,
          preservedLabelState: stringMapSchema,
          clustersBeforeFailover: stringListSchema,
        },
      },
    },
    requiredBy: {
      type: 'array',
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['name'],
        properties: {
          namespace: stringSchema,
          name: { type: 'string', minLength: 1 },
          resource: stringSchema,
          resourceName: stringSchema,
          clusters: {
            type: 'array',
            items: {
              type: 'object',
              required: ['name'],
              properties: { name: { type: 'string', minLength: 1 }, replicas: count },
            },
          },
        },
      },
    },
    placementDigest: stringSchema,
    rescheduleTriggeredAt: timeSchema,
    activation: {
      type: 'object',
      'x-kubernetes-map-type': 'atomic',
      required: ['template', 'policy'],
      properties: {
        template: stringSchema,
        policy: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    },
    policy: {
      type: 'object',
      required: ['kind', 'name'],
      'x-kubernetes-map-type': 'atomic',
      properties: {
        kind: { type: 'string', enum: ['PropagationPolicy', 'ClusterPropagationPolicy'] },
        workspace: stringSchema,
        namespace: stringSchema,
        name: stringSchema,
        uid: stringSchema,
      },
    },
    schedulePriority: {
      type: 'object',
      'x-kubernetes-map-type': 'atomic',
      properties: { priority: { type: 'integer', format: 'int32' } },
    },
    boundBy: { ...stringListSchema, 'x-kubernetes-list-type': 'atomic' },
  },
};

function timedCells(time: string, more: JsonObject = {}): JsonObject {
  return {
    type: 'array',
    items: {
      type: 'object',
      required: ['cluster', time],
      properties: { cluster: stringSchema, [time]: timeSchema, ...more },
    },
  };
}

const status: JsonObject = {
  type: 'object',
  properties: {
    schedulerObservedGeneration: { type: 'integer', format: 'int64' },
    schedulerObservingAffinityName: stringSchema,
    lastScheduledTime: timeSchema,
    failover: {
      type: 'object',
      'x-kubernetes-map-type': 'atomic',
      properties: {
        unhealthySince: timedCells('since'),
        avoid: timedCells('until'),
        preferredSince: timeSchema,
        missingSince: timedCells('since', { replicas: count }),
        limited: timedCells('until', { replicas: count, times: count }),
      },
    },
    reschedule: {
      type: 'object',
      'x-kubernetes-map-type': 'atomic',
      additionalProperties: stringSchema,
    },
    rollout: {
      type: 'object',
      'x-kubernetes-map-type': 'atomic',
      properties: {
        phase: stringSchema,
        stable: stringSchema,
        target: stringSchema,
        wave: { type: 'integer', format: 'int32' },
        waveName: stringSchema,
        waveCells: count,
        waves: count,
        updated: count,
        cells: count,
        since: stringSchema,
        message: stringSchema,
      },
    },
    conditions: conditionsSchema,
    refusals: {
      type: 'array',
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['code', 'count'],
        properties: { code: stringSchema, policy: stringSchema, count, examples: stringListSchema },
      },
    },
    summary: {
      type: 'object',
      'x-kubernetes-map-type': 'atomic',
      properties: { cells: count, applied: count, healthy: count, unhealthy: count, unknown: count },
    },
    aggregatedStatus: {
      type: 'array',
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['clusterName'],
        properties: {
          clusterName: stringSchema,
          applied: { type: 'boolean' },
          appliedMessage: stringSchema,
          health: { type: 'string', enum: ['Healthy', 'Unhealthy', 'Unknown'] },
          status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        },
      },
    },
  },
};

export const resourceBindingSchema: JsonObject = kindSchema(
  'Where one object of the project goes, why, and what became of it. Written by the scheduler alone.',
  { spec, status },
  ['spec'],
);
