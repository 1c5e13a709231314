import type { JsonObject } from '#apimachinery/json.ts';
import { conditionsSchema, quantityMapSchema, stringSchema, timeSchema } from '../fragments.ts';

const count: JsonObject = { type: 'integer', format: 'int64', minimum: 0 };

const apiEnablements: JsonObject = {
  type: 'array',
  description:
    'What the edge serves. Objects of other kinds are not placed here; absent or empty: it is not known, and any kind may come.',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['groupVersion'],
  items: {
    type: 'object',
    required: ['groupVersion'],
    properties: {
      groupVersion: { ...stringSchema, description: 'API group and version: apps/v1; of the core group v1.' },
      resources: {
        type: 'array',
        description: 'Kinds that are served in this version.',
        items: {
          type: 'object',
          required: ['name', 'kind'],
          properties: {
            name: { ...stringSchema, description: 'Plural name, as in URLs: deployments.' },
            kind: { ...stringSchema, description: 'The kind, as in manifests: Deployment.' },
          },
        },
      },
    },
  },
};

const nodeRoom: JsonObject = {
  type: 'array',
  description:
    'What is free on usable nodes: those together that have about as much, with what each of them has. Where it is told, a replica needs one node that holds it.',
  maxItems: 100,
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['nodes', 'free'],
    properties: {
      nodes: { type: 'integer', format: 'int32', minimum: 1, description: 'How many nodes are told of.' },
      free: {
        ...quantityMapSchema,
        description: 'What each of them has left, by resource; of unlike nodes the average.',
      },
      kind: {
        type: 'integer',
        format: 'int32',
        minimum: 0,
        description:
          'Which of nodeKinds.kinds they are, counted from 0. Absent: it is not known, and they count for any pod.',
      },
    },
  },
};

const unschedulable: JsonObject = {
  type: 'object',
  description:
    'Pods that the edge has found no node for, by what they are replicas of. A policy with reschedule.unschedulable moves so many of the replicas that do not run, and leaves those that crash. Absent: it is not known which do.',
  required: ['workloads'],
  properties: {
    workloads: {
      type: 'array',
      description: 'At most 64, those of which most pods wait.',
      maxItems: 64,
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['kind', 'namespace', 'name', 'pods'],
        properties: {
          kind: { ...stringSchema, description: 'Kind of the workload.' },
          namespace: { ...stringSchema, description: 'Its namespace at the edge.' },
          name: { ...stringSchema, description: 'Its name at the edge.' },
          pods: { ...count, description: 'How many of its pods wait.' },
        },
      },
    },
    others: { ...count, description: 'Waiting pods of workloads that are not named. Absent: none.' },
  },
};

const labels: JsonObject = { type: 'object', additionalProperties: stringSchema };

const nodeKinds: JsonObject = {
  type: 'object',
  description:
    "Labels and taints of usable nodes: those that have the same are of one kind. Room counts on kinds that a pod's nodeSelector, required node affinity and tolerations let it on; absent: on all nodes.",
  required: ['kinds'],
  properties: {
    labels: { ...labels, description: 'Labels that all of them have.' },
    untoldLabels: {
      type: 'array',
      description:
        'Keys of labels that are not told, for there are too many of them or of their values; `*`: any other. Who asks for one is taken to find it.',
      maxItems: 256,
      'x-kubernetes-list-type': 'atomic',
      items: stringSchema,
    },
    kinds: {
      type: 'array',
      description: 'What distinguishes nodes; nodeRoom says which of it they are.',
      maxItems: 30,
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        properties: {
          labels: { ...labels, description: 'Labels besides those that all nodes have.' },
          taints: {
            type: 'array',
            description: 'Taints of the effects NoSchedule and NoExecute.',
            maxItems: 64,
            'x-kubernetes-list-type': 'atomic',
            items: {
              type: 'object',
              required: ['key', 'effect'],
              properties: {
                key: { ...stringSchema, description: 'Key of the taint.' },
                value: { ...stringSchema, description: 'Value of the taint. Absent: it has none.' },
                effect: {
                  ...stringSchema,
                  enum: ['NoSchedule', 'NoExecute'],
                  description: 'What it does to pods that do not tolerate it.',
                },
              },
            },
          },
        },
      },
    },
  },
};

export const cellStatusSchema: JsonObject = {
  type: 'object',
  description: "What the cell's federator, and the server, know of it.",
  properties: {
    conditions: {
      ...conditionsSchema,
      description:
        'Reachable: the edge answers. Ready: it can be synced, and new work may come. Synced: it holds every copy. Claimed: the edge is told, and tells others, that it belongs to this cell. DeletionHeld, NodesWatched, Withdrawing: where there is something to say.',
    },
    cluster: {
      ...stringSchema,
      description:
        "Logical cluster of the cell's workspace. Absent: there is none yet, and nothing is placed here.",
    },
    kubernetesVersion: { ...stringSchema, description: 'Version that the edge API server says it has.' },
    apiEnablements,
    capacity: {
      ...quantityMapSchema,
      description:
        'What the edge has, by resource; counts where allocatable is not told, before spec.capacity. Written by a controller of yours; federators tell allocatable.',
    },
    allocatable: {
      ...quantityMapSchema,
      description:
        'What pods may use, by resource: the sum over nodes that are ready and not cordoned. Absent: capacity counts, or else spec.capacity.',
    },
    allocated: {
      ...quantityMapSchema,
      description:
        'What pods ask for of allocatable, whoever made them. Absent: what schedulers have placed here is counted instead.',
    },
    nodeRoom,
    nodeKinds,
    unschedulable,
    lastProbe: {
      type: 'object',
      description: 'The last looks at the edge.',
      properties: {
        time: { ...timeSchema, description: 'When the edge answered last.' },
        latencyMs: {
          type: 'number',
          minimum: 0,
          description:
            'Milliseconds that this answer took; the score Latency goes by them, in steps of a quarter.',
        },
        error: { ...stringSchema, description: 'What was wrong with the last look. Absent: nothing.' },
      },
    },
    federator: {
      ...stringSchema,
      description: 'Who holds the cell: the same as assignment.federator, for selectors. Set by the server.',
    },
    assignment: {
      type: 'object',
      description:
        'Which federator syncs the cell. Written by the server through the subresource assignment; absent: none ever held it.',
      required: ['federator', 'epoch'],
      properties: {
        federator: { ...stringSchema, description: 'Name of the Federator.' },
        epoch: { ...count, description: 'Rises by one each time that the cell changes hands.' },
        since: { ...timeSchema, description: 'When it changed hands last.' },
      },
    },
    syncLag: { ...stringSchema, description: 'Age of the oldest change that the edge has not got: `1.5s`.' },
    objects: {
      type: 'object',
      description: 'How many copies there are in the cell, by what has become of them.',
      properties: {
        synced: { ...count, description: 'The edge has them as they are.' },
        pending: { ...count, description: 'On their way to the edge.' },
        failed: {
          ...count,
          description: 'The edge does not take them, or has something else in their place.',
        },
      },
    },
  },
};
