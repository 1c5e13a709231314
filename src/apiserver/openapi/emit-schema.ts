import { builtinSchema } from '#api/builtin/builtin-schema.ts';
import { definitionText, fieldText } from '#api/builtin/descriptions/descriptions.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Schema, ValueValidation } from '#apimachinery/schema.ts';
import { addDefinitionFacts, addFieldFacts } from './field-facts.ts';

export type OpenApiVersion = 'v2' | 'v3';

/** Where the definitions of a document stand. */
export function refTo(version: OpenApiVersion, name: string): string {
  return version === 'v2' ? `#/definitions/${name}` : `#/components/schemas/${name}`;
}

/**
 * One schema in OpenAPI form (KUBERNETES.md D5, D6). Built-in types that it names become references, told to `onRef`;
 * everything else is written in place. With `asDefinition` the outermost is written out although it has a name. `text` is
 * what the field that holds it says, where a table says it rather than the schema.
 */
export function emitSchema(
  schema: Schema,
  version: OpenApiVersion,
  onRef: (definition: string) => void,
  asDefinition = false,
  text?: string,
): JsonObject {
  const name = schema.definition;
  const named = name === undefined ? undefined : builtinSchema(name);
  if (named === undefined || name === undefined) return emitPlain(schema, version, onRef, text);
  if (asDefinition) {
    const special = specials[name]?.[version];
    const own = definitionText(name);
    if (special === undefined) return emitPlain(schema, version, onRef, own, name);
    return own === undefined ? { ...special } : { description: own, ...special };
  }
  onRef(name);
  const extras = extensionsOf(schema, named);
  const said = text ?? schema.description;
  if (said !== undefined) extras['description'] = said;
  if (schema.default !== undefined) extras['default'] = schema.default;
  const ref = { $ref: refTo(version, name) };
  if (Object.keys(extras).length === 0) return ref;
  // OpenAPI 3 ignores what stands beside a $ref; Swagger readers of Kubernetes rely on it.
  return version === 'v2' ? { ...ref, ...extras } : { allOf: [ref], ...extras };
}

const core = 'io.k8s.apimachinery.pkg';
const apiextensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';
const anything = { v2: {}, v3: {} };
const anyObject = { v2: { type: 'object' }, v3: { type: 'object' } };

/** Types whose JSON form is not what their structure says, as Kubernetes publishes them. */
const specials: { readonly [name: string]: { readonly [version in OpenApiVersion]: JsonObject } } = {
  [`${core}.api.resource.Quantity`]: {
    v2: { type: 'string' },
    v3: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  },
  [`${core}.util.intstr.IntOrString`]: {
    v2: { type: 'string', format: 'int-or-string' },
    v3: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  },
  [`${core}.apis.meta.v1.FieldsV1`]: anyObject,
  [`${core}.apis.meta.v1.Patch`]: anyObject,
  [`${core}.runtime.RawExtension`]: anyObject,
  [`${apiextensions}.JSON`]: anything,
  [`${apiextensions}.JSONSchemaPropsOrArray`]: anything,
  [`${apiextensions}.JSONSchemaPropsOrBool`]: anything,
  [`${apiextensions}.JSONSchemaPropsOrStringArray`]: anything,
};

function emitPlain(
  schema: Schema,
  version: OpenApiVersion,
  onRef: (name: string) => void,
  text = schema.description,
  definition?: string,
): JsonObject {
  const child = (one: Schema, field?: string) => {
    const said = definition === undefined || field === undefined ? undefined : fieldText(definition, field);
    return emitSchema(one, version, onRef, false, said);
  };
  const result: JsonObject = {};
  if (text !== undefined) result['description'] = text;
  // As Kubernetes publishes custom resources in v2: old kubectl would refuse null there, or fields that are preserved.
  const open = version === 'v2' && (schema.nullable === true || schema.preserveUnknownFields === true);
  if (schema.type !== undefined && !(open && schema.nullable === true)) result['type'] = schema.type;
  if (!open) emitMembers(schema, result, child, definition);
  if (definition !== undefined) addDefinitionFacts(definition, result);
  if (version === 'v3') {
    if (schema.nullable === true) result['nullable'] = true;
    if (schema.default !== undefined) result['default'] = schema.default;
  }
  if (schema.validation !== undefined) emitValidation(schema.validation, version, result, child);
  return Object.assign(result, extensionsOf(schema, undefined));
}

function emitMembers(
  schema: Schema,
  result: JsonObject,
  child: (one: Schema, field?: string) => JsonObject,
  definition: string | undefined,
): void {
  if (schema.required !== undefined && schema.required.length > 0) result['required'] = [...schema.required];
  if (schema.items !== undefined) result['items'] = child(schema.items);
  if (schema.additionalProperties !== undefined) {
    result['additionalProperties'] = child(schema.additionalProperties);
  }
  if (schema.properties === undefined) return;
  const properties: JsonObject = {};
  for (const [name, property] of schema.properties) {
    const made = child(property, name);
    if (definition !== undefined) addFieldFacts(definition, name, made);
    properties[name] = made;
  }
  result['properties'] = properties;
}

function emitValidation(
  validation: ValueValidation,
  version: OpenApiVersion,
  result: JsonObject,
  child: (one: Schema) => JsonObject,
): void {
  const { allOf, anyOf, oneOf, not, ...plain } = validation;
  for (const [key, value] of Object.entries(plain)) {
    if (value !== undefined) result[key] = value as JsonValue;
  }
  // Swagger has no such combinations.
  if (version === 'v2') return;
  if (allOf !== undefined) result['allOf'] = allOf.map((one) => child(one));
  if (anyOf !== undefined) result['anyOf'] = anyOf.map((one) => child(one));
  if (oneOf !== undefined) result['oneOf'] = oneOf.map((one) => child(one));
  if (not !== undefined) result['not'] = child(not);
}

/** The `x-kubernetes-` extensions of a schema, less those that the definition which it refers to has already. */
function extensionsOf(schema: Schema, named: Schema | undefined): JsonObject {
  const result: JsonObject = {};
  const put = (key: string, value: JsonValue | undefined, there: unknown) => {
    if (value !== undefined && value !== there) result[`x-kubernetes-${key}`] = value;
  };
  put('list-type', schema.listType, named?.listType);
  put('list-map-keys', schema.listMapKeys as JsonValue[] | undefined, named?.listMapKeys);
  put('map-type', schema.mapType, named?.mapType);
  put('patch-strategy', schema.patchStrategy, named?.patchStrategy);
  put('patch-merge-key', schema.patchMergeKey, named?.patchMergeKey);
  // Built-in types carry the rest in their form.
  if (named !== undefined || schema.definition?.startsWith('io.k8s.') === true) return result;
  put('int-or-string', schema.intOrString, undefined);
  put('preserve-unknown-fields', schema.preserveUnknownFields, undefined);
  put('embedded-resource', schema.embeddedResource, undefined);
  put('validations', schema.celRules as JsonValue[] | undefined, undefined);
  return result;
}
