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
          properties: {
            capacity: { type: 'object', properties: { cells: count } },
            unschedulable: { type: 'boolean' },
          },
        },
        status: {
          type: 'object',
          properties: {
            conditions: conditionsSchema,
            lastHeartbeatTime: timeSchema,
            version: stringSchema,
            cells: stringSetSchema,
            held: count,
          },
        },
      }),
    },
  ],
});
