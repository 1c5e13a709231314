import type { JsonObject } from '#apimachinery/json.ts';

/** What may make an object be decided afresh, as if nothing were placed, of policies that ask for it. */
export const rescheduleTriggers = [
  /** The placement of the policy changed. */
  'PolicyChanged',
  /** A cell that the placement may use joined, or went; so it is with the two below. */
  'CellJoined',
  /** Labels that the placement looks at changed on a cell that it may use. */
  'CellLabelsChanged',
  /** A cell that the placement may use began or ceased to serve the kind. */
  'CellAPIsChanged',
] as const;

export type RescheduleTrigger = (typeof rescheduleTriggers)[number];

/**
 * Ours: when placed work moves though no rule asks for it; of a policy, or of a SchedulingProfile for policies that do not
 * say it. Nothing does where neither says so.
 */
export interface Reschedule extends JsonObject {
  /** Absent: nothing triggers. */
  triggers?: RescheduleTrigger[];
  /** The same, by its former name: kubectl's YAML (1.1) takes a bare `on` for `true`. */
  on?: RescheduleTrigger[];
  /** Absent: replicas that do not run stay where they are. For replicas that are divided by room. */
  unschedulable?: DeschedulingSpec;
}

export interface DeschedulingSpec extends JsonObject {
  /** How long replicas may be missing in a cell; default 300. */
  afterSeconds?: number;
  /** How long the cell is not given more of the object's replicas than ran there, the first time; default 600. */
  avoidSeconds?: number;
}

const seconds: JsonObject = { type: 'integer', format: 'int32', minimum: 1, maximum: 86_400 };

const triggers: JsonObject = {
  type: 'array',
  'x-kubernetes-list-type': 'set',
  items: { type: 'string', enum: [...rescheduleTriggers] },
};

export const rescheduleSchema: JsonObject = {
  type: 'object',
  properties: {
    triggers: {
      ...triggers,
      description:
        'What makes an object be decided afresh, as if it were nowhere: its policy has another placement; a cell that this may use joined; labels that it looks at changed on one; one serves the kind now, or no more. Absent: nothing.',
    },
    on: {
      ...triggers,
      description: 'The same as triggers, by a former name; where both are there, both count.',
    },
    unschedulable: {
      type: 'object',
      description:
        'Replicas that do not run move to other cells. Absent: they stay. In a policy refused where replicas are not divided by room.',
      properties: {
        afterSeconds: {
          ...seconds,
          description: 'Seconds for which replicas must not have run in a cell. Default 300.',
        },
        avoidSeconds: {
          ...seconds,
          description:
            'Seconds for which the cell gets no more than ran there; twice as long each further time, at most a day. Default 600.',
        },
      },
    },
  },
};
