import { sha256Hex } from './hash.ts';
import { cloneJson, isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import type { CelRule, Schema, SchemaProse, SchemaType, ValueValidation } from './schema.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const types: ReadonlySet<string> = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean']);

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function number(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function flag(value: JsonValue | undefined): true | undefined {
  return value === true ? true : undefined;
}

function textList(value: JsonValue | undefined): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const list = value.filter((item) => typeof item === 'string');
  return list.length > 0 ? list : undefined;
}

function schemaList(value: JsonValue | undefined): readonly Schema[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  return value.map((item) => convert(isJsonObject(item) ? item : {}));
}

/** Takes out what is undefined, so that schemas of one content have one shape and nothing to skip. */
function compact<T extends object>(object: T): T {
  for (const key of Object.keys(object) as (keyof T)[]) if (object[key] === undefined) delete object[key];
  return object;
}

function validationOf(props: JsonObject, isIntOrString: boolean): ValueValidation | undefined {
  const validation: Writable<ValueValidation> = compact({
    format: text(props['format']),
    enum: Array.isArray(props['enum']) ? props['enum'] : undefined,
    pattern: text(props['pattern']),
    minLength: number(props['minLength']),
    maxLength: number(props['maxLength']),
    minimum: number(props['minimum']),
    maximum: number(props['maximum']),
    exclusiveMinimum: flag(props['exclusiveMinimum']),
    exclusiveMaximum: flag(props['exclusiveMaximum']),
    multipleOf: number(props['multipleOf']),
    minItems: number(props['minItems']),
    maxItems: number(props['maxItems']),
    uniqueItems: flag(props['uniqueItems']),
    minProperties: number(props['minProperties']),
    maxProperties: number(props['maxProperties']),
    allOf: schemaList(props['allOf']),
    anyOf: schemaList(props['anyOf']),
    oneOf: schemaList(props['oneOf']),
    not: isJsonObject(props['not']) ? convert(props['not']) : undefined,
  });
  if (isIntOrString && isIntOrStringTypes(props['anyOf'])) delete validation.anyOf;
  return Object.keys(validation).length > 0 ? validation : undefined;
}

function isIntOrStringTypes(value: JsonValue | undefined): boolean {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    JSON.stringify(value) === '[{"type":"integer"},{"type":"string"}]'
  );
}

function celRulesOf(value: JsonValue | undefined): readonly CelRule[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  return value.filter(isJsonObject).map((rule) =>
    compact({
      rule: text(rule['rule']) ?? '',
      message: text(rule['message']),
      messageExpression: text(rule['messageExpression']),
      reason: text(rule['reason']),
      fieldPath: text(rule['fieldPath']),
      optionalOldSelf: typeof rule['optionalOldSelf'] === 'boolean' ? rule['optionalOldSelf'] : undefined,
    }),
  );
}

function proseOf({ title, externalDocs, example }: JsonObject): SchemaProse | undefined {
  const prose: SchemaProse = compact({
    title: text(title),
    externalDocs: isJsonObject(externalDocs) ? externalDocs : undefined,
    example,
  });
  return Object.keys(prose).length > 0 ? prose : undefined;
}

function convert(props: JsonObject): Schema {
  const intOrString = flag(props['x-kubernetes-int-or-string']);
  const type = text(props['type']);
  const { properties, additionalProperties: additional, items } = props;
  const schema: Writable<Schema> = {
    type: type !== undefined && types.has(type) ? (type as SchemaType) : undefined,
    description: text(props['description']),
    prose: proseOf(props),
    properties: isJsonObject(properties)
      ? new Map(
          Object.entries(properties).map(([name, child]) => [
            name,
            convert(isJsonObject(child) ? child : {}),
          ]),
        )
      : undefined,
    additionalProperties: isJsonObject(additional)
      ? convert(additional)
      : additional === true
        ? {}
        : undefined,
    items: isJsonObject(items) ? convert(items) : undefined,
    required: textList(props['required']),
    nullable: flag(props['nullable']),
    default: props['default'] === null ? undefined : props['default'],
    intOrString,
    repeatsTypes: intOrString === true && isIntOrStringTypes(props['anyOf']) ? true : undefined,
    preserveUnknownFields: flag(props['x-kubernetes-preserve-unknown-fields']),
    embeddedResource: flag(props['x-kubernetes-embedded-resource']),
    listType: text(props['x-kubernetes-list-type']) as Schema['listType'],
    listMapKeys: textList(props['x-kubernetes-list-map-keys']),
    mapType: text(props['x-kubernetes-map-type']) as Schema['mapType'],
    validation: validationOf(props, intOrString === true),
    celRules: celRulesOf(props['x-kubernetes-validations']),
  };
  return compact(schema);
}

