import type { JsonObject } from '#apimachinery/json.ts';
import {
  conditionsSchema,
  kindSchema,
  labelSelectorSchema,
  locationSchema,
  quantityMapSchema,
  stringSchema,
  stringSetSchema,
  timeSchema,
} from '../fragments.ts';
import { timeWindowsSchema } from '../policy/time-window.ts';

const positive: JsonObject = { type: 'integer', format: 'int32', minimum: 1 };
const count: JsonObject = { type: 'integer', format: 'int64', minimum: 0 };

const spec: JsonObject = {
  type: 'object',
  properties: {
    apiEndpoint: { ...stringSchema, description: 'URL of the edge API server.' },
    secretRef: {
      type: 'object',
      description: 'Credentials for the edge, in root:cells: token, or tls.crt and tls.key; caBundle.',
      required: ['namespace', 'name'],
      properties: { namespace: { ...stringSchema, minLength: 1 }, name: { ...stringSchema, minLength: 1 } },
    },
    proxyURL: stringSchema,
    provider: stringSchema,
    region: stringSchema,
    zones: stringSetSchema,
    taints: {
      type: 'array',
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['key', 'effect'],
        properties: {
          key: { type: 'string', minLength: 1, maxLength: 316 },
          value: { type: 'string', maxLength: 63 },
          effect: { type: 'string', enum: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] },
          timeAdded: timeSchema,
        },
      },
    },
    pop: { ...stringSchema, description: 'Point of presence.' },
    dataCenter: stringSchema,
    weight: { type: 'integer', format: 'int32', minimum: 0 },
    cost: { type: 'number', minimum: 0 },
    location: locationSchema,
    timeZone: {
      ...stringSchema,
      description: 'IANA name, like Europe/Berlin; by it time windows count. Absent: UTC.',
    },
    maintenanceWindows: { ...timeWindowsSchema, description: 'When the cell takes no new work.' },
    estimator: {
      type: 'object',
      description: 'Tells how many replicas fit.',
      required: ['url'],
      properties: {
        url: { ...stringSchema, minLength: 1 },
        caBundle: stringSchema,
        timeoutMs: { type: 'integer', format: 'int32', minimum: 10, maximum: 10_000 },
      },
    },
    capacity: quantityMapSchema,
    projects: {
      ...stringSetSchema,
      description:
        'Paths of the workspaces that may use the cell; root:acme:* means all below root:acme, * everyone. Absent: everyone.',
    },
    allow: {
      type: 'object',
      description: 'What grants authority or acts beyond a namespace and may yet come here.',
      properties: {
        kinds: {
          type: 'array',
          'x-kubernetes-list-type': 'atomic',
          items: {
            type: 'object',
            required: ['group', 'kind'],
            properties: { group: stringSchema, kind: { ...stringSchema, minLength: 1 } },
          },
        },
        clusterRoles: stringSetSchema,
      },
    },
    apis: {
      type: 'object',
      properties: {
        groups: {
          ...stringSetSchema,
          description: 'API groups that projects may bring. Absent: any that does not end in k8s.io.',
        },
      },
    },
    federator: {
      type: 'object',
      description: 'Pins the cell to a federator by name, or to those that a selector names.',
      properties: { name: { ...stringSchema, minLength: 1 }, selector: labelSelectorSchema },
    },
    deletionPolicy: {
      type: 'string',
      default: 'Orphan',
      enum: ['Orphan', 'Withdraw'],
      description:
        'What happens at the edge when the Cell is deleted: nothing, or everything that was synced is withdrawn first.',
    },
    deletionBudget: {
      type: 'object',
      description: 'More deletions than this within the window are held until released by hand.',
      properties: {
        maxObjects: count,
        maxPercent: { type: 'integer', format: 'int32', minimum: 0, maximum: 100 },
        windowSeconds: positive,
      },
    },
    healthCheck: {
      type: 'object',
      properties: {
        intervalSeconds: positive,
        timeoutSeconds: positive,
        failureThreshold: positive,
        successThreshold: positive,
      },
    },
    suspend: { type: 'boolean', description: 'Nothing is synced while true.' },
    watchNodes: {
      type: 'boolean',
      description:
        "Whether the cell's federator watches the edge's nodes and pods, and tells status.allocatable, allocated and nodeRoom; absent: where it may, and nobody else tells them.",
    },
  },
};

const status: JsonObject = {
  type: 'object',
  properties: {
    conditions: conditionsSchema,
    cluster: { ...stringSchema, description: "Logical cluster of the cell's workspace." },
    kubernetesVersion: stringSchema,
    apiEnablements: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['groupVersion'],
      items: {
        type: 'object',
        required: ['groupVersion'],
        properties: {
          groupVersion: stringSchema,
          resources: {
            type: 'array',
            items: {
              type: 'object',
              required: ['name', 'kind'],
              properties: { name: stringSchema, kind: stringSchema },
            },
          },
        },
      },
    },
    capacity: quantityMapSchema,
    allocatable: quantityMapSchema,
    allocated: quantityMapSchema,
    nodeRoom: {
      type: 'array',
      description:
        'What is free on usable nodes: those together that have about as much, with what each of them has. Where it is told, a replica needs one node that holds it.',
      maxItems: 100,
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['nodes', 'free'],
        properties: {
          nodes: { type: 'integer', format: 'int32', minimum: 1 },
          free: quantityMapSchema,
        },
      },
    },
    lastProbe: {
      type: 'object',
      properties: { time: timeSchema, latencyMs: { type: 'number', minimum: 0 }, error: stringSchema },
    },
    federator: stringSchema,
    assignment: {
      type: 'object',
      required: ['federator', 'epoch'],
      properties: { federator: stringSchema, epoch: count, since: timeSchema },
    },
    syncLag: { ...stringSchema, description: 'Age of the oldest change that the edge has not got: `1.5s`.' },
    objects: { type: 'object', properties: { synced: count, pending: count, failed: count } },
  },
};

export const cellSchema: JsonObject = kindSchema(
  'One downstream edge control plane in a point of presence.',
  {
    spec,
    status,
  },
);
