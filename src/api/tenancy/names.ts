import type { JsonObject } from '#apimachinery/json.ts';
import { stringSchema } from '../fragments.ts';

/** One segment of a workspace path (KCP.md, Addressing). */
export const workspaceNamePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

const segment = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';

/** `root:acme:shop`. */
export const workspacePathSource = `^${segment}(:${segment})*$`;

/** Reference to a WorkspaceType: its name and the path of its workspace. */
export function typeReferenceSchema(withoutPath: string): JsonObject {
  return {
    type: 'object',
    required: ['name'],
    properties: {
      name: {
        type: 'string',
        pattern: '^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$',
        description: 'Name of the WorkspaceType.',
      },
      path: {
        ...stringSchema,
        pattern: workspacePathSource,
        description: `Path of the workspace that defines it. Absent: ${withoutPath}.`,
      },
    },
  };
}

/** Without a path, the nearest ancestor that has the type. */
export const workspaceTypeReferenceSchema: JsonObject = typeReferenceSchema(
  'the nearest on the way up to root that has such a type',
);

/** Names that would be read as something else in a path. */
const reservedWorkspaceNames: ReadonlySet<string> = new Set(['root', 'system']);

export function validateWorkspaceName(name: string): string[] {
  if (!workspaceNamePattern.test(name)) {
    return [
      "a workspace name must consist of at most 63 lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    ];
  }
  return reservedWorkspaceNames.has(name) ? [`the name ${JSON.stringify(name)} is reserved`] : [];
}

const reservedTypeNames: ReadonlySet<string> = new Set(['any', 'system']);

export function validateWorkspaceTypeName(name: string): string[] {
  if (!workspaceNamePattern.test(name)) return validateWorkspaceName(name);
  return reservedTypeNames.has(name) ? [`the name ${JSON.stringify(name)} is reserved`] : [];
}
