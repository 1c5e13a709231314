import { builtinSchema } from '#api/builtin/builtin-schema.ts';
import { commonFieldText, definitionText, fieldText } from '#api/builtin/descriptions/descriptions.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Schema, ValueValidation } from '#apimachinery/schema.ts';
import { addDefinitionFacts, addFieldFacts } from './field-facts.ts';
import type { OpenApiVersion } from './openapi-version.ts';

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
const objectMeta = `${core}.apis.meta.v1.ObjectMeta`;
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
  Object.assign(result, schema.prose);
  emitMembers(schema, result, child, definition, version);
  if (definition !== undefined) addDefinitionFacts(definition, result);
  if (version === 'v3') {
    if (schema.nullable === true) result['nullable'] = true;
    if (schema.default !== undefined) result['default'] = schema.default;
  }
  if (schema.validation !== undefined) emitValidation(schema.validation, version, result, child);
  if (schema.intOrString === true && version === 'v3') emitBothTypes(result);
  if (schema.embeddedResource === true && !(version === 'v2' && schema.preserveUnknownFields === true))
    emitEmbedded(result, version, onRef);
  return Object.assign(result, extensionsOf(schema, undefined));
}

function emitMembers(
  schema: Schema,
  result: JsonObject,
  child: (one: Schema, field?: string) => JsonObject,
  definition: string | undefined,
  version: OpenApiVersion,
): void {
  // As Kubernetes publishes custom resources in v2: old kubectl would refuse null there, fields that are preserved, and
  // lists of it knows not what (apiextensions-apiserver, controller/openapi/v2/conversion.go).
  const isV2 = version === 'v2';
  const isOpen = isV2 && (schema.nullable === true || schema.preserveUnknownFields === true);
  const isUntyped =
    isV2 &&
    (schema.nullable === true ||
      (schema.type === 'object' && isOpen) ||
      (schema.type === 'array' && (isOpen || schema.items === undefined)));
  if (schema.type !== undefined && !isUntyped) result['type'] = schema.type;
  const required = requiredOf(schema, version, isOpen);
  if (required.length > 0) result['required'] = required;
  if (schema.items !== undefined && !isOpen) result['items'] = child(schema.items);
  if (schema.additionalProperties !== undefined) {
    result['additionalProperties'] = child(schema.additionalProperties);
  }
  // A type of Kubernetes' without fields says nothing of them.
  if (schema.properties === undefined || isOpen || (definition !== undefined && schema.properties.size === 0))
    return;
  const properties: JsonObject = {};
  for (const [name, property] of schema.properties) {
    const made = child(property, name);
    if (definition !== undefined) addFieldFacts(definition, name, made, version);
    properties[name] = made;
  }
  result['properties'] = properties;
}

function requiredOf(schema: Schema, version: OpenApiVersion, isOpen: boolean): string[] {
  const required = schema.required ?? [];
  if (version === 'v3') return [...required];
  if (schema.additionalProperties?.nullable === true) return [];
  return required.filter((name) => isOpen || schema.properties?.get(name)?.nullable !== true);
}

/** A number or a text (apiextensions-apiserver, apiserver/schema/unfold.go). */
function emitBothTypes(result: JsonObject): void {
  const anyOf = [{ type: 'integer' }, { type: 'string' }];
  const { anyOf: own, allOf } = result;
  const isSaid = (one: JsonValue | undefined) => JSON.stringify(one) === JSON.stringify(anyOf);
  const [first] = Array.isArray(allOf) ? allOf : [];
  if (isJsonObject(first) && isSaid(first['anyOf'])) return;
  if (own === undefined) result['anyOf'] = anyOf;
  else if (!isSaid(own)) result['allOf'] = [{ anyOf }, ...(Array.isArray(allOf) ? allOf : [])];
}

/** What every embedded object has (apiextensions-apiserver, controller/openapi/builder, addEmbeddedProperties). */
function emitEmbedded(result: JsonObject, version: OpenApiVersion, onRef: (name: string) => void): void {
  onRef(objectMeta);
  const ref = { $ref: refTo(version, objectMeta) };
  const text = (field: string) => ({ type: 'string', ...describedAs(field) });
  const own = isJsonObject(result['properties']) ? result['properties'] : {};
  result['properties'] = {
    ...own,
    apiVersion: text('apiVersion'),
    kind: text('kind'),
    metadata: { ...(version === 'v2' ? ref : { allOf: [ref] }), ...describedAs('metadata') },
  };
  const required = Array.isArray(result['required']) ? result['required'] : [];
  const missing = ['kind', 'apiVersion'].filter((name) => !required.includes(name));
  result['required'] = [...required, ...missing];
}

/** What is said of a field that all objects have. */
export function describedAs(field: string): { readonly description?: string } {
  const description = commonFieldText(field);
  return description === undefined ? {} : { description };
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
