import type { JsonObject } from '#apimachinery/json.ts';
import { booleanSchema, stringListSchema, stringSchema } from '../fragments.ts';
import { clusterAffinitySchema, resourceSelectorsSchema } from './affinity-schema.ts';
import { placementSchema } from './placement-schema.ts';
import { rescheduleSchema } from './reschedule.ts';

/** The spec of propagation policies: Karmada's field names in CRD form, as `placementSchema`. */

const int32: JsonObject = { type: 'integer', format: 'int32' };

const statePreservationSchema: JsonObject = {
  type: 'object',
  required: ['rules'],
  description:
    "What of the copy's status becomes labels of the copies where the object comes to, until the eviction is over. Absent: nothing.",
  properties: {
    rules: {
      type: 'array',
      minItems: 1,
      maxItems: 50,
      description: 'One label each. What is not in the status, or is no value of a label, is left out.',
      items: {
        type: 'object',
        required: ['aliasLabelName', 'jsonPath'],
        properties: {
          aliasLabelName: { ...stringSchema, description: 'Key of the label.' },
          jsonPath: {
            ...stringSchema,
            description: 'JSONPath within the status; the first that it finds counts.',
          },
        },
      },
    },
  },
};

const applicationFailoverSchema: JsonObject = {
  type: 'object',
  description:
    'An object that is unhealthy in a cell goes to another, and does not come back for ten minutes. Absent: it stays.',
  properties: {
    decisionConditions: {
      type: 'object',
      description: 'When the cell is left.',
      properties: {
        tolerationSeconds: {
          ...int32,
          minimum: 0,
          description: 'Seconds for which the object may be unhealthy there. Default 300.',
        },
      },
    },
    purgeMode: {
      type: 'string',
      enum: ['Directly', 'Gracefully', 'Never', 'Immediately', 'Graciously'],
      description:
        'What becomes of the old copy. Gracefully (Graciously): it goes when the object is healthy elsewhere, or the grace period is over. Directly (Immediately): at once, even without another place. Never: it stays until somebody lets go of it. Default Gracefully.',
    },
    gracePeriodSeconds: {
      ...int32,
      minimum: 1,
      description:
        'Seconds after which the old copy goes in any case. Default 600. Has no effect here: with Never, and with Directly without statePreservation.',
    },
    statePreservation: statePreservationSchema,
  },
};

const clusterFailoverSchema: JsonObject = {
  type: 'object',
  description:
    'How objects leave a cell that has a NoExecute taint which is not tolerated, or is outside of activeHours. Absent: Gracefully.',
  properties: {
    purgeMode: {
      type: 'string',
      enum: ['Directly', 'Gracefully'],
      description:
        'Gracefully: the old copy goes when the object is healthy elsewhere, or after 600 seconds. Directly: at once, even without another place. Default Gracefully.',
    },
    statePreservation: statePreservationSchema,
    failback: {
      type: 'object',
      required: ['afterSeconds'],
      description:
        'The object goes back to a group of clusterAffinities before the one in use. Absent: it stays. Refused with less than two groups.',
      properties: {
        afterSeconds: {
          ...int32,
          minimum: 0,
          description: 'Seconds for which the group must have been able to take the object.',
        },
      },
    },
  },
};

const suspensionSchema: JsonObject = {
  type: 'object',
  description: 'What is held back. Absent: nothing.',
  properties: {
    scheduling: {
      ...booleanSchema,
      description: 'Nothing is decided while true: nothing moves, and nothing new is placed. Default false.',
    },
    dispatching: {
      ...booleanSchema,
      description: 'All cells are left as they are while true. Default false.',
    },
    dispatchingOnClusters: {
      type: 'object',
      description: 'Some cells are left as they are. Absent: none. Refused beside dispatching: true.',
      properties: {
        clusterNames: { ...stringListSchema, description: 'Names of these cells. Refused: * in them.' },
      },
    },
  },
};

const schedulePrioritySchema: JsonObject = {
  type: 'object',
  required: ['priorityClassSource'],
  description:
    'In which order objects that wait for a decision, or for room, are served: by the value of a PriorityClass of the project. Absent: 0.',
  properties: {
    priorityClassSource: {
      ...stringSchema,
      description:
        'KubePriorityClass: the class of priorityClassName. PodPriorityClass: the one that the pods name. Another is refused.',
    },
    priorityClassName: {
      ...stringSchema,
      description:
        'The PriorityClass; nothing is placed while it is not there. Required with KubePriorityClass. Has no effect here: with PodPriorityClass.',
    },
  },
};

