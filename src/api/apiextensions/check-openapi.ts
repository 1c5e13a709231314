import {
  type FieldError,
  forbiddenField,
  invalid,
  notSupported,
  required,
} from '#apimachinery/field-error.ts';
import { asObjects, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { fieldAtPath } from './field-path.ts';
import { isPresent, propertiesAt, schemaAt } from './schema-nodes.ts';

const errorsMax = 50;
const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

/** Members of JSONSchemaProps that Kubernetes knows and refuses. */
const unsupported = [
  'id',
  'additionalItems',
  'patternProperties',
  'definitions',
  'dependencies',
  '$ref',
] as const;

/** Where a node stands in a resource, and why no default may stand there. */
interface Surroundings {
  readonly isRoot: boolean;
  readonly insideMeta: boolean;
  readonly noDefaults: string | undefined;
}

const outside: Surroundings = { isRoot: false, insideMeta: false, noDefaults: undefined };

/**
 * The rules of OpenAPI as Kubernetes narrows it, of every node of a CRD's schema, junctors included (apiextensions
 * ValidateCustomResourceDefinitionOpenAPISchema, without CEL). Adds to `errors`, up to 50.
 */
export function checkOpenApi(
  errors: FieldError[],
  schema: JsonObject,
  path: string,
  at: Surroundings = { ...outside, isRoot: true },
): void {
  if (errors.length >= errorsMax) return;
  checkMembers(errors, schema, path, at);
  checkChildren(errors, schema, path, at);
  checkExtensions(errors, schema, path);
  checkLists(errors, schema, path);
  checkRuleTexts(errors, schema, path);
}

function checkMembers(errors: FieldError[], schema: JsonObject, path: string, at: Surroundings): void {
  const type = schema['type'];
  if (isPresent(type) && !types.includes(type as string)) {
    errors.push(notSupported(`${path}.type`, type, types));
  }
  if (schema['default'] !== undefined && schema['default'] !== null && at.noDefaults !== undefined) {
    errors.push(forbiddenField(`${path}.default`, `must not be set ${at.noDefaults}`));
  }
  for (const name of unsupported) {
    if (isPresent(schema[name])) errors.push(forbiddenField(`${path}.${name}`, `${name} is not supported`));
  }
  if (type === 'null') {
    const why = 'type cannot be set to null, use nullable as an alternative';
    errors.push(forbiddenField(`${path}.type`, why));
  }
  if (asObjects(schema['items']).length > 0) {
    errors.push(forbiddenField(`${path}.items`, 'items must be a schema object and not an array'));
  }
  if (at.insideMeta && schema['x-kubernetes-embedded-resource'] === true) {
    const why = 'must not be used inside of resource meta';
    errors.push(forbiddenField(`${path}.x-kubernetes-embedded-resource`, why));
  }
  if (schema['uniqueItems'] === true) {
    const why = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    errors.push(forbiddenField(`${path}.uniqueItems`, why));
  }
  const additional = schema['additionalProperties'];
  if (
    additional !== undefined &&
    additional !== null &&
    additional !== true &&
    propertiesAt(schema).length > 0
  ) {
    const why = 'additionalProperties and properties are mutual exclusive';
    errors.push(forbiddenField(`${path}.additionalProperties`, why));
  }
}

function checkChildren(errors: FieldError[], schema: JsonObject, path: string, at: Surroundings): void {
  const below: Surroundings = { ...at, isRoot: false };
  const additional = schemaAt(schema['additionalProperties']);
  if (additional !== undefined) {
    const noDefaults = at.insideMeta
      ? 'inside additionalProperties applying to object metadata'
      : below.noDefaults;
    checkOpenApi(errors, additional, `${path}.additionalProperties`, { ...below, noDefaults });
  }
  for (const [name, child] of propertiesAt(schema)) {
    const isMeta =
      (at.isRoot || schema['x-kubernetes-embedded-resource'] === true) &&
      (name === 'metadata' || name === 'kind' || name === 'apiVersion');
    const there = isMeta
      ? { isRoot: false, insideMeta: true, noDefaults: at.isRoot ? `in top-level ${name}` : below.noDefaults }
      : below;
    checkOpenApi(errors, child, `${path}.properties[${name}]`, there);
  }
  const not = schemaAt(schema['not']);
  if (not !== undefined) checkOpenApi(errors, not, `${path}.not`, below);
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const) {
    asObjects(schema[name]).forEach((branch, index) => {
      checkOpenApi(errors, branch, `${path}.${name}[${index}]`, below);
    });
  }
  const items = schemaAt(schema['items']);
  if (items !== undefined) checkOpenApi(errors, items, `${path}.items`, below);
}

