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
import { validateWorkspaceTypeName, workspaceTypeReferenceSchema } from './names.ts';
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
    none: booleanSchema,
    types: { type: 'array', minItems: 1, items: workspaceTypeReferenceSchema },
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
          properties: {
            initializer: booleanSchema,
            terminator: booleanSchema,
            extend: {
              type: 'object',
              properties: { with: { type: 'array', items: workspaceTypeReferenceSchema } },
            },
            additionalWorkspaceLabels: stringMapSchema,
            defaultChildWorkspaceType: workspaceTypeReferenceSchema,
            limitAllowedChildren: limitSchema,
            limitAllowedParents: limitSchema,
            defaultAPIBindings: {
              type: 'array',
              items: {
                type: 'object',
                required: ['export'],
                properties: { export: stringSchema, path: stringSchema },
              },
            },
          },
        },
        status: {
          type: 'object',
          properties: {
            conditions: kcpConditionsSchema,
            virtualWorkspaces: {
              type: 'array',
              items: {
                type: 'object',
                required: ['url'],
                properties: { url: { type: 'string', minLength: 1 }, type: stringSchema },
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
