import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalid,
  notSupported,
  required,
} from '#apimachinery/field-error.ts';
import { goRegexp } from '#apimachinery/go-regexp.ts';
import {
  cloneJson,
  equalJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  jsonText,
} from '#apimachinery/json.ts';
import { schemaFromJsonSchemaProps } from '#apimachinery/schema-from-openapi.ts';
import { isKnownStringFormat } from '#apimachinery/schema-walk/formats.ts';
import { pruneUnknown } from '#apimachinery/schema-walk/prune.ts';
import { validateValue } from '#apimachinery/schema-walk/validate.ts';

/** Where a node stands: rules on types differ (apiextensions schema/validation.go). */
type Level = 'root' | 'field' | 'item' | 'value';

const errorsMax = 50;
const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const scalars: ReadonlySet<string> = new Set(['boolean', 'integer', 'number', 'string']);
const numberFormats: ReadonlySet<string> = new Set(['int32', 'int64', 'float', 'double']);

/** Members of JSONSchemaProps that Kubernetes knows and refuses, with its words. */
const unsupported: readonly (readonly [string, string])[] = [
  ['id', 'id is not supported'],
  ['$ref', '$ref is not supported'],
  ['$schema', '$schema is not supported'],
  ['definitions', 'definitions is not supported'],
  ['dependencies', 'dependencies are not supported'],
  ['patternProperties', 'patternProperties is not supported'],
  ['additionalItems', 'additionalItems is not supported'],
];

/** Members that describe structure, and so may not stand inside allOf, anyOf, oneOf, not. */
const structural = [
  'description',
  'title',
  'type',
  'default',
  'additionalProperties',
  'nullable',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
];

function isPresent(value: JsonValue | undefined): boolean {
  if (value === undefined || value === null || value === false || value === '') return false;
  return !Array.isArray(value) || value.length > 0;
}

function schemaAt(value: JsonValue | undefined): JsonObject | undefined {
  return isJsonObject(value) ? value : undefined;
}

