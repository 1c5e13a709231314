import type { JsonObject } from '#apimachinery/json.ts';
import { booleanSchema, integerSchema, locationSchema, stringSchema } from '../fragments.ts';
import { affinityProperties, clusterAffinitySchema } from './affinity-schema.ts';
import { timeWindowsSchema } from './time-window.ts';

/**
 * Karmada's field names in CRD form (PLACEMENT.md 1). What we do not honour stands here too, so that validation can refuse
 * it by its path: a field absent from a schema would be pruned in silence.
 */

const int32: JsonObject = { type: 'integer', format: 'int32' };

const groupByLabelSchema: JsonObject = {
  type: 'object',
  required: ['groupByLabelKey'],
  properties: {
    groupByLabelKey: {
      type: 'string',
      minLength: 1,
      description:
        'Key of a label: objects of a namespace with the same value are a group. An object without the label is in none.',
    },
  },
};

const affinityGroupsSchema: JsonObject = {
  type: 'array',
  description:
    'Groups of cells, of which the first that can take the object is used, and kept while it can. Refused beside clusterAffinity.',
  items: {
    type: 'object',
    required: ['affinityName'],
    properties: {
      affinityName: {
        type: 'string',
        minLength: 1,
        maxLength: 32,
        description: 'What the group is called in the binding; each name once.',
      },
      ...affinityProperties,
      overflowAffinities: {
        type: 'array',
        items: {
          type: 'object',
          properties: {
            affinityName: {
              type: 'string',
              minLength: 1,
              maxLength: 32,
              description:
                'What `cellplane explain` calls the tier; each name once, and not that of the group. Absent: it is called by its number.',
            },
            ...affinityProperties,
          },
        },
        description:
          'Tiers of cells that take, in order, replicas that have no room in those before, and give them back first. Refused where replicas are not divided by room, and in a group that names all cells.',
      },
    },
  },
};

const tolerationsSchema: JsonObject = {
  type: 'array',
  description:
    'Taints of cells that do not matter. An untolerated NoSchedule keeps new work away, NoExecute evicts too, PreferNoSchedule costs points.',
  items: {
    type: 'object',
    properties: {
      key: {
        ...stringSchema,
        description: 'Key of the taint. Absent: every key, where the operator is Exists.',
      },
      operator: {
        type: 'string',
        enum: ['', 'Exists', 'Equal'],
        description: 'Exists: whatever the value of the taint. Equal: the same value. Default Equal.',
      },
      value: {
        ...stringSchema,
        description: 'Value of the taint. Absent: the empty one. Refused where the operator is Exists.',
      },
      effect: {
        type: 'string',
        enum: ['', 'NoSchedule', 'PreferNoSchedule', 'NoExecute'],
        description:
          'Effect of the taint. Absent: every effect. Has no effect here: PreferNoSchedule without spreadConstraints.',
      },
      tolerationSeconds: {
        ...integerSchema,
        description:
          'Seconds from the time of the taint on; then the object is evicted. Absent: for good. Refused where the effect is not NoExecute.',
      },
    },
  },
};

const spreadConstraintsSchema: JsonObject = {
  type: 'array',
  description:
    'How many groups of cells have the object; all must hold, or it is not placed. Absent: every cell that may have it is used.',
  items: {
    type: 'object',
    properties: {
      spreadByField: {
        type: 'string',
        enum: ['', 'cluster', 'region', 'zone', 'provider', 'pop', 'dataCenter'],
        description:
          'What cells of a group share; cluster: each cell is a group. Default cluster, unless spreadByLabel is there. Cells that do not tell the field are left out.',
      },
      spreadByLabel: {
        ...stringSchema,
        description:
          'Key of a label whose value cells of a group share; cells without it are left out. Refused beside spreadByField.',
      },
      minGroups: { ...int32, description: 'Groups at least. Default 1.' },
      maxGroups: { ...int32, description: 'Groups at most. Absent or 0: no limit.' },
      maxSkew: {
        ...int32,
        description:
          'How far groups may differ in replicas, or in cells where replicas are not divided; at least 1. Absent: no limit. Refused over cells.',
      },
    },
  },
};

const plannedOnly = 'Refused where replicas are not divided by static weights.';

