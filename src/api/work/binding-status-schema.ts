import type { JsonObject } from '#apimachinery/json.ts';
import { conditionsSchema, stringListSchema, stringSchema, timeSchema } from '../fragments.ts';

const count: JsonObject = { type: 'integer', format: 'int32', minimum: 0 };

function timedCells(
  description: string,
  time: 'since' | 'until',
  timeDescription: string,
  more: JsonObject = {},
): JsonObject {
  return {
    type: 'array',
    description,
    items: {
      type: 'object',
      required: ['cluster', time],
      properties: {
        cluster: { ...stringSchema, description: 'Name of the cell.' },
        [time]: { ...timeSchema, description: timeDescription },
        ...more,
      },
    },
  };
}

const failover: JsonObject = {
  type: 'object',
  description:
    'Times that failover and rescheduling count, so that a restart forgets none. Absent: there is nothing to remember.',
  'x-kubernetes-map-type': 'atomic',
  properties: {
    unhealthySince: timedCells(
      'Cells where the object is unhealthy. Told where the policy has failover.application.',
      'since',
      'Since when it is.',
    ),
    avoid: timedCells(
      'Cells that the object left because it was unhealthy there, and does not come back to for now.',
      'until',
      'From when on it may come back: ten minutes after it left.',
    ),
    preferredSince: {
      ...timeSchema,
      description:
        'Since when an affinity group before the one in use could take the object; failback.afterSeconds count from then.',
    },
    missingSince: timedCells(
      'Cells where replicas do not run. Told where reschedule has `unschedulable`.',
      'since',
      'Since when some do not run, without a break.',
      { replicas: { ...count, description: 'How many do not.' } },
    ),
    limited: timedCells(
      'Cells that replicas were moved away from because they did not run there.',
      'until',
      'From when on the cell may be given more.',
      {
        replicas: { ...count, description: 'The most that it is given until then: as many as ran.' },
        times: {
          ...count,
          description: 'How often it happened. Each further time lasts twice as long, at most a day.',
        },
      },
    ),
  },
};

const rollout: JsonObject = {
  type: 'object',
  description: 'How far a change of the object has come. Absent: the policy has no rollout.',
  'x-kubernetes-map-type': 'atomic',
  properties: {
    phase: {
      ...stringSchema,
      description:
        'Progressing: the cells reached are to become healthy. Pausing: the pause after a wave. AwaitingApproval: somebody has to approve the next wave. Paused, RolledBack: cells were not healthy in time. Complete: all have it.',
    },
    stable: {
      ...stringSchema,
      description: 'Revision that cells have which are not reached yet, or all when rolled back.',
    },
    target: { ...stringSchema, description: 'Revision that is rolled out; an approval names it.' },
    wave: {
      type: 'integer',
      format: 'int32',
      description: 'Which wave was reached last, counted from 0; -1: none.',
    },
    waveName: { ...stringSchema, description: 'Its name; `rest`: cells that no wave names.' },
    waveCells: { ...count, description: 'The most cells that it had.' },
    waves: { ...count, description: 'How many waves there are, `rest` counted.' },
    updated: { ...count, description: 'How many cells have been reached.' },
    cells: { ...count, description: 'How many cells the object is in.' },
    since: { ...stringSchema, description: 'When the phase began; empty when complete.' },
    message: { ...stringSchema, description: 'What is waited for, or what went wrong.' },
  },
};

const refusals: JsonObject = {
  type: 'array',
  description:
    'Why cells were not chosen, counted; `cellplane explain` tells it of each cell. Empty: none was left out.',
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['code', 'count'],
    properties: {
      code: {
        ...stringSchema,
        description: 'The reason in one word: AffinityNotMatched, CellNotReady, NoCapacity and others.',
      },
      policy: {
        ...stringSchema,
        description:
          'With ForbiddenByPolicy, the policy above the project that forbids it: `<workspace>/<name>`.',
      },
      count: { ...count, description: 'How many cells it keeps out.' },
      examples: { ...stringListSchema, description: 'Names of three of them at most.' },
    },
  },
};

