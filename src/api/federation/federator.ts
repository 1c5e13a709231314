import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Condition } from '../conditions.ts';
import { ageColumn, defineResource } from '../define.ts';
import { conditionsSchema, kindSchema, stringSchema, stringSetSchema, timeSchema } from '../fragments.ts';
import { federationGroup, federationVersion } from './group.ts';

export const federatorsGvr = {
  group: federationGroup,
  version: federationVersion,
  resource: 'federators',
} as const;

/**
 * federation.cellplane.io/v1alpha1 Federator: a process that syncs the cells assigned to it. Cluster-scoped, in
 * `root:cells`. It lives while its Lease of the same name in namespace `cellplane-federators` is renewed.
 */
export interface Federator extends KubeObject {
  spec?: {
    /** How many cells it can hold; absent = any number. */
    capacity?: { cells?: number };
    /** True: it keeps none and gets none (drain before an upgrade). */
    unschedulable?: boolean;
  };
  status?: {
    conditions?: Condition[];
    lastHeartbeatTime?: string;
    version?: string;
    /** Names of the cells that it holds, by its own account. */
    cells?: string[];
    held?: number;
  };
}

const count: JsonObject = { type: 'integer', format: 'int32', minimum: 0 };

export const federatorDefinition = defineResource({
  group: federationGroup,
  kind: 'Federator',
  plural: 'federators',
  categories: ['cellplane'],
  namespaced: false,
  versions: [
    {
      name: federationVersion,
      subresources: { status: true },
      columns: [
        { name: 'Cells', type: 'integer', jsonPath: '.status.held' },
        { name: 'Capacity', type: 'integer', jsonPath: '.spec.capacity.cells' },
        { name: 'Unschedulable', type: 'boolean', jsonPath: '.spec.unschedulable' },
        { name: 'Heartbeat', type: 'date', jsonPath: '.status.lastHeartbeatTime' },
        { name: 'Version', type: 'string', priority: 1, jsonPath: '.status.version' },
        ageColumn,
      ],
      schema: kindSchema('A process that syncs the cells assigned to it.', {
        spec: {
          type: 'object',
          description: 'What it may be given; written by who runs it.',
          properties: {
            capacity: {
              type: 'object',
              description: 'How much it can hold. Absent: any number of cells.',
              properties: {
                cells: { ...count, description: 'The most cells that it is given. Absent: any number.' },
              },
            },
            unschedulable: {
              type: 'boolean',
              description:
                'While true it gets no cells and its own move to others, but for those that are pinned to it by name.',
            },
          },
        },
        status: {
          type: 'object',
          description: 'What it says of itself.',
          properties: {
            conditions: {
              ...conditionsSchema,
              description: 'Not set here, and nothing goes by them.',
            },
            lastHeartbeatTime: {
              ...timeSchema,
              description: 'When it told this last. Whether it is alive is what its Lease says.',
            },
            version: { ...stringSchema, description: 'Version of its program.' },
            cells: { ...stringSetSchema, description: 'Names of the Cells that it syncs.' },
            held: { ...count, description: 'How many these are.' },
          },
        },
      }),
    },
  ],
});