/** `type` must be `wanted`; where there is none it is missing, not wrong. */
function checkType(
  errors: FieldError[],
  schema: JsonObject,
  path: string,
  wanted: string,
  extension: string,
) {
  const type = schema['type'];
  if (type === wanted) return;
  const why = `must be ${wanted} if ${extension} is specified`;
  errors.push(isPresent(type) ? invalid(`${path}.type`, type, why) : required(`${path}.type`, why));
}

function checkExtensions(errors: FieldError[], schema: JsonObject, path: string): void {
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    const field = `${path}.x-kubernetes-preserve-unknown-fields`;
    errors.push(invalid(field, false, 'must be true or undefined'));
  }
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType === undefined || mapType === null) return;
  checkType(errors, schema, path, 'object', 'x-kubernetes-map-type');
  if (mapType !== 'atomic' && mapType !== 'granular') {
    errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']));
  }
}

function checkLists(errors: FieldError[], schema: JsonObject, path: string): void {
  const listType = schema['x-kubernetes-list-type'];
  const hasListType = listType !== undefined && listType !== null;
  const field = `${path}.x-kubernetes-list-type`;
  const items = schemaAt(schema['items']);
  if (hasListType && schema['type'] !== 'array') {
    checkType(errors, schema, path, 'array', 'x-kubernetes-list-type');
  } else if (listType === 'set' && items !== undefined) {
    checkSetItems(errors, items, `${path}.items`);
  }
  if (hasListType && listType !== 'atomic' && listType !== 'set' && listType !== 'map') {
    errors.push(notSupported(field, listType, ['atomic', 'set', 'map']));
  }
  const keys = schema['x-kubernetes-list-map-keys'];
  if (isPresent(keys) && listType !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
    errors.push(hasListType ? invalid(field, listType, why) : required(field, why));
  }
  if (listType === 'map') checkKeyedList(errors, schema, Array.isArray(keys) ? keys : [], path);
  if (items === undefined || (listType !== 'set' && listType !== 'map')) return;
  if (items['nullable'] === true) {
    const why = `cannot be nullable when x-kubernetes-list-type is ${listType}`;
    errors.push(forbiddenField(`${path}.items.nullable`, why));
  }
  if (listType === 'map') checkKeys(errors, Array.isArray(keys) ? keys : [], items, `${path}.items`);
}

function checkSetItems(errors: FieldError[], items: JsonObject, path: string): void {
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const listType = items['x-kubernetes-list-type'] ?? null;
  if (items['type'] === 'array' && listType !== null && listType !== 'atomic') {
    errors.push(invalid(`${path}.x-kubernetes-list-type`, listType, why));
  } else if (items['type'] === 'object' && items['x-kubernetes-map-type'] !== 'atomic') {
    // Kubernetes shows the list type here.
    errors.push(invalid(`${path}.x-kubernetes-map-type`, listType, why));
  }
}

