import type { JsonObject } from '#apimachinery/json.ts';
import { compileJsonPath } from '#apimachinery/jsonpath.ts';
import type {
  Column,
  ResourceDefinition,
  ResourceVersion,
  Strategy,
  Subresource,
  Verb,
} from '#apimachinery/resource-definition.ts';
import { schemaFromJsonSchemaProps } from '#apimachinery/schema-from-openapi.ts';

/** A printer column as a CRD writes it. `.metadata.creationTimestamp` with type date prints an age. */
export interface DefinedColumn {
  readonly name: string;
  readonly type: Column['type'];
  readonly format?: string | undefined;
  readonly description?: string | undefined;
  /** Default 0: always shown; 1 = only with `-o wide`. */
  readonly priority?: number | undefined;
  /** `.spec.type.name`, `.status.conditions[?(@.type=="Ready")].status`. */
  readonly jsonPath?: string | undefined;
  /** Instead of a path, where a path cannot tell it. */
  readonly value?: Column['value'] | undefined;
}

export interface DefinedVersion {
  readonly name: string;
  /** Default true. */
  readonly served?: boolean | undefined;
  /** In the form of a CRD's `openAPIV3Schema`. */
  readonly schema: JsonObject;
  /** After the name, which always comes first. Default: Age alone, as for a CRD without columns. */
  readonly columns?: readonly DefinedColumn[] | undefined;
  /** Default: the eight of a stored resource. */
  readonly verbs?: readonly Verb[] | undefined;
  readonly subresources?:
    | {
        readonly status?: boolean | undefined;
        readonly scale?: Subresource['scale'];
        /** Others, that a handler or the strategy knows by name. */
        readonly other?: readonly { readonly name: string; readonly verbs: readonly Verb[] }[] | undefined;
      }
    | undefined;
  /** Paths such as `.spec.pop`; each is its own field selector `spec.pop` (KUBERNETES.md L5). */
  readonly selectableFields?: readonly string[] | undefined;
  readonly deprecationWarning?: string | undefined;
}

export interface DefineResourceOptions {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  /** Default: the kind in lower case. */
  readonly singular?: string | undefined;
  readonly listKind?: string | undefined;
  readonly shortNames?: readonly string[] | undefined;
  readonly categories?: readonly string[] | undefined;
  readonly namespaced: boolean;
  /** In order of preference. */
  readonly versions: readonly DefinedVersion[];
  /** Default: the first version. */
  readonly storageVersion?: string | undefined;
  readonly strategy?: Strategy | undefined;
  /** Served by a handler of its own (`VirtualCollection`), never stored. */
  readonly virtual?: boolean | undefined;
}

const allVerbs: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];
const subresourceVerbs: readonly Verb[] = ['get', 'patch', 'update'];

/** The Age column as every CRD without columns of its own has it. */
export const ageColumn: DefinedColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
};

const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  priority: 0,
  value: (object) => object.metadata.name ?? '',
};

/**
 * Makes the definition of a kind that is the system's own. Throws when the schema or a path is malformed: that is a
 * mistake in this program, found when its module is loaded.
 */
export function defineResource(options: DefineResourceOptions): ResourceDefinition {
  const { group, kind, plural, versions } = options;
  const [preferred] = versions;
  if (preferred === undefined) throw new RangeError(`${plural}.${group} has no versions`);
  return {
    group,
    resource: plural,
    kind,
    listKind: options.listKind ?? `${kind}List`,
    singular: options.singular ?? kind.toLowerCase(),
    shortNames: options.shortNames ?? [],
    categories: options.categories ?? [],
    namespaced: options.namespaced,
    storedAs: { group, resource: plural },
    storageVersion: options.storageVersion ?? preferred.name,
    versions: versions.map((version) => resourceVersion(options, version)),
    strategy: options.strategy ?? {},
    origin: 'system',
    ...(options.virtual === true ? { virtual: true } : {}),
  };
}

function resourceVersion(options: DefineResourceOptions, version: DefinedVersion): ResourceVersion {
  return {
    version: version.name,
    served: version.served ?? true,
    schema: schemaFromJsonSchemaProps(version.schema),
    verbs: version.verbs ?? allVerbs,
    subresources: subresourcesOf(options, version),
    columns: [nameColumn, ...(version.columns ?? [ageColumn]).map(columnOf)],
    selectableFields: new Map(
      (version.selectableFields ?? []).map((path) => {
        const field = path.replace(/^\./, '');
        return [field, field];
      }),
    ),
    deprecationWarning: version.deprecationWarning,
  };
}

function subresourcesOf({ group, kind }: DefineResourceOptions, version: DefinedVersion): Subresource[] {
  const { status = false, scale, other = [] } = version.subresources ?? {};
  const own = { kind, group, version: version.name };
  const subresources: Subresource[] = [];
  if (status) subresources.push({ name: 'status', ...own, verbs: subresourceVerbs });
  if (scale !== undefined) {
    const served = { kind: 'Scale', group: 'autoscaling', version: 'v1' };
    subresources.push({ name: 'scale', ...served, verbs: subresourceVerbs, scale });
  }
  for (const { name, verbs } of other) subresources.push({ name, ...own, verbs });
  return subresources;
}

function columnOf(column: DefinedColumn): Column {
  const { name, type, format, description, priority = 0 } = column;
  const value = column.value ?? valueAtPath(column);
  return { name, type, format, description, priority, value };
}

function valueAtPath({ name, jsonPath }: DefinedColumn): Column['value'] {
  if (jsonPath === undefined) throw new RangeError(`column ${name} has neither a path nor a value`);
  const path = compileJsonPath(jsonPath);
  return (object) => path.first(object) ?? null;
}
