import { type FieldError, forbiddenField, invalid } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { equalJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Condition } from '../conditions.ts';
import { ageColumn, defineResource } from '../define.ts';
import {
  kcpConditionsSchema,
  kindSchema,
  labelSelectorSchema,
  stringListSchema,
  stringSchema,
} from '../fragments.ts';
import { validateWorkspaceName, workspaceTypeReferenceSchema } from './names.ts';

export const tenancyGroup = 'tenancy.kcp.io';
export const workspacesGvr = { group: tenancyGroup, version: 'v1alpha1', resource: 'workspaces' } as const;

/** Stands on a Workspace until its logical cluster is gone. */
export const logicalClusterFinalizer = 'core.kcp.io/logicalcluster';
export const phaseLabel = 'tenancy.kcp.io/phase';
export const shardAnnotation = 'core.kcp.io/shard';
/** JSON of the creator's user info, by which initializers and the audit know whose the workspace is. */
export const ownerAnnotation = 'experimental.tenancy.kcp.io/owner';

export interface WorkspaceTypeReference extends JsonObject {
  name: string;
  path?: string;
}

export type WorkspacePhase =
  | 'Scheduling'
  | 'Initializing'
  | 'Ready'
  | 'Unavailable'
  | 'Terminating'
  | 'Deleting';

/** tenancy.kcp.io/v1alpha1 Workspace (KCP.md, Visible behaviour). */
export interface WorkspaceObject extends KubeObject {
  spec?: {
    type?: WorkspaceTypeReference;
    location?: JsonObject;
    /** Set by the system. */
    cluster?: string;
    /** Set by the system. */
    URL?: string;
  };
  status?: {
    phase?: WorkspacePhase;
    conditions?: Condition[];
    initializers?: string[];
    terminators?: string[];
  };
}

export const workspaceDefinition = defineResource({
  group: tenancyGroup,
  kind: 'Workspace',
  plural: 'workspaces',
  shortNames: ['ws'],
  categories: ['kcp'],
  namespaced: false,
  versions: [
    {
      name: 'v1alpha1',
      subresources: { status: true },
      columns: [
        { name: 'Type', type: 'string', jsonPath: '.spec.type.name', description: 'Type of the workspace' },
        { name: 'Region', type: 'string', jsonPath: ".metadata.labels['region']" },
        {
          name: 'Phase',
          type: 'string',
          value: (object) => object.metadata.labels?.[phaseLabel] ?? null,
          description: 'The current phase (Scheduling, Initializing, Ready, Deleting, …)',
        },
        { name: 'URL', type: 'string', jsonPath: '.spec.URL', description: 'Where the workspace is reached' },
        ageColumn,
      ],
      schema: kindSchema('A Kubernetes endpoint of its own below this workspace.', {
        spec: {
          type: 'object',
          default: {},
          description: 'What the workspace is, and where it is found.',
          properties: {
            type: {
              ...workspaceTypeReferenceSchema,
              description: 'The WorkspaceType; immutable. Default: that of the parent for its children.',
            },
            location: {
              type: 'object',
              description: 'Which shards may hold the workspace. Has no effect here: there is one, `root`.',
              properties: {
                selector: { ...labelSelectorSchema, description: 'Labels of Shards. Has no effect here.' },
              },
            },
            cluster: { ...stringSchema, description: 'The logical cluster; set by the system.' },
            URL: { ...stringSchema, description: 'The address of the workspace; set by the system.' },
          },
        },
        status: {
          type: 'object',
          default: {},
          description: 'How far the workspace is. Set by the system.',
          properties: {
            phase: {
              type: 'string',
              default: 'Scheduling',
              enum: ['Scheduling', 'Initializing', 'Ready', 'Unavailable', 'Terminating', 'Deleting'],
              description:
                'Initializing: initializers are waited for. Ready: in use. Deleting: nothing new is accepted inside, and its content goes. The others are not set here.',
            },
            conditions: {
              ...kcpConditionsSchema,
              description:
                'WorkspaceScheduled, WorkspaceInitialized; while it is deleted, WorkspaceContentDeleted says what remains.',
            },
            initializers: {
              ...stringListSchema,
              description: 'What is still waited for before it is Ready: `<path>:<name>` of WorkspaceTypes.',
            },
            terminators: {
              ...stringListSchema,
              description:
                "Not set here: the LogicalCluster's status tells what is waited for before the content goes.",
            },
          },
        },
      }),
    },
  ],
  strategy: {
    validateName: validateWorkspaceName,
    validateUpdate: (object, old) => immutableFields(object as WorkspaceObject, old as WorkspaceObject),
  },
});

function immutableFields({ spec = {} }: WorkspaceObject, { spec: old = {} }: WorkspaceObject): FieldError[] {
  const errors: FieldError[] = [];
  if (old.type !== undefined && !equalJson(spec.type, old.type)) {
    errors.push(invalid('spec.type', spec.type, 'field is immutable'));
  }
  for (const field of ['cluster', 'URL'] as const) {
    if (old[field] === undefined || old[field] === spec[field]) continue;
    errors.push(
      spec[field] === undefined
        ? forbiddenField(`spec.${field}`, `${field} cannot be unset`)
        : invalid(`spec.${field}`, spec[field], 'field is immutable'),
    );
  }
  return errors;
}
