import type { JsonObject } from '#apimachinery/json.ts';
import {
  kindSchema,
  quantityMapSchema,
  stringListSchema,
  stringMapSchema,
  stringSchema,
  timeSchema,
} from '../fragments.ts';
import { bindingStatusSchema } from './binding-status-schema.ts';

const count: JsonObject = { type: 'integer', format: 'int32', minimum: 0 };
const name: JsonObject = { type: 'string', minLength: 1 };

const resource: JsonObject = {
  type: 'object',
  description: 'The object that is placed.',
  required: ['apiVersion', 'kind', 'resource', 'name'],
  'x-kubernetes-map-type': 'atomic',
  properties: {
    apiVersion: { ...name, description: 'Its API group and version: apps/v1.' },
    kind: { ...name, description: 'Its kind.' },
    resource: { ...name, description: 'Plural name of its kind, as in URLs.' },
    namespace: { ...stringSchema, description: 'Its namespace. Absent: it has none.' },
    name: { ...name, description: 'Its name.' },
    uid: { ...stringSchema, description: 'Its uid: an object made again is another one.' },
    resourceVersion: { ...stringSchema, description: 'Not set here.' },
  },
};

/** Lists are atomic: their one writer writes them whole, and managedFields stay small with a thousand cells. */
const gracefulEvictionTasks: JsonObject = {
  type: 'array',
  description:
    'Cells that the object is leaving, ordered by name; they are not among `clusters`. Absent: none.',
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['fromCluster'],
    properties: {
      fromCluster: { ...stringSchema, description: 'Name of the cell.' },
      replicas: { ...count, description: 'How many replicas it had there. Absent: the kind has none.' },
      reason: {
        ...stringSchema,
        description:
          'TaintUntolerated, ApplicationFailure (it was unhealthy there for too long), Failback (a preferred group has room again), or OutsideHours.',
      },
      purgeMode: {
        ...stringSchema,
        description:
          'Gracefully: the copy goes when all cells of the new decision are healthy, or the grace period is over. Directly: it has gone, and what is handed on is kept. Never: it stays until somebody releases it.',
      },
      gracePeriodSeconds: {
        ...count,
        description: 'Seconds from creationTimestamp after which the copy goes in any case; not with Never.',
      },
      creationTimestamp: { ...timeSchema, description: 'When the cell was left; a release names it.' },
      preservedLabelState: {
        ...stringMapSchema,
        description:
          "Labels that copies in the cells it came to bear until this is over: what statePreservation found in the left copy's status.",
      },
      clustersBeforeFailover: {
        ...stringListSchema,
        description:
          'Cells that had the object before: they get none of these labels. Told with statePreservation.',
      },
    },
  },
};

const requiredBy: JsonObject = {
  type: 'array',
  description:
    'Objects that need this one in their cells (propagateDeps of their policies), at most 500. It goes there beside `clusters`.',
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['name'],
    properties: {
      namespace: { ...stringSchema, description: 'Namespace of the other object. Absent: it has none.' },
      name: { ...name, description: "Name of the other object's binding." },
      resource: { ...stringSchema, description: 'Kind of the other object: deployments.apps.' },
      resourceName: { ...stringSchema, description: 'Name of the other object.' },
      clusters: {
        type: 'array',
        description:
          'Where it needs this one. Absent where all of these lists would name more than 5000 cells together.',
        items: {
          type: 'object',
          required: ['name'],
          properties: {
            name: { ...name, description: 'Name of the cell.' },
            replicas: { ...count, description: 'Not set here.' },
          },
        },
      },
    },
  },
};

const activation: JsonObject = {
  type: 'object',
  description:
    'What a policy with activationPreference Lazy was when the object was edited last: by this it is placed until it is edited again.',
  'x-kubernetes-map-type': 'atomic',
  required: ['template', 'policy'],
  properties: {
    template: { ...stringSchema, description: 'Digest of the object, its status apart, as it was then.' },
    policy: {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      description: "The policy's spec as it was then.",
    },
  },
};

const policy: JsonObject = {
  type: 'object',
  description: 'The policy that places the object. Absent: it only goes where others need it.',
  required: ['kind', 'name'],
  'x-kubernetes-map-type': 'atomic',
  properties: {
    kind: {
      type: 'string',
      enum: ['PropagationPolicy', 'ClusterPropagationPolicy'],
      description: 'Its kind.',
    },
    workspace: {
      ...stringSchema,
      description: 'Path of the workspace above the project that it stands in. Absent: the project.',
    },
    namespace: { ...stringSchema, description: 'Its namespace. Absent: it has none.' },
    name: { ...stringSchema, description: 'Its name.' },
    uid: { ...stringSchema, description: 'Its uid: a policy made again is another one.' },
  },
};

const spec: JsonObject = {
  type: 'object',
  description: 'The decision.',
  required: ['resource'],
  properties: {
    resource,
    clusters: {
      type: 'array',
      description: 'The cells that were chosen, ordered by name. Empty: none.',
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { ...name, description: 'Name of the cell.' },
          replicas: { ...count, description: 'How many replicas go there. Absent: the kind has none.' },
        },
      },
    },
    replicas: {
      ...count,
      description: 'How many replicas the object itself asks for. Absent: its kind has none.',
    },
    replicaRequirements: {
      type: 'object',
      description:
        'Told where several schedulers share the work and have to know what the others have placed. Absent: there is one.',
      properties: {
        resourceRequest: { ...quantityMapSchema, description: 'What one replica asks for, by resource.' },
        nodeClaim: {
          type: 'object',
          'x-kubernetes-preserve-unknown-fields': true,
          description:
            'On which nodes one may run, as its pod template says: nodeSelector, hardNodeAffinity, tolerations. Absent: on any without taints.',
        },
      },
    },
    gracefulEvictionTasks,
    requiredBy,
    placementDigest: { ...stringSchema, description: 'Hash of the placement that was decided by.' },
    rescheduleTriggeredAt: {
      ...timeSchema,
      description:
        'Which request for a fresh decision (WorkloadRebalancer, reschedule) this one has answered last. Absent: none.',
    },
    activation,
    policy,
    schedulePriority: {
      type: 'object',
      description:
        'Which of the objects that wait is decided first. Absent: the policy has no schedulePriority, and it counts as 0.',
      'x-kubernetes-map-type': 'atomic',
      properties: {
        priority: {
          type: 'integer',
          format: 'int32',
          description: 'Value of the PriorityClass; higher goes first. 0 where there is no such class.',
        },
      },
    },
    boundBy: {
      ...stringListSchema,
      'x-kubernetes-list-type': 'atomic',
      description:
        'Policies above the project that bound where the object may be, whichever policy places it: `<workspace>/<name>`. Absent: none.',
    },
  },
};

export const resourceBindingSchema: JsonObject = kindSchema(
  'Where one object of the project goes, why, and what became of it. Written by the scheduler alone.',
  { spec, status: bindingStatusSchema },
  ['spec'],
);
