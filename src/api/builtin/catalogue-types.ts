import { typePackages } from './catalogue/types.ts';

/**
 * A field's type in the catalogue: `string`, `bytes` (base64), `int32`, `int64`, `double`, `bool`, `object` (any map),
 * `[]X` (list of X), `{}X` (map to X), `#api.core.v1.PodSpec` (named type, without the leading `io.k8s.`).
 */
export type TypeExpression = string;

/** What stands beside a field's type: list type and keys, map type, patch strategy and merge key (KUBERNETES.md P2, P6). */
export interface FieldExtras {
  readonly lt?: 'atomic' | 'set' | 'map';
  readonly lk?: readonly string[];
  readonly mt?: 'atomic' | 'granular';
  readonly ps?: string;
  readonly pk?: string;
}

export interface CatalogueType {
  /** Properties; absent for scalar-like types (Time, Quantity, …) and for the empty object. */
  readonly p?: { readonly [field: string]: TypeExpression | readonly [TypeExpression, FieldExtras] };
  /** Required. */
  readonly r?: readonly string[];
  /** Of those, the ones that are pointers in Go: only these a Kubernetes server can find missing. */
  readonly rp?: readonly string[];
  /** Optional fields that Go leaves out of JSON when they are zero or empty. */
  readonly z?: readonly string[];
  /** Optional fields that Go prints even then. */
  readonly a?: readonly string[];
  readonly mt?: 'atomic' | 'granular';
}

type CataloguePackage = { readonly [name: string]: CatalogueType };

const parsedPackages = new Map<string, CataloguePackage>();

/** The packages' JSON is parsed when first asked for: start-up pays for no kind that nobody uses. */
function cataloguePackage(name: string): CataloguePackage | undefined {
  let parsed = parsedPackages.get(name);
  if (parsed === undefined) {
    const text = Object.hasOwn(typePackages, name) ? typePackages[name] : undefined;
    if (text === undefined) return undefined;
    parsed = JSON.parse(text) as CataloguePackage;
    parsedPackages.set(name, parsed);
  }
  return parsed;
}

/** The catalogue's entry for `api.core.v1.Pod` (without `io.k8s.`), or undefined when there is none. */
export function catalogueType(path: string): CatalogueType | undefined {
  const dot = path.lastIndexOf('.');
  const types = cataloguePackage(path.slice(0, dot));
  const name = path.slice(dot + 1);
  return types !== undefined && Object.hasOwn(types, name) ? types[name] : undefined;
}

/** Every definition name of the catalogue (`io.k8s.api.core.v1.Pod`), sorted. Parses all packages: for OpenAPI and tests. */
export function builtinDefinitionNames(): string[] {
  const names: string[] = [];
  for (const pkg of Object.keys(typePackages)) {
    for (const name of Object.keys(cataloguePackage(pkg)!)) names.push(`io.k8s.${pkg}.${name}`);
  }
  return names.sort();
}
