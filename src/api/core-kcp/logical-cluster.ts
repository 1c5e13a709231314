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

const ownerSchema: JsonObject = {
  type: 'object',
  description: 'The Workspace that this belongs to; root and root:cells tell none. Immutable.',
  required: ['apiVersion', 'resource', 'name', 'cluster', 'uid'],
  properties: {
    apiVersion: {
      type: 'string',
      pattern: '^([^/]+/)?[^/]+$',
      description: 'API group and version of the owner.',
    },
    resource: { type: 'string', minLength: 1, description: 'Its plural name: workspaces.' },
    name: { type: 'string', minLength: 1, description: 'Its name.' },
    namespace: { ...stringSchema, description: 'Its namespace. Absent: it has none, as Workspaces have.' },
    cluster: {
      type: 'string',
      minLength: 1,
      description: 'The logical cluster that it lies in: the parent.',
    },
    uid: { ...stringSchema, description: 'Its uid.' },
  },
};

const creatorSchema: JsonObject = {
  type: 'object',
  description: 'Who made the workspace. Immutable.',
  properties: {
    username: { ...stringSchema, description: 'Name of the user.' },
    uid: { ...stringSchema, description: 'uid of the user. Absent: it was not known.' },
    groups: { ...stringListSchema, description: 'Groups that the user was in.' },
    extra: {
      type: 'object',
      additionalProperties: stringListSchema,
      description: 'What else was known of the user, by key.',
    },
  },
};

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
          description: 'What was settled when the workspace was made.',
          properties: {
            directlyDeletable: {
              type: 'boolean',
              default: false,
              description: 'false: it goes with its Workspace alone. Set by the system.',
            },
            owner: ownerSchema,
            createdBy: creatorSchema,
            initializers: {
              ...stringListSchema,
              description:
                'What its type asked for at its creation: `<path>:<name>` of WorkspaceTypes. Immutable.',
            },
            terminators: {
              ...stringListSchema,
              description:
                'What its type asked for, for its end: `<path>:<name>` of WorkspaceTypes. Immutable.',
            },
          },
        },
        status: {
          type: 'object',
          default: {},
          description: 'How far the workspace is.',
          properties: {
            URL: { ...stringSchema, description: 'The address of the workspace.' },
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
              description:
                'Initializing: initializers are waited for. Ready: in use. Unavailable: requests are answered with 503. Deleting: its content goes. Set by the system.',
            },
            conditions: {
              ...kcpConditionsSchema,
              description:
                'WorkspaceInitialized; while it is deleted, WorkspaceContentDeleted says what remains.',
            },
            initializers: {
              ...stringListSchema,
              description:
                'What is still waited for before it is Ready. Who has done its part takes its entry off; none can be added.',
            },
            terminators: {
              ...stringListSchema,
              description:
                'What is still waited for before the content goes. Who has done its part takes its entry off; none can be added.',
            },
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
