import type { JsonObject } from '#apimachinery/json.ts';
import type { ApiGroupVersion } from '../discovery/api-groups.ts';
import { kubernetesVersion } from '../http/version-info.ts';
import { componentsOf, isCustomGroup } from './components.ts';
import { refTo } from './emit-schema.ts';
import { type ApiOperation, pathsOf } from './operations.ts';
import type { QueryParameter } from './parameters.ts';
import { type PathForm, pathItem } from './path-item.ts';

const builtinInfo = { title: 'Kubernetes', version: `${kubernetesVersion.major}.${kubernetesVersion.minor}` };
/** As apiextensions-apiserver has it (controller/openapi/builder, getOpenAPIV3Config). */
const customInfo = { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' };
const securitySchemes: JsonObject = {
  BearerToken: {
    type: 'apiKey',
    description: 'Bearer Token authentication',
    name: 'authorization',
    in: 'header',
  },
};

/** The OpenAPI 3 document of one group version (KUBERNETES.md D5). */
export function documentV3(group: string, groupVersion: ApiGroupVersion): JsonObject {
  const components = componentsOf(groupVersion, group, 'v3');
  const schemas: JsonObject = {};
  for (const name of [...components.keys()].sort()) schemas[name] = components.get(name)?.json;
  const isCustom = isCustomGroup(groupVersion);
  const paths: JsonObject = {};
  for (const path of pathsOf(group, groupVersion)) paths[path.path] = pathItem(path, form);
  return {
    openapi: '3.0.0',
    info: isCustom ? customInfo : builtinInfo,
    paths,
    components: {
      schemas,
      ...(isCustom ? {} : { securitySchemes }),
    },
  };
}

const form: PathForm = { operation: operationV3, pathParameter, queryParameter };

function operationV3(operation: ApiOperation): JsonObject {
  const responses: JsonObject = {};
  for (const code of operation.codes) responses[code] = response(operation, code);
  responses['401'] = { description: 'Unauthorized' };
  const result: JsonObject = {
    tags: [operation.tag],
    description: operation.description,
    operationId: operation.operationId,
  };
  if (operation.query.length > 0) result['parameters'] = operation.query.map(queryParameter);
  if (operation.body !== undefined) {
    result['requestBody'] = {
      content: content(operation.body.types, operation.body.definition),
      ...(operation.body.required ? { required: true } : {}),
    };
  }
  result['responses'] = responses;
  if (operation.action !== undefined) result['x-kubernetes-action'] = operation.action;
  if (operation.kind !== undefined) {
    const { group, kind, version } = operation.kind;
    result['x-kubernetes-group-version-kind'] = { group, kind, version };
  }
  return result;
}

const codeTexts: { readonly [code: number]: string } = { 200: 'OK', 201: 'Created', 202: 'Accepted' };

function response(operation: ApiOperation, code: number): JsonObject {
  return { description: codeTexts[code] ?? '', content: content(operation.produces, operation.response) };
}

function content(types: readonly string[], definition: string): JsonObject {
  const schema = { $ref: refTo('v3', definition) };
  return Object.fromEntries(types.map((type) => [type, { schema }]));
}

function pathParameter(name: string, description: string): JsonObject {
  return { name, in: 'path', description, required: true, schema: { type: 'string', uniqueItems: true } };
}

function queryParameter({ name, type, description }: QueryParameter): JsonObject {
  return { name, in: 'query', description, schema: { type, uniqueItems: true } };
}