const staticWeightsSchema: JsonObject = {
  type: 'array',
  description:
    'Replicas by fixed weights; of several for a cell the greatest counts. A cell without one gets none; where no cell has one their own (spec.weight of the Cell, 1 by default) count, unless the list has minReplicas, maxReplicas or priority. Absent: by their own. Has no effect here: beside dynamicWeight.',
  items: {
    type: 'object',
    required: ['targetCluster', 'weight'],
    properties: {
      targetCluster: {
        ...clusterAffinitySchema,
        description: 'The cells that have this weight, each of them.',
      },
      weight: {
        type: 'integer',
        format: 'int64',
        minimum: 1,
        description: 'Beside the weights of other cells.',
      },
      minReplicas: {
        ...int32,
        minimum: 0,
        description: `Replicas that each of the cells is given first, as far as it has room. Default 0. ${plannedOnly}`,
      },
      maxReplicas: {
        ...int32,
        minimum: 0,
        description: `Replicas that each of the cells has at most. Absent: no limit. ${plannedOnly}`,
      },
      priority: {
        ...int32,
        description: `Cells of a higher one get their minReplicas, and what rounding leaves over, before others, whatever they weigh. Default 0. ${plannedOnly}`,
      },
    },
  },
};

const replicaSchedulingSchema: JsonObject = {
  type: 'object',
  description: 'How many replicas each cell has. Absent: each has all, as with Duplicated.',
  properties: {
    replicaSchedulingType: {
      type: 'string',
      enum: ['Divided', 'Duplicated'],
      default: 'Divided',
      description: 'Duplicated: each cell has all replicas. Divided: the cells have them together.',
    },
    rebalance: {
      ...booleanSchema,
      description:
        'Replicas are shared out anew rather than kept where they run. Default false. Refused where no static weight has minReplicas, maxReplicas or priority.',
    },
    replicaDivisionPreference: {
      type: 'string',
      enum: ['Aggregated', 'Weighted'],
      description:
        'Aggregated: in as few cells as have room. Weighted: by weightPreference. Default Weighted. Has no effect here: with Duplicated.',
    },
    weightPreference: {
      type: 'object',
      description:
        'By what replicas are divided. Absent: by the own weights of cells (spec.weight, 1 by default). Has no effect here: with Duplicated, and with Aggregated.',
      properties: {
        staticWeightList: staticWeightsSchema,
        dynamicWeight: {
          type: 'string',
          enum: ['AvailableReplicas'],
          description:
            'AvailableReplicas: by the replicas that fit into each cell now. Absent: by staticWeightList.',
        },
      },
    },
  },
};

export const placementSchema: JsonObject = {
  type: 'object',
  description: 'Where the objects go. Absent: to every cell that may have them, with all their replicas.',
  properties: {
    clusterAffinity: {
      ...clusterAffinitySchema,
      description: 'The cells that may be used; all its parts must hold. Absent: all cells.',
    },
    clusterAffinities: affinityGroupsSchema,
    clusterTolerations: tolerationsSchema,
    spreadConstraints: spreadConstraintsSchema,
    replicaScheduling: replicaSchedulingSchema,
    near: {
      ...locationSchema,
      description:
        'What the score Distance of a SchedulingProfile counts from, in degrees. Has no effect here: without spreadConstraints.',
    },
    data: {
      type: 'array',
      maxItems: 100,
      items: { type: 'string', minLength: 1, maxLength: 63 },
      description:
        'Data sets: the score DataLocality prefers cells with the labels data.cellplane.io/<name>. Has no effect here: without spreadConstraints.',
    },
    activeHours: {
      ...timeWindowsSchema,
      description:
        'Outside of these a cell gets nothing new, and what it has leaves for cells within theirs, when all of it has a place there. Absent: cells are used at any time.',
    },
    workloadAffinity: {
      type: 'object',
      description: 'Groups of objects that go together or apart. What is placed stays. Absent: none.',
      properties: {
        affinity: {
          ...groupByLabelSchema,
          description:
            'Only to cells that have one of the group already; the first of it goes anywhere. Has no effect here: where antiAffinity has the same key.',
        },
        antiAffinity: { ...groupByLabelSchema, description: 'Only to cells that have none of the group.' },
      },
    },
  },
};
