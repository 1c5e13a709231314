import { builtinSchema } from '#api/builtin/builtin-schema.ts';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import type { GroupVersionKind } from '#apimachinery/gvk.ts';

interface KindNames {
  /** `apps/v1/Deployment` → its definition. */
  readonly byKind: ReadonlyMap<string, string>;
  readonly kindOf: ReadonlyMap<string, GroupVersionKind>;
}

let names: KindNames | undefined;

/** The catalogue's names, made once: each group version keeps all its kinds in one package. */
function kindNames(): KindNames {
  if (names !== undefined) return names;
  const packages = new Map<string, string>();
  const byKind = new Map<string, string>();
  const kindOf = new Map<string, GroupVersionKind>();
  const add = (kind: GroupVersionKind) => {
    const prefix = packages.get(`${kind.group}/${kind.version}`);
    const name = prefix === undefined ? undefined : `${prefix}.${kind.kind}`;
    if (name === undefined || builtinSchema(name) === undefined) return;
    byKind.set(keyOf(kind), name);
    kindOf.set(name, kind);
  };
  const versions = builtinDefinitions().flatMap((definition) =>
    definition.versions.map((version) => ({ definition, version })),
  );
  for (const { definition, version } of versions) {
    const name = version.schema.definition;
    if (name === undefined) continue;
    packages.set(`${definition.group}/${version.version}`, name.slice(0, name.lastIndexOf('.')));
  }
  for (const { definition, version } of versions) {
    const kind = { group: definition.group, version: version.version, kind: definition.kind };
    add(kind);
    add({ ...kind, kind: definition.listKind });
    for (const subresource of version.subresources) add(subresource);
  }
  names = { byKind, kindOf };
  return names;
}

function keyOf({ group, version, kind }: GroupVersionKind): string {
  return `${group}/${version}/${kind}`;
}

/** The kind that a built-in definition is the type of; undefined for parts of kinds. */
export function kindOfDefinition(name: string): GroupVersionKind | undefined {
  return kindNames().kindOf.get(name);
}

/**
 * The definition's name of a kind: the catalogue's, or, as for custom resources, the group backwards:
 * `stable.example.com/v1 CronTab` → `com.example.stable.v1.CronTab`.
 */
export function definitionName(kind: GroupVersionKind): string {
  const known = kindNames().byKind.get(keyOf(kind));
  return known ?? [...kind.group.split('.').reverse(), kind.version, kind.kind].join('.');
}
