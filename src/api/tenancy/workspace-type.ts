import { type FieldError, forbiddenField } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Condition } from '../conditions.ts';
import { ageColumn, defineResource } from '../define.ts';
import {
  booleanSchema,
  kcpConditionsSchema,
  kindSchema,
  stringMapSchema,
  stringSchema,
} from '../fragments.ts';
import { typeReferenceSchema, validateWorkspaceTypeName, workspaceTypeReferenceSchema } from './names.ts';
import { tenancyGroup, type WorkspaceTypeReference } from './workspace.ts';

export const workspaceTypesGvr = {
  group: tenancyGroup,
  version: 'v1alpha1',
  resource: 'workspacetypes',
} as const;

/** Which types may stand above or below: exactly one of the two members. */
export interface WorkspaceTypeLimit extends JsonObject {
  none?: boolean;
  types?: WorkspaceTypeReference[];
}

/** tenancy.kcp.io/v1alpha1 WorkspaceType. */
export interface WorkspaceTypeObject extends KubeObject {
  spec?: {
    /** A controller must drop `<path>:<name>` from the logical cluster's status before it becomes Ready. */
    initializer?: boolean;
    /** Likewise before a logical cluster's content is removed. */
    terminator?: boolean;
    extend?: { with?: WorkspaceTypeReference[] };
    additionalWorkspaceLabels?: { [key: string]: string };
    defaultChildWorkspaceType?: WorkspaceTypeReference;
    limitAllowedChildren?: WorkspaceTypeLimit;
    limitAllowedParents?: WorkspaceTypeLimit;
    defaultAPIBindings?: JsonObject[];
  };
  status?: { conditions?: Condition[]; virtualWorkspaces?: { url: string; type?: string }[] };
}

const limitSchema: JsonObject = {
  type: 'object',
  oneOf: [{ required: ['none'] }, { required: ['types'] }],
  properties: {
    none: { ...booleanSchema, description: 'true: no type may. Not beside `types`.' },
    types: {
      type: 'array',
      minItems: 1,
      items: typeReferenceSchema('that of this WorkspaceType'),
      description: 'Only these types may, and those that extend one of them. Not beside `none`.',
    },
  },
};

export const workspaceTypeDefinition = defineResource({
  group: tenancyGroup,
  kind: 'WorkspaceType',
  plural: 'workspacetypes',
  categories: ['kcp'],
  namespaced: false,
  versions: [
    {
      name: 'v1alpha1',
      subresources: { status: true },
      columns: [ageColumn],
      schema: kindSchema('What workspaces of a type have and may contain.', {
        spec: {
          type: 'object',
          description: 'Looked at when a workspace is made: of this type, or in one of it.',
          properties: {
            initializer: {
              ...booleanSchema,
              description:
                'true: a workspace is Ready only when a controller with the verb initialize on this type has taken `<path>:<name>` off its initializers.',
            },
            terminator: {
              ...booleanSchema,
              description:
                "true: a workspace's content is deleted only when a controller with the verb terminate on this type has taken `<path>:<name>` off its terminators.",
            },
            extend: {
              type: 'object',
              description:
                'Types that this one counts as: in limits, labels, initializers, terminators, and in which kinds its workspaces serve. Absent: they serve what universal ones do.',
              properties: {
                with: {
                  type: 'array',
                  items: workspaceTypeReferenceSchema,
                  description: 'Those types, and what they extend; 64 in all at most, this one counted.',
                },
              },
            },
            additionalWorkspaceLabels: {
              ...stringMapSchema,
              description:
                'Labels that a Workspace gets at its creation, where it does not have them itself.',
            },
            defaultChildWorkspaceType: {
              ...workspaceTypeReferenceSchema,
              description:
                'Type of a workspace that is made in one of this type without saying its own. Absent: it has to say it.',
            },
            limitAllowedChildren: {
              ...limitSchema,
              description: 'Which types workspaces in one of this type may have. Absent: any.',
            },
            limitAllowedParents: {
              ...limitSchema,
              description:
                'Which type the workspace has to be of that one of this type is made in. Absent: any.',
            },
            defaultAPIBindings: {
              type: 'array',
              description: 'Refused: API bindings are not served.',
              items: {
                type: 'object',
                required: ['export'],
                properties: {
                  export: { ...stringSchema, description: 'Refused, as all of defaultAPIBindings.' },
                  path: { ...stringSchema, description: 'Refused, as all of defaultAPIBindings.' },
                },
              },
            },
          },
        },
        status: {
          type: 'object',
          description: 'Nothing here writes it: a type holds as soon as it is there.',
          properties: {
            conditions: { ...kcpConditionsSchema, description: 'Not set here.' },
            virtualWorkspaces: {
              type: 'array',
              description: 'Not set here.',
              items: {
                type: 'object',
                required: ['url'],
                properties: {
                  url: { type: 'string', minLength: 1, description: 'Not set here.' },
                  type: { ...stringSchema, description: 'Not set here.' },
                },
              },
            },
          },
        },
      }),
    },
  ],
  strategy: {
    validateName: validateWorkspaceTypeName,
    validate: (object) => notServed(object as WorkspaceTypeObject),
    validateUpdate: (object) => notServed(object as WorkspaceTypeObject),
  },
});

/** A field that would be ignored is refused: a workspace must not come up without the APIs that its type promises. */
function notServed({ spec }: WorkspaceTypeObject): FieldError[] {
  if ((spec?.defaultAPIBindings?.length ?? 0) === 0) return [];
  return [forbiddenField('spec.defaultAPIBindings', 'API bindings are not served here')];
}
