import { goTypes } from './catalogue/go-types.ts';

/** What only Go's types of the built-in kinds tell; definitions by their full names (`io.k8s.api.core.v1.Pod`). */
interface GoTypes {
  readonly typeNames: { readonly [definition: string]: { readonly [field: string]: string } };
  readonly embedded: { readonly [definition: string]: { readonly [where: string]: readonly string[] } };
  readonly emptyObjects: { readonly [definition: string]: EmptyStruct };
}

/** A struct as Go prints it when nothing is set in it. */
export interface EmptyStruct {
  /** Fields that have their zero value, null included. */
  readonly printed?: readonly string[];
  /** Fields that are structs by value. */
  readonly structs?: readonly string[];
}

const parsed = new Map<string, unknown>();

function table<Name extends keyof GoTypes>(name: Name): GoTypes[Name] {
  let value = parsed.get(name);
  if (value === undefined) {
    value = JSON.parse(goTypes[name] ?? '{}');
    parsed.set(name, value);
  }
  return value as GoTypes[Name];
}

/** The Go type of a field where it is named otherwise than OpenAPI tells: `types.UID`, `[]v1.OperationType`. */
export function goTypeName(definition: string, field: string): string | undefined {
  const fields = table('typeNames');
  return Object.hasOwn(fields, definition) ? fields[definition]?.[field] : undefined;
}

/** The structs, embedded in one another, through which a field comes into the definition's own: `RuleWithOperations.Rule`. */
export function embeddingOf(definition: string, field: string): string | undefined {
  const structs = table('embedded');
  if (!Object.hasOwn(structs, definition)) return undefined;
  return Object.entries(structs[definition] ?? {}).find(([, fields]) => fields.includes(field))?.[0];
}

/** What Go prints of the definition's zero value; undefined where no empty object of a kind reaches it by value. */
export function emptyStruct(definition: string): EmptyStruct | undefined {
  const structs = table('emptyObjects');
  return Object.hasOwn(structs, definition) ? structs[definition] : undefined;
}
