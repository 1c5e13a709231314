import assert from 'node:assert/strict';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { createScheme, extendScheme } from '#apimachinery/scheme-build.ts';
import { openApiResponse } from '../openapi-response.ts';

export const schema: Schema = {
  type: 'object',
  properties: new Map<string, Schema>([
    [
      'spec',
      {
        type: 'object',
        required: ['size'],
        properties: new Map<string, Schema>([
          ['size', { type: 'integer', description: 'how big', validation: { minimum: 1, maximum: 10 } }],
          ['port', { intOrString: true }],
          ['tags', { type: 'array', items: { type: 'string' }, listType: 'set' }],
          ['choice', { type: 'string', nullable: true, default: 'x', validation: { enum: ['x', 'y'] } }],
          ['free', { type: 'object', preserveUnknownFields: true }],
          ['constructor', { type: 'string' }],
        ]),
      },
    ],
  ]),
};

export function custom(kind: string, kindSchema: Schema): ResourceDefinition {
  const resource = `${kind.toLowerCase()}s`;
  const group = 'stable.example.com';
  const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const;
  return {
    group,
    resource,
    kind,
    listKind: `${kind}List`,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    storedAs: { group, resource },
    storageVersion: 'v1',
    strategy: {},
    origin: 'custom',
    versions: [
      {
        version: 'v1',
        served: true,
        schema: kindSchema,
        verbs,
        subresources: [
          { name: 'status', kind, group, version: 'v1', verbs: ['get', 'patch', 'update'] },
          {
            name: 'scale',
            kind: 'Scale',
            group: 'autoscaling',
            version: 'v1',
            verbs: ['get', 'patch', 'update'],
          },
        ],
        columns: [],
        selectableFields: new Map(),
      },
    ],
  };
}

export const builtin = createScheme(builtinDefinitions());
/** The built-in kinds and CronTabs. */
export const scheme = extendScheme(builtin, [custom('CronTab', schema)]);

/** The answer for `scheme`. */
export function served(
  path: string,
  accept?: string,
  hash?: string,
  ifNoneMatch?: string,
  basePath?: string,
) {
  const query = new URLSearchParams(hash === undefined ? '' : { hash });
  const response = openApiResponse(scheme, path, query, { accept, ifNoneMatch, basePath });
  assert.ok(response !== undefined, path);
  return response;
}

// biome-ignore lint/suspicious/noExplicitAny: documents are walked freely
export type Document = any;

export function document(path: string): Document {
  return JSON.parse(served(path).body.toString());
}