const rolloutSchema: JsonObject = {
  type: 'object',
  required: ['waves'],
  description:
    'A changed object reaches its cells wave by wave; a new one, and a changed count of replicas, at once. Absent: everything at once. Refused with selectors of Secrets, and of kinds without namespace.',
  properties: {
    waves: {
      type: 'array',
      minItems: 1,
      maxItems: 50,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      description:
        'In this order; each begins when the object is healthy in all cells of those before. Cells that none names are the last wave, rest.',
      items: {
        type: 'object',
        required: ['name'],
        properties: {
          name: {
            type: 'string',
            minLength: 1,
            maxLength: 63,
            description:
              'What the wave is called; each name once. Refused: rest, where clusterAffinity is there.',
          },
          clusterAffinity: {
            ...clusterAffinitySchema,
            description:
              'Its cells, without those of waves before. Absent: all that are left; no wave may come after.',
          },
          pauseSeconds: {
            ...int32,
            minimum: 0,
            description:
              'Seconds between the wave being healthy and the next one. Default 0. Has no effect here: on a last wave without clusterAffinity.',
          },
          approval: {
            ...booleanSchema,
            description:
              'The wave begins when the object is annotated federation.cellplane.io/rollout-approved=<target>/<wave>. Default false.',
          },
        },
      },
    },
    healthTimeoutSeconds: {
      ...int32,
      minimum: 1,
      description: 'Seconds that the cells of a wave have to be healthy, before onFailure. Default 600.',
    },
    onFailure: {
      type: 'string',
      enum: ['Rollback', 'Pause'],
      description:
        'Rollback: all cells get what was before, until the object changes again. Pause: nothing goes on until the wave is healthy. Default Rollback.',
    },
  },
};

export const propagationSpecSchema: JsonObject = {
  type: 'object',
  required: ['resourceSelectors'],
  description: 'Which objects go where, and how they get there and leave.',
  properties: {
    resourceSelectors: {
      ...resourceSelectorsSchema,
      minItems: 1,
      description:
        'The objects: what one of these selects. Of several policies that select an object one owns it.',
    },
    association: {
      ...booleanSchema,
      description: 'Refused: not honoured here. propagateDeps takes along what workloads name.',
    },
    propagateDeps: {
      ...booleanSchema,
      description:
        'What a selected workload names of its namespace, like ConfigMaps and Secrets, goes where it goes. Default false.',
    },
    placement: placementSchema,
    priority: {
      ...int32,
      default: 0,
      description:
        'Of several policies of a scope that select an object the highest owns it; of equal ones the one that names it more closely.',
    },
    preemption: {
      type: 'string',
      enum: ['Always', 'Never'],
      default: 'Never',
      description:
        "Always: takes objects over from policies of lower priority, a namespaced one from any cluster-wide one, one above projects from the projects'. Never: an owner that still selects an object keeps it.",
    },
    dependentOverrides: {
      ...stringListSchema,
      description:
        'Names of OverridePolicies or ClusterOverridePolicies: while one is missing nothing new is placed, and nothing moves.',
    },
    schedulerName: {
      type: 'string',
      default: 'default-scheduler',
      description:
        'A SchedulingProfile; nothing is decided while it is not there. default-scheduler: the profile default, if there is one.',
    },
    failover: {
      type: 'object',
      description: 'How objects leave cells in which they are unhealthy, or that are tainted.',
      properties: { application: applicationFailoverSchema, cluster: clusterFailoverSchema },
    },
    conflictResolution: {
      type: 'string',
      enum: ['Abort', 'Overwrite'],
      default: 'Abort',
      description:
        'What happens to an object at an edge that no copy made: Abort leaves it and reports, Overwrite takes it over.',
    },
    activationPreference: {
      type: 'string',
      enum: ['Lazy'],
      description:
        'Lazy: edits of the policy act on an object when that is edited next. Absent: at once. Refused above projects, unless enforcement is Default.',
    },
    suspension: suspensionSchema,
    preserveResourcesOnDeletion: {
      ...booleanSchema,
      description: 'What is withdrawn from a cell, for whatever reason, stays at its edge. Default false.',
    },
    schedulePriority: schedulePrioritySchema,
    rollout: rolloutSchema,
    reschedule: {
      ...rescheduleSchema,
      description:
        'When placed objects move though nothing asks for it. What it does not say the SchedulingProfile says.',
    },
    enforcement: {
      type: 'string',
      enum: ['Required', 'Default'],
      description:
        'Required: bounds what the policies of projects below do, besides placing what none of them selects. Default: only the latter. Absent: Required. Refused in a project.',
    },
  },
};
