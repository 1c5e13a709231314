import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ageColumn, defineResource } from '../define.ts';
import { kindSchema, stringSchema } from '../fragments.ts';
import { federationGroup, federationVersion } from './group.ts';

export const copiesGvr = { group: federationGroup, version: federationVersion, resource: 'copies' } as const;

/**
 * federation.cellplane.io/v1alpha1 Copy: the metadata of one copy, whatever its kind. Served in cell workspaces, list
 * and watch only; never stored. Its metadata is the copy's own but for the name, which says the resource too
 * (`deployments.apps:web`, `services:web`), so that a store keyed by namespace and name holds all kinds.
 */
export interface Copy extends KubeObject {
  target: CopyTarget;
  /** The copy's annotation `content-hash`, empty when it has none. */
  contentHash: string;
  /**
   * In watch events of a copy that no syncer has noted as synced in its present content: the copy itself, without
   * managedFields, so that it need not be read. Absent in lists, of Secrets, of large objects, and when in sync.
   */
  object?: KubeObject;
}

export interface CopyTarget extends JsonObject {
  group: string;
  /** The version that the copy is stored in. */
  version: string;
  resource: string;
  kind: string;
  namespace?: string;
  name: string;
}

export function copyName(
  target: { readonly group: string; readonly resource: string },
  name: string,
): string {
  return target.group === '' ? `${target.resource}:${name}` : `${target.resource}.${target.group}:${name}`;
}

export const copyDefinition = defineResource({
  group: federationGroup,
  kind: 'Copy',
  plural: 'copies',
  listKind: 'CopyList',
  namespaced: true,
  virtual: true,
  versions: [
    {
      name: federationVersion,
      verbs: ['list', 'watch'],
      columns: [
        { name: 'Resource', type: 'string', jsonPath: '.target.resource' },
        { name: 'Group', type: 'string', jsonPath: '.target.group' },
        { name: 'Hash', type: 'string', priority: 1, jsonPath: '.contentHash' },
        ageColumn,
      ],
      schema: {
        ...kindSchema('The metadata of one copy in a cell workspace, whatever its kind.', {}),
        properties: {
          apiVersion: stringSchema,
          kind: stringSchema,
          metadata: { type: 'object' },
          target: {
            type: 'object',
            required: ['group', 'version', 'resource', 'kind', 'name'],
            properties: {
              group: stringSchema,
              version: stringSchema,
              resource: stringSchema,
              kind: stringSchema,
              namespace: stringSchema,
              name: stringSchema,
            },
          },
          contentHash: stringSchema,
          object: { type: 'object', preserveUnknownFields: true },
        },
      },
    },
  ],
});
