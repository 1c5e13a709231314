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
            description: "Which object of the cell's workspace this is.",
            required: ['group', 'version', 'resource', 'kind', 'name'],
            properties: {
              group: { ...stringSchema, description: 'API group; empty for the core group.' },
              version: { ...stringSchema, description: 'The version that it is stored in.' },
              resource: { ...stringSchema, description: 'Plural name, as in URLs.' },
              kind: { ...stringSchema, description: 'Its kind.' },
              namespace: {
                ...stringSchema,
                description: 'Its namespace, named as at the edge. Absent: it has none.',
              },
              name: { ...stringSchema, description: 'Its own name.' },
            },
          },
          contentHash: {
            ...stringSchema,
            description:
              'Changes when, and only when, the edge must change; in sync where the annotation synced-hash is the same. Empty: it has none.',
          },
          object: {
            type: 'object',
            'x-kubernetes-preserve-unknown-fields': true,
            description:
              'In events of what is not in sync, the copy itself without managedFields. Absent in lists, of Secrets, above 64 KiB, and once in sync.',
          },
        },
      },
    },
  ],
});
