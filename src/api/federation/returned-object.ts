import { sha256Base32 } from '#apimachinery/hash.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ageColumn, defineResource } from '../define.ts';
import { integerSchema, kindSchema, stringSchema } from '../fragments.ts';
import { federationGroup, federationVersion } from './group.ts';
import { isCustomGroup, type ReturnKind, type ReturnSelector } from './return-contract.ts';
import { returnEventsDefault, returnObjectsSchema, returnResourcesSchema } from './return-policy.ts';

export const returnRequestsGvr = {
  group: federationGroup,
  version: federationVersion,
  resource: 'returnrequests',
} as const;
export const returnedObjectsGvr = {
  group: federationGroup,
  version: federationVersion,
  resource: 'returnedobjects',
} as const;

/**
 * federation.cellplane.io/v1alpha1 ReturnRequest: a project's ReturnPolicy as its cell's syncer sees it, in the mapped
 * namespace of the cell's workspace. The scheduler writes it; the syncer its status.
 */
export interface ReturnRequest extends KubeObject {
  spec: { resources: ReturnSelector[]; maxObjects: number; maxEvents?: number } & JsonObject;
  /** `reason` and `message`: what of it the edge does not serve, or does not let be read. */
  status?: { returned?: number; refused?: number; reason?: string; message?: string } & JsonObject;
}

/** federation.cellplane.io/v1alpha1 ReturnedObject: an object born at the edge, in the mapped namespace. The syncer writes it. */
export interface ReturnedObject extends KubeObject {
  spec: { apiVersion?: string; kind: string; name: string; object: JsonObject } & JsonObject;
}

/** Name of the ReturnedObject for an object of the edge: kinds share a namespace, and names may be long. */
export function returnedObjectName({ group, version, kind }: ReturnKind, name: string): string {
  const hashed = isCustomGroup(group) ? `${group}/${version}/${name}` : name;
  return `${kind.toLowerCase()}-${sha256Base32(hashed, 16)}`;
}

/** What is decided by alone, with those of its annotations that are named; the object itself is read when its turn comes. */
export function slimReturned(
  { apiVersion, kind, metadata, spec }: ReturnedObject,
  keptAnnotations: readonly string[],
): ReturnedObject {
  const { name, namespace, uid, resourceVersion } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      annotations: annotationsOf(metadata, keptAnnotations),
    },
    spec: {
      ...(spec.apiVersion === undefined ? {} : { apiVersion: spec.apiVersion }),
      kind: spec.kind,
      name: spec.name,
      object: {},
    },
  } as ReturnedObject;
}

/** Those of an object's annotations that are named, as far as it has them. */
export function annotationsOf(
  { annotations = {} }: ReturnedObject['metadata'],
  keys: readonly string[],
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const key of keys) if (annotations[key] !== undefined) kept[key] = annotations[key];
  return kept;
}

export const returnRequestDefinition = defineResource({
  group: federationGroup,
  kind: 'ReturnRequest',
  plural: 'returnrequests',
  categories: ['cellplane'],
  namespaced: true,
  versions: [
    {
      name: federationVersion,
      subresources: { status: true },
      columns: [{ name: 'Returned', type: 'integer', jsonPath: '.status.returned' }, ageColumn],
      schema: kindSchema(
        'Which objects of the edge are asked for by a project.',
        {
          spec: {
            type: 'object',
            description: "What a project's ReturnPolicy asks of this cell. Written by the scheduler.",
            required: ['resources', 'maxObjects'],
            properties: {
              resources: returnResourcesSchema,
              maxObjects: {
                ...returnObjectsSchema,
                description: 'The most objects that may come, Events not counted.',
              },
              maxEvents: {
                ...returnObjectsSchema,
                description: `The most Events that may come; of more, the newest. Absent: ${returnEventsDefault}.`,
              },
            },
          },
          status: {
            type: 'object',
            description: "What the cell's syncer says of it.",
            properties: {
              returned: {
                ...integerSchema,
                description: "How many objects came, where the syncer tells; Cellplane's federators do not.",
              },
              refused: {
                ...integerSchema,
                description:
                  "How many stay at the edge, where the syncer tells; Cellplane's federators do not.",
              },
              reason: {
                ...stringSchema,
                description:
                  'APINotServed: the edge has no such kind. EdgeForbids: the credentials may not read it. Absent: nothing is wrong.',
              },
              message: {
                ...stringSchema,
                description: 'The same for people, with the kinds. Absent: nothing is wrong.',
              },
            },
          },
        },
        ['spec'],
      ),
    },
  ],
});

export const returnedObjectDefinition = defineResource({
  group: federationGroup,
  kind: 'ReturnedObject',
  plural: 'returnedobjects',
  categories: ['cellplane'],
  namespaced: true,
  versions: [
    {
      name: federationVersion,
      columns: [
        { name: 'Kind', type: 'string', jsonPath: '.spec.kind' },
        { name: 'Object', type: 'string', jsonPath: '.spec.name' },
        ageColumn,
      ],
      schema: kindSchema(
        'An object that was born at the edge.',
        {
          spec: {
            type: 'object',
            description: "What lies at the edge. Written by the cell's syncer.",
            required: ['kind', 'name', 'object'],
            properties: {
              apiVersion: {
                ...stringSchema,
                description: 'Group and version of a custom kind. Absent: of the built-in kind of that name.',
              },
              kind: { ...stringSchema, description: "The object's kind." },
              name: { ...stringSchema, description: "The object's name at the edge." },
              object: {
                type: 'object',
                'x-kubernetes-preserve-unknown-fields': true,
                description:
                  'The object itself, without what belongs to the edge alone (owners, finalizers, allocated addresses). At most 256 KiB.',
              },
            },
          },
        },
        ['spec'],
      ),
    },
  ],
});
