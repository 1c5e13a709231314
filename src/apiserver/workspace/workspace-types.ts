import type { WorkspaceTypeReference } from '#api/tenancy/workspace.ts';
import type { WorkspaceTypeObject } from '#api/tenancy/workspace-type.ts';
import { workspaceTypeDefinition } from '#api/tenancy/workspace-type.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { objectKey } from '#storage/keys.ts';
import type { Revision, StorageKey } from '#storage/storage.ts';
import { objectOf } from '../registry/stored-object.ts';
import { parentPathOf } from './cluster-ref.ts';
import type { WorkspaceKind } from './workspace.ts';
import type { WorkspaceIndex } from './workspace-index.ts';

type TypeSpec = NonNullable<WorkspaceTypeObject['spec']>;

/** A WorkspaceType with the place that it lies in. */
export interface PlacedType {
  /** Path of the workspace that defines it. */
  readonly path: string;
  readonly name: string;
  readonly clusterId: string;
  readonly spec: TypeSpec;
}

/** A type together with all that it extends, itself first. */
export interface ResolvedType extends PlacedType {
  readonly aliases: readonly PlacedType[];
  readonly kind: WorkspaceKind;
}

/** Why a type cannot be used; the caller turns it into a 403. */
export class WorkspaceTypeError extends Error {
  override readonly name = 'WorkspaceTypeError';
}

/** `root:universal`: how a type is named in annotations and as an initializer. */
export function qualifiedTypeName({ path, name }: { readonly path: string; readonly name: string }): string {
  return `${path}:${name}`;
}

const servedKinds: { readonly [type: string]: WorkspaceKind } = {
  'root:root': 'root',
  'root:organization': 'organization',
  'root:universal': 'universal',
  'root:project': 'project',
  'root:cells': 'cells',
  'root:cell': 'cell',
};

const parsedTypesMax = 1_000;
/** Types that one type may extend, itself counted. */
const aliasesMax = 64;

/** Reads WorkspaceTypes; parsed ones are kept by revision. */
export class WorkspaceTypes {
  readonly #storage: CachedStorage;
  readonly #index: WorkspaceIndex;
  readonly #parsed = new Map<StorageKey, { readonly revision: Revision; readonly spec: TypeSpec }>();

  constructor(storage: CachedStorage, index: WorkspaceIndex) {
    this.#storage = storage;
    this.#index = index;
  }

  /**
   * The type that a reference in the workspace at `fromPath` means: without a path the nearest one from there up to
   * root. Throws WorkspaceTypeError when it, or one that it extends, is absent, or when it extends itself.
   */
  resolve(reference: WorkspaceTypeReference, fromPath: string): ResolvedType {
    const type = this.#find(reference, fromPath);
    if (type === undefined) {
      const name =
        reference.path === undefined
          ? reference.name
          : qualifiedTypeName({ ...reference, path: reference.path });
      throw new WorkspaceTypeError(`workspace type ${JSON.stringify(name)} does not exist`);
    }
    const aliases: PlacedType[] = [];
    this.#collect(type, aliases, []);
    return { ...type, aliases, kind: kindOf(aliases) };
  }

  /** The type named `root:universal`. */
  byQualifiedName(qualified: string): ResolvedType {
    const path = parentPathOf(qualified) ?? '';
    return this.resolve({ path, name: qualified.slice(path.length + 1) }, path);
  }

  #find({ name, path }: WorkspaceTypeReference, fromPath: string): PlacedType | undefined {
    if (path !== undefined) return this.#at(path, name);
    for (let at: string | undefined = fromPath; at !== undefined; at = parentPathOf(at)) {
      const type = this.#at(at, name);
      if (type !== undefined) return type;
    }
    return undefined;
  }

  #at(path: string, name: string): PlacedType | undefined {
    const record = this.#index.find(path);
    if (record === undefined) return undefined;
    const { group, resource } = workspaceTypeDefinition.storedAs;
    const key = objectKey({ group, resource, clusterId: record.id, namespace: '', name });
    const entry = this.#storage.peek(key);
    if (entry === undefined) return undefined;
    let parsed = this.#parsed.get(key);
    if (parsed === undefined || parsed.revision !== entry.revision) {
      parsed = { revision: entry.revision, spec: (objectOf(entry) as WorkspaceTypeObject).spec ?? {} };
      if (this.#parsed.size >= parsedTypesMax) this.#parsed.clear();
      this.#parsed.set(key, parsed);
    }
    return { path: record.path, name, clusterId: record.id, spec: parsed.spec };
  }

  #collect(type: PlacedType, found: PlacedType[], way: readonly string[]): void {
    const name = qualifiedTypeName(type);
    if (way.includes(name)) {
      throw new WorkspaceTypeError(
        `workspace type ${JSON.stringify(name)} extends itself: ${[...way, name].join(' → ')}`,
      );
    }
    if (found.some((one) => qualifiedTypeName(one) === name)) return;
    if (found.length >= aliasesMax) {
      throw new WorkspaceTypeError(
        `workspace type ${JSON.stringify(way[0])} extends more than ${aliasesMax} types`,
      );
    }
    found.push(type);
    for (const reference of type.spec.extend?.with ?? []) {
      const extended = this.#find(reference, type.path);
      if (extended === undefined) {
        throw new WorkspaceTypeError(
          `workspace type ${JSON.stringify(name)} extends ${JSON.stringify(reference.name)}, which does not exist`,
        );
      }
      this.#collect(extended, found, [...way, name]);
    }
  }
}

function kindOf(aliases: readonly PlacedType[]): WorkspaceKind {
  for (const alias of aliases) {
    const kind = servedKinds[qualifiedTypeName(alias)];
    if (kind !== undefined) return kind;
  }
  return 'universal';
}

/**
 * What forbids a workspace of type `child` in one of type `parent`, undefined when nothing does. The limits of every
 * type that either extends count, and an extending type counts as each that it extends.
 */
export function refusalOf(child: ResolvedType, parent: ResolvedType): string | undefined {
  for (const alias of parent.aliases) {
    if (!admits(alias.spec.limitAllowedChildren, alias.path, child)) {
      return `workspace type ${qualifiedTypeName(alias)} allows no children of type ${qualifiedTypeName(child)}`;
    }
  }
  for (const alias of child.aliases) {
    if (!admits(alias.spec.limitAllowedParents, alias.path, parent)) {
      return `workspace type ${qualifiedTypeName(alias)} allows no parents of type ${qualifiedTypeName(parent)}`;
    }
  }
  return undefined;
}

function admits(limit: TypeSpec['limitAllowedChildren'], ownPath: string, type: ResolvedType): boolean {
  if (limit === undefined) return true;
  if (limit.none === true) return false;
  if (limit.types === undefined || limit.types.length === 0) return true;
  return limit.types.some(({ name, path = ownPath }) =>
    type.aliases.some((alias) => alias.name === name && alias.path === path),
  );
}
