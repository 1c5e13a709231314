import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { RawAnswer, RawRequest } from '../harness/raw-http.ts';
import type { Pair } from './pair.ts';

/** What is compared by itself: an operation, a schema, a resource of discovery, or what stands around them. */
export interface Part {
  readonly name: string;
  readonly value: JsonValue;
}

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** Every document of discovery, of OpenAPI and about the server, of group versions that both serve. */
export async function documentsOf(pair: Pair): Promise<RawRequest[]> {
  const index = await pair.send({ path: '/openapi/v3' });
  const paths = (answer: RawAnswer) =>
    Object.keys((answer.json as { paths?: JsonObject } | undefined)?.paths ?? {}).filter((path) =>
      /^apis?\/.*v\d/.test(path),
    );
  const ours = new Set(paths(index.ours));
  const shared = paths(index.oracle).filter((path) => ours.has(path));
  const groups = new Set(shared.filter((path) => path.startsWith('apis/')).map((path) => path.split('/')[1]));
  return [
    ...['/version', '/api', '/apis', '/openapi/v3', '/openapi/v2'].map((path) => ({ path })),
    ...['/api', '/apis'].map((path) => ({ path, headers: { accept: aggregated } })),
    ...[...groups].map((group) => ({ path: `/apis/${group}` })),
    ...shared.flatMap((path) => [{ path: `/${path}` }, { path: `/openapi/v3/${path}` }]),
  ];
}

/** A document by its parts, in the order of the document, which is a part too where clients go by it. */
export function partsOf({ text, json }: RawAnswer): Part[] {
  if (json === undefined) return [{ name: 'text', value: text }];
  const body = json as JsonObject;
  if (body['openapi'] !== undefined || body['swagger'] !== undefined) return openApiParts(body);
  if (Array.isArray(body['resources'])) return listParts(body, 'resources', 'name');
  if (Array.isArray(body['groups'])) return listParts(body, 'groups', 'name');
  if (body['kind'] === 'APIGroupDiscoveryList') return aggregatedParts(body);
  return [{ name: 'document', value: body }];
}

function listParts(body: JsonObject, field: string, key: string): Part[] {
  const { [field]: list, ...around } = body;
  const items = list as readonly JsonObject[];
  const names = items.map((item) => String(item[key]));
  return [
    { name: 'document', value: { ...around, order: names } },
    ...items.map((item, at) => ({ name: `${field} ${names[at]}`, value: item })),
  ];
}

function aggregatedParts(body: JsonObject): Part[] {
  const { items, ...around } = body;
  const parts: Part[] = [];
  const groups: string[] = [];
  for (const { metadata, versions, ...group } of items as readonly JsonObject[]) {
    const name = isJsonObject(metadata) ? String(metadata['name'] ?? '') : '';
    const served: string[] = [];
    for (const { resources, ...version } of versions as readonly JsonObject[]) {
      const list = (resources ?? []) as readonly JsonObject[];
      const order = list.map(({ resource }) => String(resource));
      served.push(String(version['version']));
      parts.push({ name: `version ${name}/${String(version['version'])}`, value: { ...version, order } });
      for (const [at, { subresources, ...resource }] of list.entries()) {
        const named = Object.fromEntries(
          ((subresources ?? []) as JsonObject[]).map((one) => [String(one['subresource']), one]),
        );
        parts.push({
          name: `resource ${name}/${String(version['version'])} ${order[at]}`,
          value: { ...resource, subresources: named },
        });
      }
    }
    groups.push(name);
    parts.push({ name: `group ${name}`, value: { ...group, metadata: metadata ?? null, order: served } });
  }
  return [{ name: 'document', value: { ...around, order: groups } }, ...parts];
}

function openApiParts(document: JsonObject): Part[] {
  const { paths, components, definitions, parameters, ...around } = document;
  const { schemas, ...others } = (components ?? { schemas: definitions ?? {} }) as JsonObject;
  const parts: Part[] = [{ name: 'document', value: { ...around, ...others } }];
  for (const [path, item] of Object.entries((paths ?? {}) as { [path: string]: JsonObject })) {
    const { parameters: ofPath, ...operations } = item;
    for (const [method, operation] of Object.entries(operations))
      parts.push({
        name: `${method} ${path}`,
        value: operationOf(
          operation as JsonObject,
          (ofPath ?? []) as JsonObject[],
          (parameters ?? {}) as JsonObject,
        ),
      });
  }
  for (const [name, schema] of Object.entries((schemas ?? {}) as JsonObject))
    parts.push({ name: `schema ${name}`, value: schemaOf(schema as JsonValue) });
  return parts;
}

/** Parameters by what they are, wherever they are written down; types that are accepted in any order. */
function operationOf(operation: JsonObject, ofPath: readonly JsonObject[], shared: JsonObject): JsonObject {
  const byName: JsonObject = {};
  for (const one of [...ofPath, ...((operation['parameters'] ?? []) as JsonObject[])]) {
    const ref = one['$ref'];
    const parameter =
      typeof ref === 'string' ? (shared[ref.slice(ref.lastIndexOf('/') + 1)] as JsonObject) : one;
    byName[`${String(parameter['in'])} ${String(parameter['name'])}`] = parameter;
  }
  const result: JsonObject = { ...operation, parameters: byName };
  for (const name of ['consumes', 'produces'])
    if (Array.isArray(result[name])) result[name] = [...(result[name] as string[])].sort();
  return result;
}

/** What lies in a schema by name or place. */
const namedSchemas = new Set(['properties', 'definitions', 'patternProperties']);

/**
 * A schema with its lists that have no order sorted, and with one form for a reference: what stands beside a `$ref` is ignored in
 * OpenAPI 3, for which one with a description or a default of nothing is wrapped in `allOf`.
 */
function schemaOf(schema: JsonValue): JsonValue {
  if (Array.isArray(schema)) return schema.map(schemaOf);
  if (!isJsonObject(schema)) return schema;
  const result: JsonObject = {};
  for (const [name, value] of Object.entries(schema)) {
    if (name === 'required' || name === 'x-kubernetes-group-version-kind') result[name] = setOf(value);
    else if (namedSchemas.has(name) && isJsonObject(value))
      result[name] = Object.fromEntries(
        Object.entries(value).map(([field, one]) => [field, schemaOf(one as JsonValue)]),
      );
    else if (['default', 'enum', 'example'].includes(name)) result[name] = value;
    else result[name] = schemaOf(value as JsonValue);
  }
  const { allOf, ...around } = result;
  const [only] = Array.isArray(allOf) && allOf.length === 1 ? allOf : [];
  const isWrapped = Object.keys(around).every((name) => name === 'description' || name === 'default');
  return isJsonObject(only) && isWrapped ? { ...around, ...only } : result;
}

/** By member, so that one more or less does not make all others differ. */
function setOf(value: JsonValue | undefined): JsonValue {
  const members = Array.isArray(value) ? value : [];
  return Object.fromEntries(members.map((one) => [isJsonObject(one) ? kindText(one) : String(one), true]));
}

function kindText({ group, version, kind }: JsonObject): string {
  return `${String(group)}/${String(version)} ${String(kind)}`;
}
