import type {
  Column,
  ResourceDefinition,
  ResourceVersion,
  Subresource,
  Verb,
} from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { builtinSchema } from './builtin-schema.ts';
import { resourceGroups } from './catalogue/resources.ts';
import { columnsOf } from './columns/columns.ts';
import { conversionOf } from './conversion/conversion.ts';
import { deprecationWarningOf } from './deprecations.ts';
import { resourceNames } from './resource-names.ts';
import { selectableFieldsOf } from './selectable-fields.ts';
import { strategyOf } from './strategies/strategies.ts';

/** One row of the catalogue's resources: a resource at a version. */
interface ResourceRow {
  readonly v: string;
  readonly r: string;
  readonly k: string;
  /** Definition of its type, without `io.k8s.`. */
  readonly d: string;
  readonly n?: 1;
  readonly verbs: readonly Verb[];
  /** Subresource → [group/version/kind, verbs]. */
  readonly s?: { readonly [name: string]: readonly [string, readonly (Verb | 'connect')[]] };
}

let definitions: readonly ResourceDefinition[] | undefined;

/**
 * Every resource that Kubernetes 1.36 serves out of the box, ordered by group then resource, in all its versions. Made
 * once; schemas are built when first read.
 */
export function builtinDefinitions(): readonly ResourceDefinition[] {
  definitions ??= Object.keys(resourceGroups)
    .sort()
    .flatMap((group) => groupDefinitions(group, JSON.parse(resourceGroups[group]!) as ResourceRow[]));
  return definitions;
}

function groupDefinitions(group: string, rows: readonly ResourceRow[]): ResourceDefinition[] {
  const byResource = new Map<string, ResourceRow[]>();
  for (const row of rows) {
    const versions = byResource.get(row.r);
    if (versions === undefined) byResource.set(row.r, [row]);
    else versions.push(row);
  }
  return [...byResource.keys()].sort().map((resource) => definitionOf(group, byResource.get(resource)!));
}

function definitionOf(group: string, rows: ResourceRow[]): ResourceDefinition {
  const versions = [...rows].sort((a, b) => compareVersions(a.v, b.v));
  const first = versions[0]!;
  const names = resourceNames(group, first.r, first.k);
  const virtual = first.verbs.every((verb) => verb === 'create');
  return {
    group,
    resource: first.r,
    kind: first.k,
    listKind: `${first.k}List`,
    singular: names.singular,
    shortNames: names.shortNames,
    categories: names.categories,
    namespaced: first.n === 1,
    // Both event groups show one store (KUBERNETES.md O5).
    storedAs: { group: group === 'events.k8s.io' ? '' : group, resource: first.r },
    storageVersion: first.v,
    versions: versions.map((row) => versionOf(group, row)),
    strategy: strategyOf(group, first.r, new Map(rows.map((row) => [row.v, `io.k8s.${row.d}`]))),
    origin: 'builtin',
    ...(virtual ? { virtual: true } : {}),
  };
}

/** Columns and schemas are made when first read: a server's start needs neither. */
function versionOf(group: string, row: ResourceRow): ResourceVersion {
  let columns: readonly Column[] | undefined;
  let schema: Schema | undefined;
  const definition = `io.k8s.${row.d}`;
  const conversion = conversionOf(group, row.v, row.r);
  const warning = deprecationWarningOf(group, row.v, row.k);
  return {
    version: row.v,
    served: true,
    get schema(): Schema {
      schema ??= builtinSchema(definition);
      if (schema === undefined) throw new Error(`catalogue lacks ${definition}`);
      return schema;
    },
    verbs: row.verbs,
    subresources: subresourcesOf(row),
    get columns(): readonly Column[] {
      columns ??= columnsOf(group, row.v, row.r);
      return columns;
    },
    selectableFields: selectableFieldsOf(group, row.r),
    ...(warning === undefined ? {} : { deprecationWarning: warning }),
    ...conversion,
  };
}

/** All but those that need a kubelet or a proxied connection (KUBERNETES.md C10). */
function subresourcesOf(row: ResourceRow): Subresource[] {
  const subresources: Subresource[] = [];
  for (const [name, [kind, verbs]] of Object.entries(row.s ?? {})) {
    if (verbs.includes('connect') || name === 'log') continue;
    const parts = kind.split('/');
    subresources.push({
      name,
      kind: parts.at(-1)!,
      version: parts.at(-2)!,
      group: parts.length === 3 ? parts[0]! : '',
      verbs: verbs as readonly Verb[],
      ...(name === 'scale' ? { scale: scalePaths } : {}),
    });
  }
  return subresources;
}

/**
 * Where Scale finds its three values, alike for every built-in kind. A ReplicationController's selector is a plain map,
 * the others' a LabelSelector: whoever serves Scale renders either as text.
 */
const scalePaths: NonNullable<Subresource['scale']> = {
  specReplicasPath: 'spec.replicas',
  statusReplicasPath: 'status.replicas',
  labelSelectorPath: 'spec.selector',
};

/** Kubernetes' order: GA before beta before alpha, higher numbers first (apimachinery version.CompareKubeAwareVersionStrings). */
export function compareVersions(a: string, b: string): number {
  const [majorA, stageA, minorA] = versionParts(a);
  const [majorB, stageB, minorB] = versionParts(b);
  return stageB - stageA || majorB - majorA || minorB - minorA;
}

function versionParts(version: string): [number, number, number] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (match === null) throw new Error(`not a Kubernetes version: ${version}`);
  const stage = match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0;
  return [Number(match[1]), stage, Number(match[3] ?? 0)];
}
