import { objectOf, requestBytesMax } from '#apimachinery/cel/decl.ts';
import {
  boolType,
  type Decl,
  type DeclField,
  dynType,
  listOf,
  mapOf,
  stringType,
} from '#apimachinery/cel/types.ts';

/** What variables of the server's own expressions are made of: request, userInfo, claims. */
export const dynDecl: Decl = { kind: 'dyn', type: dynType, maxElements: requestBytesMax, minBytes: 1 };
export const textDecl: Decl = {
  kind: 'scalar',
  type: stringType,
  maxElements: requestBytesMax,
  minBytes: 2,
};
export const flagDecl: Decl = { kind: 'scalar', type: boolType, maxElements: 1, minBytes: 4 };
export const textsDecl: Decl = listDecl(textDecl);

export function listDecl(element: Decl): Decl {
  return {
    kind: 'list',
    type: listOf(element.type),
    element,
    maxElements: requestBytesMax / 3,
    minBytes: 2,
  };
}

export function mapDecl(element: Decl): Decl {
  return {
    kind: 'map',
    type: mapOf(stringType, element.type),
    element,
    maxElements: Math.floor(requestBytesMax / 8),
    minBytes: 2,
  };
}

export function objectDecl(name: string, fields: Readonly<Record<string, Decl>>): Decl {
  const declared = new Map<string, DeclField>();
  for (const [jsonName, decl] of Object.entries(fields)) {
    // `namespace` is a word of the language: expressions write it with underscores around it.
    declared.set(jsonName === 'namespace' ? '__namespace__' : jsonName, { jsonName, decl });
    if (jsonName === 'namespace') declared.set(jsonName, { jsonName, decl });
  }
  return objectOf(name, declared);
}
