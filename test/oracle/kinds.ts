import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { namespace, type Pair } from './pair.ts';

/** A kind as the oracle serves it. */
export interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly resource: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly subresources: readonly string[];
  /** The name of its schema in `schemas`. */
  readonly schema: string;
}

/** A schema of OpenAPI, `$ref` replaced by the name of what it refers to. */
export type Schema = JsonObject;

export interface Kinds {
  /** By `apiVersion kind`. */
  readonly kinds: ReadonlyMap<string, Kind>;
  readonly schemas: ReadonlyMap<string, Schema>;
}

interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

export function collectionOf({ apiVersion, namespaced, resource }: Kind, within = namespace): string {
  const base = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  return `${base}${namespaced ? `/namespaces/${within}` : ''}/${resource}`;
}

/** All that the oracle serves, from its discovery and its OpenAPI documents. */
export async function kindsOf(pair: Pair): Promise<Kinds> {
  const read = async (path: string) => {
    const { status, json, text } = await pair.askOracle({ path });
    if (status !== 200 || json === undefined) throw new Error(`${path}: ${status} ${text}`);
    return json as JsonObject;
  };
  const kinds = new Map<string, Kind>();
  const schemas = new Map<string, Schema>();
  const { groups } = (await read('/apis')) as unknown as {
    groups: { versions: { groupVersion: string }[] }[];
  };
  const versions = ['v1', ...groups.flatMap((group) => group.versions.map((one) => one.groupVersion))];
  for (const apiVersion of versions) {
    const path = apiVersion === 'v1' ? 'api/v1' : `apis/${apiVersion}`;
    const { resources } = (await read(`/${path}`)) as unknown as { resources: Resource[] };
    const { components } = (await read(`/openapi/v3/${path}`)) as unknown as {
      components: { schemas: { [name: string]: Schema } };
    };
    const names = new Map<string, string>();
    for (const [name, schema] of Object.entries(components.schemas)) {
      schemas.set(name, schema);
      for (const { group, version, kind } of gvksOf(schema))
        names.set(`${group === '' ? version : `${group}/${version}`} ${kind}`, name);
    }
    for (const { name, kind, namespaced, verbs } of resources) {
      if (name.includes('/')) continue;
      const subresources = resources
        .filter((one) => one.name.startsWith(`${name}/`))
        .map((one) => one.name.slice(name.length + 1));
      const key = `${apiVersion} ${kind}`;
      kinds.set(key, {
        ...{ apiVersion, kind, resource: name, namespaced, verbs, subresources },
        schema: names.get(key) ?? '',
      });
    }
  }
  return { kinds, schemas };
}

function gvksOf(schema: Schema): { group: string; version: string; kind: string }[] {
  const gvks = schema['x-kubernetes-group-version-kind'];
  return Array.isArray(gvks) ? (gvks as { group: string; version: string; kind: string }[]) : [];
}

/** The schema that a property's or an item's schema stands for: its `$ref`, alone or in `allOf`. */
export function resolved(schemas: Kinds['schemas'], schema: JsonValue | undefined): Schema {
  if (!isJsonObject(schema)) return {};
  const all = schema['allOf'];
  const ref = schema['$ref'] ?? (Array.isArray(all) && isJsonObject(all[0]) ? all[0]['$ref'] : undefined);
  if (typeof ref !== 'string') return schema;
  const { default: own, ...target } = schemas.get(ref.slice(ref.lastIndexOf('/') + 1)) ?? {};
  void own;
  return target;
}
