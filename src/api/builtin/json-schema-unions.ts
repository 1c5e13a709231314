const v1 = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

/** What a union holds beside a schema. */
export type JsonSchemaUnion = 'boolean' | 'schemas' | 'strings';

/**
 * Types of apiextensions that are a schema or a plain value, and decode themselves (apiextensions v1/marshal.go): nobody
 * looks for unknown fields in them, and of what they do not know nothing is left.
 */
export const jsonSchemaUnions: { readonly [definition: string]: JsonSchemaUnion | undefined } = {
  [`${v1}.JSONSchemaPropsOrBool`]: 'boolean',
  [`${v1}.JSONSchemaPropsOrArray`]: 'schemas',
  [`${v1}.JSONSchemaPropsOrStringArray`]: 'strings',
};

export const jsonSchemaPropsDefinition = `${v1}.JSONSchemaProps`;
