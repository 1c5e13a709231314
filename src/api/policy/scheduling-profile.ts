import { duplicate, type FieldError, forbiddenField, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ageColumn, defineResource } from '../define.ts';
import { federationGroup, federationVersion } from '../federation/group.ts';
import { kindSchema } from '../fragments.ts';
import { type Reschedule, rescheduleSchema } from './reschedule.ts';

export const schedulingProfilesGvr = {
  group: federationGroup,
  version: federationVersion,
  resource: 'schedulingprofiles',
} as const;

/** How cells that pass all filters are ordered, and which filters there are; by name of the plugins. */
export const scoreNames = [
  'Stickiness',
  'SoftTaints',
  'Room',
  'Balance',
  'Cost',
  'Latency',
  'Distance',
  'DataLocality',
  'Named',
] as const;

/** Filters that say what is wise rather than what is allowed. */
export const optionalFilters = [
  'APIEnablement',
  'CellHealth',
  'TaintToleration',
  'WorkloadAffinity',
  'TimeWindow',
] as const;

export interface WeightedScore extends JsonObject {
  name: (typeof scoreNames)[number];
  /** Of a CellScore; for `Named`. */
  score?: string;
  weight: number;
}

/**
 * federation.cellplane.io/v1alpha1 SchedulingProfile: how the platform team has cells chosen. Cluster-scoped, in `root:cells`.
 * A policy's `schedulerName` names one, as a pod's does in Kubernetes; `default` is for all that name none.
 */
export interface SchedulingProfile extends KubeObject {
  spec?: {
    /** Absent: Stickiness and SoftTaints. */
    scores?: WeightedScore[];
    disabledFilters?: (typeof optionalFilters)[number][];
    /** For policies that do not say it themselves. */
    reschedule?: Reschedule;
  };
}

export const schedulingProfileDefinition = defineResource({
  group: federationGroup,
  kind: 'SchedulingProfile',
  plural: 'schedulingprofiles',
  categories: ['cellplane'],
  namespaced: false,
  versions: [
    {
      name: federationVersion,
      columns: [ageColumn],
      schema: kindSchema('How cells are chosen.', {
        spec: {
          type: 'object',
          description: 'What cells are compared by, and which filters do not count.',
          properties: {
            scores: {
              type: 'array',
              description:
                'Each compared among the cells that passed the filters: the best has 100 points, the worst 0, one that does not tell 50. They choose where a spread constraint lets only some cells in. Absent: Stickiness and SoftTaints.',
              maxItems: 50,
              'x-kubernetes-list-type': 'atomic',
              items: {
                type: 'object',
                required: ['name', 'weight'],
                properties: {
                  name: {
                    type: 'string',
                    enum: [...scoreNames],
                    description:
                      'Better is: the object is there (Stickiness); fewer untolerated PreferNoSchedule taints (SoftTaints); more replicas fit (Room); fewer other objects (Balance); less spec.cost of the Cell (Cost); less time of the last probe (Latency); less way from placement.near (Distance); more of placement.data (DataLocality); a greater value in CellScores (Named).',
                  },
                  score: {
                    type: 'string',
                    maxLength: 63,
                    description: 'Name of a score in CellScores. Required with Named, refused with others.',
                  },
                  weight: {
                    type: 'integer',
                    format: 'int32',
                    minimum: -10,
                    maximum: 10,
                    description: 'How much the score counts; 0: not at all, less than 0: the worst is best.',
                  },
                },
              },
            },
            disabledFilters: {
              type: 'array',
              description:
                'Filters that keep no cell out: that it serves the kind (APIEnablement), is well (CellHealth), is not tainted (TaintToleration), is with or without others (WorkloadAffinity), is within its hours (TimeWindow). Absent: none.',
              'x-kubernetes-list-type': 'set',
              items: { type: 'string', enum: [...optionalFilters] },
            },
            reschedule: { ...rescheduleSchema, description: 'For what policies do not say themselves.' },
          },
        },
      }),
    },
  ],
  strategy: {
    validate: (object) => validateProfile(object as SchedulingProfile),
    validateUpdate: (object) => validateProfile(object as SchedulingProfile),
  },
});

function validateProfile({ spec }: SchedulingProfile): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  spec?.scores?.forEach(({ name, score }, i) => {
    const at = `spec.scores[${i}].score`;
    const told = score ?? name;
    if (seen.has(`${name}/${told}`)) errors.push(duplicate(`spec.scores[${i}]`, told));
    seen.add(`${name}/${told}`);
    if (name === 'Named' && (score ?? '') === '') errors.push(required(at, 'names a score of CellScores'));
    if (name !== 'Named' && score !== undefined)
      errors.push(forbiddenField(at, 'may only be set where the name is Named'));
  });
  return errors;
}
