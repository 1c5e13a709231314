import { type FieldError, forbiddenField, invalid } from '#apimachinery/field-error.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Condition } from '../conditions.ts';
import { ageColumn, defineResource } from '../define.ts';
import { kcpConditionsSchema, kindSchema, stringListSchema, stringSchema } from '../fragments.ts';

export const coreKcpGroup = 'core.kcp.io';
export const logicalClustersGvr = {
  group: coreKcpGroup,
  version: 'v1alpha1',
  resource: 'logicalclusters',
} as const;

/** The singleton's name. */
export const logicalClusterName = 'cluster';

export const pathAnnotation = 'kcp.io/path';
export const clusterAnnotation = 'kcp.io/cluster';
/** `root:universal`: the WorkspaceType by its path and name. */
export const typeAnnotation = 'internal.tenancy.kcp.io/type';
export const inactiveAnnotation = 'core.kcp.io/inactive';
/** How the workspace is served: one of the built-in kinds, settled at creation, whatever its type extends. */
export const kindAnnotation = 'core.cellplane.io/kind';
/** The workspace's name at its first binding: the readable part of its copies' names, recorded and never recomputed. */
export const mappingNameAnnotation = 'federation.cellplane.io/mapping-name';

export type LogicalClusterPhase =
  | 'Scheduling'
  | 'Initializing'
  | 'Ready'
  | 'Unavailable'
  | 'Inactive'
  | 'Terminating'
  | 'Deleting';

/** core.kcp.io/v1alpha1 LogicalCluster, always named `cluster`. */
export interface LogicalClusterObject extends KubeObject {
  spec?: {
    directlyDeletable?: boolean;
    owner?: {
      apiVersion: string;
      resource: string;
      name: string;
      namespace?: string;
      cluster: string;
      uid: string;
    };
    createdBy?: JsonObject;
    initializers?: string[];
    terminators?: string[];
  };
  status?: {
    URL?: string;
    phase?: LogicalClusterPhase;
    conditions?: Condition[];
    initializers?: string[];
    terminators?: string[];
  };
}

export const logicalClusterDefinition = defineResource({
  group: coreKcpGroup,
  kind: 'LogicalCluster',
  plural: 'logicalclusters',
  categories: ['kcp'],
  namespaced: false,
  versions: [
    {
      name: 'v1alpha1',
      subresources: { status: true },
      columns: [
        { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
        { name: 'URL', type: 'string', jsonPath: '.status.URL' },
        ageColumn,
      ],
      schema: kindSchema('The workspace as it knows itself; always named `cluster`.', {
        spec: {
          type: 'object',
          default: {},
          properties: {
            directlyDeletable: { type: 'boolean', default: false },
            owner: {
              type: 'object',
              required: ['apiVersion', 'resource', 'name', 'cluster', 'uid'],
              properties: {
                apiVersion: { type: 'string', pattern: '^([^/]+/)?[^/]+$' },
                resource: { type: 'string', minLength: 1 },
                name: { type: 'string', minLength: 1 },
                namespace: stringSchema,
                cluster: { type: 'string', minLength: 1 },
                uid: stringSchema,
              },
            },
            createdBy: {
              type: 'object',
              properties: {
                username: stringSchema,
                uid: stringSchema,
                groups: stringListSchema,
                extra: { type: 'object', additionalProperties: stringListSchema },
              },
            },
            initializers: stringListSchema,
            terminators: stringListSchema,
          },
        },
        status: {
          type: 'object',
          default: {},
          properties: {
            URL: stringSchema,
            phase: {
              type: 'string',
              default: 'Scheduling',
              enum: [
                'Scheduling',
                'Initializing',
                'Ready',
                'Unavailable',
                'Inactive',
                'Terminating',
                'Deleting',
              ],
            },
            conditions: kcpConditionsSchema,
            initializers: stringListSchema,
            terminators: stringListSchema,
          },
        },
      }),
    },
  ],
  strategy: {
    validateName: (name) =>
      name === logicalClusterName ? [] : [`must be ${JSON.stringify(logicalClusterName)}`],
    validateUpdate: (object, old) =>
      validateUpdate(object as LogicalClusterObject, old as LogicalClusterObject),
  },
});

/**
 * Ownership and the workspace's place in the tree are settled at creation; initializers and terminators may be dropped,
 * never added, and nothing but their absence makes a cluster Ready (GHSA-q6hv-wcjr-wp8h: initializers skipped by patch).
 */
function validateUpdate(object: LogicalClusterObject, old: LogicalClusterObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['owner', 'createdBy', 'initializers', 'terminators'] as const) {
    const value = object.spec?.[field];
    if (!equalJson(value, old.spec?.[field])) {
      errors.push(invalid(`spec.${field}`, value, 'field is immutable'));
    }
  }
  for (const key of [pathAnnotation, typeAnnotation, kindAnnotation]) {
    const value = object.metadata.annotations?.[key];
    if (value !== old.metadata.annotations?.[key]) {
      errors.push(forbiddenField(`metadata.annotations[${key}]`, 'it is set by the system and immutable'));
    }
  }
  for (const field of ['initializers', 'terminators'] as const) {
    const before = new Set(old.status?.[field] ?? []);
    for (const one of object.status?.[field] ?? []) {
      if (!before.has(one)) errors.push(forbiddenField(`status.${field}`, `${one} must not be added`));
    }
  }
  if (object.status?.phase === 'Ready' && (object.status.initializers?.length ?? 0) > 0) {
    errors.push(forbiddenField('status.phase', 'there are initializers left'));
  }
  return errors;
}