function schemasAt(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function propertiesAt(schema: JsonObject): [string, JsonObject][] {
  return Object.entries(schemaAt(schema['properties']) ?? {}).map(([name, child]) => [
    name,
    schemaAt(child) ?? {},
  ]);
}

/**
 * The rules of a structural schema (KUBERNETES.md R1, KEP-1693; apiextensions' structural validation), with Kubernetes'
 * messages. At most 50 errors.
 */
export function validateStructuralSchema(schema: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const check = new SchemaCheck(errors);
  check.node(schema, path, 'root');
  if (errors.length === 0) check.defaults(schema, path, 0);
  return errors.slice(0, errorsMax);
}

class SchemaCheck {
  readonly #errors: FieldError[];

  constructor(errors: FieldError[]) {
    this.#errors = errors;
  }

  node(schema: JsonObject, path: string, level: Level): void {
    if (this.#errors.length >= errorsMax) return;
    this.#type(schema, path, level);
    this.#general(schema, path);
    this.#extensions(schema, path);
    this.#lists(schema, path);
    if (level === 'root') this.#metadata(schema, path);
    for (const [name, child] of propertiesAt(schema)) {
      this.node(child, `${path}.properties[${name}]`, 'field');
    }
    const additional = schemaAt(schema['additionalProperties']);
    if (additional !== undefined) this.node(additional, `${path}.additionalProperties`, 'value');
    const items = schemaAt(schema['items']);
    if (items !== undefined) this.node(items, `${path}.items`, 'item');
    this.#junctors(schema, schema, path, path);
  }

  #type(schema: JsonObject, path: string, level: Level): void {
    const type = schema['type'];
    const intOrString = schema['x-kubernetes-int-or-string'] === true;
    if (!isPresent(type)) {
      if (level === 'root') this.#errors.push(required(`${path}.type`, 'must not be empty at the root'));
      else if (!intOrString && schema['x-kubernetes-preserve-unknown-fields'] !== true) {
        const where = level === 'item' ? 'array items' : 'object fields';
        this.#errors.push(required(`${path}.type`, `must not be empty for specified ${where}`));
      }
      return;
    }
    if (type === 'null') {
      this.#errors.push(
        forbiddenField(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'),
      );
    } else if (!types.includes(type as string)) {
      this.#errors.push(notSupported(`${path}.type`, type, types));
    } else if (level === 'root' && type !== 'object') {
      this.#errors.push(invalid(`${path}.type`, type, 'must be object at the root'));
    }
    if (intOrString) {
      this.#errors.push(invalid(`${path}.type`, type, 'must be empty if x-kubernetes-int-or-string is true'));
    }
  }

  #general(schema: JsonObject, path: string): void {
    for (const [name, why] of unsupported) {
      if (isPresent(schema[name])) this.#errors.push(forbiddenField(`${path}.${name}`, why));
    }
    if (schema['uniqueItems'] === true) {
      this.#errors.push(
        forbiddenField(
          `${path}.uniqueItems`,
          'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
        ),
      );
    }
    const additional = schema['additionalProperties'];
    if (additional === false) {
      this.#errors.push(
        forbiddenField(`${path}.additionalProperties`, 'additionalProperties cannot be set to false'),
      );
    } else if (additional !== undefined && Object.keys(schemaAt(schema['properties']) ?? {}).length > 0) {
      this.#errors.push(
        forbiddenField(
          `${path}.additionalProperties`,
          'additionalProperties and properties are mutual exclusive',
        ),
      );
    }
    if (Array.isArray(schema['items'])) {
      this.#errors.push(forbiddenField(`${path}.items`, 'items must be a schema object and not an array'));
    } else if (
      schema['type'] === 'array' &&
      schema['items'] === undefined &&
      !isPresent(schema['x-kubernetes-preserve-unknown-fields'])
    ) {
      this.#errors.push(required(`${path}.items`, 'must be specified'));
    }
    this.#pattern(schema, path);
  }

  #pattern(schema: JsonObject, path: string): void {
    const pattern = schema['pattern'];
    if (typeof pattern !== 'string' || pattern === '') return;
    try {
      goRegexp(pattern);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#errors.push(
        invalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${why}`),
      );
    }
  }

  #extensions(schema: JsonObject, path: string): void {
    const type = schema['type'];
    if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
      this.#errors.push(
        invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'),
      );
    }
    if (schema['x-kubernetes-embedded-resource'] === true) {
      if (type !== 'object') {
        const text = 'must be object if x-kubernetes-embedded-resource is true';
        this.#errors.push(
          isPresent(type) ? invalid(`${path}.type`, type, text) : required(`${path}.type`, text),
        );
      }
      if (schema['additionalProperties'] !== undefined) {
        this.#errors.push(
          forbiddenField(
            `${path}.additionalProperties`,
            'must not be used if x-kubernetes-embedded-resource is set',
          ),
        );
      }
      if (schema['x-kubernetes-preserve-unknown-fields'] !== true && propertiesAt(schema).length === 0) {
        this.#errors.push(
          required(
            `${path}.properties`,
            'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
          ),
        );
      }
    }
    const mapType = schema['x-kubernetes-map-type'];
    if (isPresent(mapType)) {
      if (type !== 'object') {
        this.#errors.push(
          invalid(`${path}.type`, type ?? '', 'must be object if x-kubernetes-map-type is specified'),
        );
      }
      if (mapType !== 'atomic' && mapType !== 'granular') {
        this.#errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']));
      }
    }
    schemasAt(schema['x-kubernetes-validations']).forEach((rule, index) => {
      if (typeof rule['rule'] !== 'string' || rule['rule'].trim() === '') {
        this.#errors.push(
          required(`${path}.x-kubernetes-validations[${index}].rule`, 'rule is not specified'),
        );
      }
    });
  }

  #lists(schema: JsonObject, path: string): void {
    const listType = schema['x-kubernetes-list-type'];
    const keys = Array.isArray(schema['x-kubernetes-list-map-keys'])
      ? schema['x-kubernetes-list-map-keys']
      : [];
    const keysPath = `${path}.x-kubernetes-list-map-keys`;
    if (isPresent(listType)) {
      if (schema['type'] !== 'array') {
        const text = 'must be array if x-kubernetes-list-type is specified';
        const type = schema['type'];
        this.#errors.push(
          isPresent(type) ? invalid(`${path}.type`, type, text) : required(`${path}.type`, text),
        );
      }
      if (listType !== 'atomic' && listType !== 'set' && listType !== 'map') {
        this.#errors.push(notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'map', 'set']));
      }
    }
    if (keys.length > 0 && listType !== 'map') {
      const text = 'must be map if x-kubernetes-list-map-keys is non-empty';
      const field = `${path}.x-kubernetes-list-type`;
      this.#errors.push(isPresent(listType) ? invalid(field, listType, text) : required(field, text));
    }
    const items = schemaAt(schema['items']);
    if (listType === 'set' && items !== undefined) this.#setItems(items, `${path}.items`);
    if (listType !== 'map') return;
    if (keys.length === 0) {
      this.#errors.push(required(keysPath, 'must not be empty if x-kubernetes-list-type is map'));
    }
    if (items === undefined) {
      this.#errors.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
      return;
    }
    if (items['type'] !== 'object') {
      this.#errors.push(
        invalid(
          `${path}.items.type`,
          items['type'] ?? '',
          "must be object if parent array's x-kubernetes-list-type is map",
        ),
      );
    }
    if (items['nullable'] === true) {
      this.#errors.push(
        forbiddenField(`${path}.items.nullable`, 'cannot be nullable when x-kubernetes-list-type is map'),
      );
    }
    this.#mapKeys(keys, items, path, keysPath);
  }

  #setItems(items: JsonObject, path: string): void {
    if (items['nullable'] === true) {
      this.#errors.push(
        forbiddenField(`${path}.nullable`, 'cannot be nullable when x-kubernetes-list-type is set'),
      );
    }
    const isOpenList =
      items['type'] === 'array' && (items['x-kubernetes-list-type'] ?? 'atomic') !== 'atomic';
    const isOpenMap = items['type'] === 'object' && items['x-kubernetes-map-type'] !== 'atomic';
    if (!isOpenList && !isOpenMap) return;
    const field = isOpenMap ? `${path}.x-kubernetes-map-type` : `${path}.x-kubernetes-list-type`;
    const value = isOpenMap ? items['x-kubernetes-map-type'] : items['x-kubernetes-list-type'];
    this.#errors.push(
      invalid(field, value ?? null, 'must be atomic as item of a list with x-kubernetes-list-type=set'),
    );
  }

  #mapKeys(keys: readonly JsonValue[], items: JsonObject, path: string, keysPath: string): void {
    const properties = schemaAt(items['properties']) ?? {};
    const requiredNames = Array.isArray(items['required']) ? items['required'] : [];
    const seen = new Set<JsonValue>();
    keys.forEach((key, index) => {
      if (seen.has(key)) this.#errors.push(duplicate(`${keysPath}[${index}]`, key));
      seen.add(key);
      const name = String(key);
      const property = Object.hasOwn(properties, name) ? schemaAt(properties[name]) : undefined;
      if (property === undefined) {
        this.#errors.push(
          invalid(`${keysPath}[${index}]`, key, 'entries must all be names of item properties'),
        );
        return;
      }
      const propertyPath = `${path}.items.properties[${name}]`;
      if (!scalars.has(jsonText(property['type'])) && property['x-kubernetes-int-or-string'] !== true) {
        this.#errors.push(
          invalid(
            `${propertyPath}.type`,
            property['type'] ?? '',
            "must be a scalar type if parent array's x-kubernetes-list-type is map",
          ),
        );
      }
      if (property['nullable'] === true) {
        this.#errors.push(
          forbiddenField(
            `${propertyPath}.nullable`,
            'this property is in x-kubernetes-list-map-keys, so it cannot be nullable',
          ),
        );
      }
      if (property['default'] === undefined && !requiredNames.includes(key)) {
        this.#errors.push(
          required(
            `${propertyPath}.default`,
            'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
          ),
        );
      }
    });
  }

  /** Everybody's metadata is ObjectMeta: a CRD may only narrow the name. */
  #metadata(schema: JsonObject, path: string): void {
    const metadata = schemaAt(schemaAt(schema['properties'])?.['metadata']);
    if (metadata === undefined) return;
    const { type: _a, description: _b, properties: _c, 'x-kubernetes-validations': _d, ...others } = metadata;
    const names = propertiesAt(metadata).map(([name]) => name);
    const isNarrowing = names.every((name) => name === 'name' || name === 'generateName');
    if (isNarrowing && !Object.values(others).some(isPresent)) return;
    this.#errors.push(
      forbiddenField(
        `${path}.properties[metadata]`,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
  }

  /** allOf, anyOf, oneOf and not: only value validations, only of what is described outside of them. */
  #junctors(schema: JsonObject, outer: JsonObject, path: string, outerPath: string): void {
    for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
      schemasAt(schema[name]).forEach((branch, index) => {
        this.#branch(branch, outer, `${path}.${name}[${index}]`, outerPath, name === 'oneOf');
      });
    }
    const not = schemaAt(schema['not']);
    if (not !== undefined) this.#branch(not, outer, `${path}.not`, outerPath, true);
  }

  #branch(
    branch: JsonObject,
    outer: JsonObject,
    path: string,
    outerPath: string,
    isExclusive: boolean,
  ): void {
    if (this.#errors.length >= errorsMax) return;
    const saysIntOrString = !isExclusive && outer['x-kubernetes-int-or-string'] === true;
    for (const name of structural) {
      const value = branch[name];
      if (!isPresent(value) && value === undefined) continue;
      // The one exception: anyOf [{type: integer}, {type: string}] beside x-kubernetes-int-or-string.
      if (name === 'type' && saysIntOrString && (value === 'integer' || value === 'string')) continue;
      if (isPresent(value))
        this.#errors.push(forbiddenField(`${path}.${name}`, 'must be empty to be structural'));
    }
    this.#pattern(branch, path);
    this.#junctors(branch, outer, path, outerPath);
    const outerProperties = schemaAt(outer['properties']) ?? {};
    for (const [name, child] of propertiesAt(branch)) {
      const childPath = `${path}.properties[${name}]`;
      const described = Object.hasOwn(outerProperties, name) ? schemaAt(outerProperties[name]) : undefined;
      const describedPath = `${outerPath}.properties[${name}]`;
      if (described === undefined) {
        const isKnownAnyway = outer['x-kubernetes-embedded-resource'] === true && name === 'metadata';
        if (isKnownAnyway) continue;
        this.#errors.push(required(describedPath, `because it is defined in ${childPath}`));
        continue;
      }
      this.#branch(child, described, childPath, describedPath, isExclusive);
    }
    const items = schemaAt(branch['items']);
    if (items === undefined) return;
    const described = schemaAt(outer['items']);
    if (described === undefined)
      this.#errors.push(required(`${outerPath}.items`, `because it is defined in ${path}.items`));
    else this.#branch(items, described, `${path}.items`, `${outerPath}.items`, isExclusive);
  }

  /** Defaults must be valid themselves and hold no unknown fields (apiextensions defaulting/validation.go). */
  defaults(schema: JsonObject, path: string, depth: number): void {
    if (this.#errors.length >= errorsMax) return;
    const value = schema['default'];
    if (value !== undefined && value !== null) this.#default(schema, value, path, depth);
    for (const [name, child] of propertiesAt(schema)) {
      const isObjectMeta =
        name === 'metadata' && (depth === 0 || schema['x-kubernetes-embedded-resource'] === true);
      const childPath = `${path}.properties[${name}]`;
      if (isObjectMeta && hasDefaults(child)) {
        this.#errors.push(
          forbiddenField(childPath, 'must not have defaults, because metadata is defaulted by the server'),
        );
        continue;
      }
      this.defaults(child, childPath, depth + 1);
    }
    const additional = schemaAt(schema['additionalProperties']);
    if (additional !== undefined) this.defaults(additional, `${path}.additionalProperties`, depth + 1);
    const items = schemaAt(schema['items']);
    if (items !== undefined) this.defaults(items, `${path}.items`, depth + 1);
  }

  #default(schema: JsonObject, value: JsonValue, path: string, depth: number): void {
    const compiled = schemaFromJsonSchemaProps(schema);
    const pruned = cloneJson(value);
    pruneUnknown(compiled, pruned);
    if (!equalJson(pruned, value)) {
      this.#errors.push(invalid(`${path}.default`, value, 'must not have unknown fields'));
      return;
    }
    if (depth === 0) {
      this.#errors.push(forbiddenField(`${path}.default`, 'must not be set at the root'));
      return;
    }
    // Without the errors of what deeper defaults would still fill in.
    const { required: _, ...rest } = schema;
    const shallow = typeof value === 'object' ? schemaFromJsonSchemaProps(rest) : compiled;
    this.#errors.push(...validateValue(shallow, value, `${path}.default`));
  }
}

function hasDefaults(schema: JsonObject): boolean {
  if (schema['default'] !== undefined) return true;
  return propertiesAt(schema).some(([, child]) => hasDefaults(child));
}

/** Formats that nobody knows, and that are therefore not checked (as Kubernetes warns). */
export function unknownFormats(schema: JsonObject, path: string): string[] {
  const warnings: string[] = [];
  const { format } = schema;
  if (typeof format === 'string' && format !== '') {
    const isKnown = schema['type'] === 'string' ? isKnownStringFormat(format) : numberFormats.has(format);
    if (!isKnown && format !== 'int-or-string') {
      warnings.push(`${path}.format: unrecognized format ${JSON.stringify(format)}`);
    }
  }
  for (const [child, childPath] of childrenOf(schema, path))
    warnings.push(...unknownFormats(child, childPath));
  return warnings;
}

function childrenOf(schema: JsonObject, path: string): [JsonObject, string][] {
  const children = propertiesAt(schema).map(([name, child]): [JsonObject, string] => [
    child,
    `${path}.properties[${name}]`,
  ]);
  const additional = schemaAt(schema['additionalProperties']);
  if (additional !== undefined) children.push([additional, `${path}.additionalProperties`]);
  const items = schemaAt(schema['items']);
  if (items !== undefined) children.push([items, `${path}.items`]);
  return children;
}