function checkKeyedList(
  errors: FieldError[],
  schema: JsonObject,
  keys: readonly JsonValue[],
  path: string,
): void {
  const keysPath = `${path}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) {
    errors.push(required(keysPath, 'must not be empty if x-kubernetes-list-type is map'));
  }
  const items = schemaAt(schema['items']);
  if (items === undefined) {
    errors.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
    return;
  }
  if (items['type'] !== 'object') {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    errors.push(invalid(`${path}.items.type`, items['type'] ?? '', why));
    return;
  }
  const properties = schemaAt(items['properties']) ?? {};
  const seen = new Set<JsonValue>();
  for (const key of keys) {
    const name = String(key);
    const property = Object.hasOwn(properties, name) ? schemaAt(properties[name]) : undefined;
    if (property === undefined) {
      errors.push(invalid(keysPath, keys, 'entries must all be names of item properties'));
    } else if (property['type'] === 'array' || property['type'] === 'object') {
      const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      errors.push(invalid(`${path}.items.properties[${name}].type`, items['type'], why));
    }
    if (seen.has(key)) errors.push(invalid(keysPath, keys, 'must not contain duplicate entries'));
    seen.add(key);
  }
}

function checkKeys(errors: FieldError[], keys: readonly JsonValue[], items: JsonObject, path: string): void {
  const properties = schemaAt(items['properties']) ?? {};
  const requiredNames = Array.isArray(items['required']) ? items['required'] : [];
  for (const key of keys) {
    const name = String(key);
    const property = Object.hasOwn(properties, name) ? schemaAt(properties[name]) : undefined;
    if (property === undefined) continue;
    const at = `${path}.properties[${name}]`;
    const hasDefault = property['default'] !== undefined && property['default'] !== null;
    const because = 'this property is in x-kubernetes-list-map-keys, so it';
    if (!hasDefault && !requiredNames.includes(key)) {
      errors.push(required(`${at}.default`, `${because} must have a default or be a required property`));
    }
    if (property['nullable'] === true) {
      errors.push(forbiddenField(`${at}.nullable`, `${because} cannot be nullable`));
    }
  }
}

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

/** What can be said of a rule without compiling it. */
function checkRuleTexts(errors: FieldError[], schema: JsonObject, path: string): void {
  asObjects(schema['x-kubernetes-validations']).forEach((rule, index) => {
    const at = `${path}.x-kubernetes-validations[${index}]`;
    const text = (name: string) => (typeof rule[name] === 'string' ? (rule[name] as string) : '');
    const expression = text('rule').trim();
    const message = text('message');
    if (expression === '') errors.push(required(`${at}.rule`, 'rule is not specified'));
    else if (message !== '' && message.trim() === '') {
      errors.push(invalid(`${at}.message`, message, 'must be non-empty if specified'));
    } else if (hasNewlines(message.trim())) {
      errors.push(invalid(`${at}.message`, message, 'must not contain line breaks'));
    } else if (hasNewlines(expression) && message.trim() === '') {
      const why = 'message must be specified if rule contains line breaks';
      errors.push(required(`${at}.message`, why));
    }
    const messageExpression = text('messageExpression');
    if (messageExpression !== '' && messageExpression.trim() === '') {
      const why = 'messageExpression must be non-empty if specified';
      errors.push(required(`${at}.messageExpression`, why));
    }
    const reason = rule['reason'];
    if (typeof reason === 'string' && !reasons.includes(reason)) {
      errors.push(notSupported(`${at}.reason`, reason, reasons));
    }
    checkFieldPath(errors, schema, text('fieldPath'), `${at}.fieldPath`);
  });
}

function checkFieldPath(errors: FieldError[], schema: JsonObject, fieldPath: string, at: string): void {
  if (fieldPath === '') return;
  if (fieldPath.trim() === '') errors.push(invalid(at, fieldPath, 'must be non-empty if specified'));
  if (hasNewlines(fieldPath)) errors.push(invalid(at, fieldPath, 'must not contain line breaks'));
  if ('error' in fieldAtPath(schema, fieldPath, true))
    errors.push(invalid(at, fieldPath, 'must be a valid path'));
}

function hasNewlines(text: string): boolean {
  return /[\r\n]/.test(text);
}
