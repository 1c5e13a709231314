import type { JsonObject } from '#apimachinery/json.ts';
import type { ApiGroupVersion } from '../discovery/api-groups.ts';
import { kubernetesVersion } from '../http/version-info.ts';
import { componentsOf } from './components.ts';
import { refTo } from './emit-schema.ts';
import { type ApiOperation, pathsOf } from './operations.ts';
import type { QueryParameter } from './parameters.ts';
import { type PathForm, pathItem } from './path-item.ts';

/** What one group version adds to the Swagger document. */
export interface FragmentV2 {
  readonly paths: ReadonlyMap<string, JsonObject>;
  readonly definitions: ReadonlyMap<string, JsonObject>;
}

export function fragmentV2(group: string, groupVersion: ApiGroupVersion): FragmentV2 {
  const definitions = new Map<string, JsonObject>();
  for (const [name, component] of componentsOf(groupVersion, group, 'v2'))
    definitions.set(name, component.json);
  const paths = new Map<string, JsonObject>();
  for (const path of pathsOf(group, groupVersion)) paths.set(path.path, pathItem(path, form));
  return { paths, definitions };
}

/** All that stands around paths and definitions. */
export const frameV2: JsonObject = {
  swagger: '2.0',
  info: { title: 'Kubernetes', version: `${kubernetesVersion.major}.${kubernetesVersion.minor}` },
  securityDefinitions: {
    BearerToken: {
      type: 'apiKey',
      description: 'Bearer Token authentication',
      name: 'authorization',
      in: 'header',
    },
  },
  security: [{ BearerToken: [] }],
};

const form: PathForm = { operation: operationV2, pathParameter, queryParameter };

function operationV2(operation: ApiOperation): JsonObject {
  const { body, kind } = operation;
  const parameters: JsonObject[] = operation.query.map(queryParameter);
  if (body !== undefined) {
    parameters.unshift({
      name: 'body',
      in: 'body',
      ...(body.required ? { required: true } : {}),
      schema: { $ref: refTo('v2', body.definition) },
    });
  }
  const responses: JsonObject = {};
  for (const code of operation.codes) {
    responses[code] = {
      description: codeTexts[code] ?? '',
      schema: { $ref: refTo('v2', operation.response) },
    };
  }
  responses['401'] = { description: 'Unauthorized' };
  return {
    description: operation.description,
    consumes: [...(body?.types ?? operation.consumes ?? ['*/*'])],
    produces: [...operation.produces],
    schemes: ['https'],
    tags: [operation.tag],
    operationId: operation.operationId,
    ...(parameters.length === 0 ? {} : { parameters }),
    responses,
    ...(operation.action === undefined ? {} : { 'x-kubernetes-action': operation.action }),
    ...(kind === undefined
      ? {}
      : {
          'x-kubernetes-group-version-kind': { group: kind.group, kind: kind.kind, version: kind.version },
        }),
  };
}

const codeTexts: { readonly [code: number]: string } = { 200: 'OK', 201: 'Created', 202: 'Accepted' };

function pathParameter(name: string, description: string): JsonObject {
  return { uniqueItems: true, type: 'string', description, name, in: 'path', required: true };
}

function queryParameter({ name, type, description }: QueryParameter): JsonObject {
  return { uniqueItems: true, type, description, name, in: 'query' };
}