const decision: JsonObject = {
  type: 'object',
  description:
    'How the cells were found when it was decided: all of them up to 20; of more, those that were chosen, then the best of those that passed, then those that something other than the affinity kept out. Absent where no cell was looked for: while scheduling is suspended or a quota is exceeded, and of what only follows others.',
  'x-kubernetes-map-type': 'atomic',
  required: ['time', 'cells'],
  properties: {
    time: {
      ...timeSchema,
      description: 'When they were found so. What changed since without changing the decision is not told.',
    },
    cells: {
      type: 'array',
      description: 'A row for each, by name.',
      items: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { ...stringSchema, description: 'Name of the cell.' },
          refusal: { ...stringSchema, description: 'Why it was not chosen, in one word. Absent: it was.' },
          policy: {
            ...stringSchema,
            description:
              'With ForbiddenByPolicy, the policy above the project that forbids it: `<workspace>/<name>`.',
          },
          replicas: { ...count, description: 'Its share. Absent for kinds without replicas.' },
          room: {
            ...count,
            description: 'Further replicas that fitted. Absent where a filter kept the cell out.',
          },
          scores: {
            type: 'object',
            additionalProperties: { type: 'number' },
            description: 'Its points by score. Absent where a filter kept the cell out.',
          },
        },
      },
    },
    more: { ...count, description: 'Further cells, which only `refusals` counts. Absent: none.' },
  },
};

const summary: JsonObject = {
  type: 'object',
  description: 'What has become of the copies, counted. Absent: nothing was heard of them yet.',
  'x-kubernetes-map-type': 'atomic',
  properties: {
    cells: { ...count, description: 'Cells that are to have the object.' },
    applied: { ...count, description: 'Those whose edge has it as decided.' },
    healthy: { ...count, description: 'Those where it is healthy.' },
    unhealthy: { ...count, description: 'Those where it is not.' },
    unknown: { ...count, description: 'Those that have not told.' },
  },
};

const aggregatedStatus: JsonObject = {
  type: 'array',
  description:
    'What became of the copy in each cell: all cells up to 50; of more, only those that are not healthy, at most 50.',
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['clusterName'],
    properties: {
      clusterName: { ...stringSchema, description: 'Name of the cell.' },
      applied: { type: 'boolean', description: 'Whether the edge has what was decided.' },
      appliedMessage: {
        ...stringSchema,
        description: "What is wrong with it, in the syncer's or the edge's words. Absent: nothing.",
      },
      health: {
        type: 'string',
        enum: ['Healthy', 'Unhealthy', 'Unknown'],
        description: 'By the status of the copy, for its kind. Unknown: it cannot be told yet.',
      },
      status: {
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        description:
          'The status of the copy. Absent above 600 bytes, and where there are more than 50 cells.',
      },
    },
  },
};

export const bindingStatusSchema: JsonObject = {
  type: 'object',
  description: 'Why it was decided so, and what came of it.',
  properties: {
    schedulerObservedGeneration: {
      type: 'integer',
      format: 'int64',
      description: 'Not set here.',
    },
    schedulerObservingAffinityName: {
      ...stringSchema,
      description: 'The group of placement.clusterAffinities that is in use. Absent: the policy has none.',
    },
    lastScheduledTime: { ...timeSchema, description: 'When the spec changed last.' },
    failover,
    reschedule: {
      type: 'object',
      'x-kubernetes-map-type': 'atomic',
      additionalProperties: stringSchema,
      description:
        "By each of reschedule's triggers, a digest of what the last decision saw; another one triggers a fresh decision. Absent: nothing triggers.",
    },
    rollout,
    conditions: {
      ...conditionsSchema,
      description:
        'Scheduled: the object is placed. FullyApplied: every edge has it. Others say what is wrong while they are True: NameCollision, KindNotAllowed, APIConflict, OverrideFailed and so on.',
    },
    refusals,
    decision,
    summary,
    aggregatedStatus,
  },
};
