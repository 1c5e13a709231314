import type { KubeObject } from '#apimachinery/object.ts';
import { ageColumn, defineResource } from '../define.ts';
import { kindSchema, timeSchema } from '../fragments.ts';
import { federationGroup, federationVersion } from './group.ts';

export const cellScoresGvr = {
  group: federationGroup,
  version: federationVersion,
  resource: 'cellscores',
} as const;

/**
 * federation.cellplane.io/v1alpha1 CellScore: what a controller outside says of one cell, to be weighed by a
 * SchedulingProfile. Cluster-scoped, in `root:cells`; any controller with RBAC for it writes its own (PLACEMENT.md 4, OCM).
 */
export interface CellScore extends KubeObject {
  spec: {
    /** Name of the Cell. */
    cell: string;
    scores: { name: string; value: number }[];
    /** RFC 3339; from then on nothing of it counts. Absent: for good. */
    validUntil?: string;
  };
}

export const cellScoreDefinition = defineResource({
  group: federationGroup,
  kind: 'CellScore',
  plural: 'cellscores',
  categories: ['cellplane'],
  namespaced: false,
  versions: [
    {
      name: federationVersion,
      selectableFields: ['.spec.cell'],
      columns: [
        { name: 'Cell', type: 'string', jsonPath: '.spec.cell' },
        { name: 'Valid-Until', type: 'date', jsonPath: '.spec.validUntil' },
        ageColumn,
      ],
      schema: kindSchema(
        'Scores that a controller outside gives a cell.',
        {
          spec: {
            type: 'object',
            description: 'Which cell, which scores, and for how long.',
            required: ['cell', 'scores'],
            properties: {
              cell: { type: 'string', minLength: 1, description: 'Name of the Cell.' },
              scores: {
                type: 'array',
                description: 'One value for each name. They count where a SchedulingProfile names them.',
                maxItems: 100,
                'x-kubernetes-list-type': 'map',
                'x-kubernetes-list-map-keys': ['name'],
                items: {
                  type: 'object',
                  required: ['name', 'value'],
                  properties: {
                    name: {
                      type: 'string',
                      minLength: 1,
                      maxLength: 63,
                      description: 'By which a SchedulingProfile names it (score Named, `score`).',
                    },
                    value: {
                      type: 'integer',
                      format: 'int32',
                      minimum: -100,
                      maximum: 100,
                      description:
                        'Higher is better. It is compared among the cells that may have the object.',
                    },
                  },
                },
              },
              validUntil: {
                ...timeSchema,
                description: 'From then on none of these scores counts. Absent: they count for good.',
              },
            },
          },
        },
        ['spec'],
      ),
    },
  ],
});