/** Weakly held: a schema that no workspace uses any more goes away, and its entry with it. */
const shared = new Map<string, WeakRef<Schema>>();
const registry = new FinalizationRegistry<string>((hash) => {
  if (shared.get(hash)?.deref() === undefined) shared.delete(hash);
});

/**
 * The Schema of a CRD's openAPIV3Schema (JSONSchemaProps). Equal content gives the same object, so that workspaces
 * with equal CRDs share compiled forms. What is not structural (KUBERNETES.md R1) is for CRD validation to refuse.
 */
export function schemaFromJsonSchemaProps(props: JsonObject): Schema {
  const hash = sha256Hex(JSON.stringify(props));
  let schema = shared.get(hash)?.deref();
  if (schema === undefined) {
    schema = convert(cloneJson(props));
    shared.set(hash, new WeakRef(schema));
    registry.register(schema, hash);
  }
  return schema;
}

export interface SchemaToOpenApiOptions {
  /** v2 knows no nullable, oneOf, anyOf, not: what it cannot tell is left open there. */
  readonly version: 'v2' | 'v3';
  /** Where a named definition stands (`#/components/schemas/…`); undefined to write it out in place. */
  readonly refOf?: ((definition: string) => string | undefined) | undefined;
}

const nestingMax = 64;

/**
 * The OpenAPI form of a schema, for documents and for serving it back. A schema with a `definition` becomes a `$ref`
 * where refOf names one, except the outermost; a recursive type without one is cut off as "any value".
 */
export function schemaToOpenApi(schema: Schema, options: SchemaToOpenApiOptions): JsonObject {
  return emit(schema, options, 0);
}

function emitChild(schema: Schema, options: SchemaToOpenApiOptions, depth: number): JsonObject {
  const ref = schema.definition === undefined ? undefined : options.refOf?.(schema.definition);
  if (ref === undefined) return depth > nestingMax ? {} : emit(schema, options, depth);
  // OpenAPI ignores what stands beside a $ref: it is wrapped where there is something to say.
  if (schema.default === undefined || options.version === 'v2') return { $ref: ref };
  return { allOf: [{ $ref: ref }], default: cloneJson(schema.default) };
}

function emit(schema: Schema, options: SchemaToOpenApiOptions, depth: number): JsonObject {
  const isV2 = options.version === 'v2';
  const child = (one: Schema) => emitChild(one, options, depth + 1);
  // As Kubernetes publishes CRDs in v2: old kubectl would refuse null, or fields that are preserved.
  const isOpen = isV2 && (schema.nullable === true || schema.preserveUnknownFields === true);
  const result: JsonObject = {
    description: schema.description,
    type: isOpen && schema.nullable === true ? undefined : schema.type,
    properties:
      schema.properties === undefined || isOpen
        ? undefined
        : Object.fromEntries([...schema.properties].map(([name, one]) => [name, child(one)])),
    additionalProperties:
      schema.additionalProperties === undefined || isOpen ? undefined : child(schema.additionalProperties),
    items: schema.items === undefined || isOpen ? undefined : child(schema.items),
    required: schema.required === undefined || isOpen ? undefined : [...schema.required],
    nullable: isV2 ? undefined : schema.nullable,
    default: schema.default === undefined ? undefined : cloneJson(schema.default),
    'x-kubernetes-int-or-string': schema.intOrString,
    'x-kubernetes-preserve-unknown-fields': schema.preserveUnknownFields,
    'x-kubernetes-embedded-resource': schema.embeddedResource,
    'x-kubernetes-list-type': schema.listType,
    'x-kubernetes-list-map-keys': schema.listMapKeys === undefined ? undefined : [...schema.listMapKeys],
    'x-kubernetes-map-type': schema.mapType,
    'x-kubernetes-patch-strategy': schema.patchStrategy,
    'x-kubernetes-patch-merge-key': schema.patchMergeKey,
    'x-kubernetes-validations': schema.celRules?.map((rule) => ({ ...rule })),
  };
  if (schema.validation !== undefined) Object.assign(result, emitValidation(schema.validation, isV2, child));
  return compact(result);
}

function emitValidation(
  validation: ValueValidation,
  isV2: boolean,
  child: (schema: Schema) => JsonObject,
): JsonObject {
  const { allOf, anyOf, oneOf, not, enum: values, ...plain } = validation;
  const result: JsonObject = { ...plain, enum: values === undefined ? undefined : cloneJson([...values]) };
  if (isV2) return result;
  if (allOf !== undefined) result['allOf'] = allOf.map(child);
  if (anyOf !== undefined) result['anyOf'] = anyOf.map(child);
  if (oneOf !== undefined) result['oneOf'] = oneOf.map(child);
  if (not !== undefined) result['not'] = child(not);
  return result;
}
