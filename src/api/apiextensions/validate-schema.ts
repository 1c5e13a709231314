import { canonicalJson } from '#apimachinery/canonical-json.ts';
import { validateRulesOfDefault } from '#apimachinery/cel/rules/validate-rules.ts';
import {
  type FieldError,
  forbiddenField,
  invalid,
  required,
  typeInvalid,
} from '#apimachinery/field-error.ts';
import { goRegexp } from '#apimachinery/go-regexp/go-regexp.ts';
import { asObjects, cloneJson, equalJson, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { schemaFromJsonSchemaProps } from '#apimachinery/schema-from-openapi.ts';
import { isKnownStringFormat } from '#apimachinery/schema-walk/formats.ts';
import { pruneUnknown } from '#apimachinery/schema-walk/prune.ts';
import { validateValue } from '#apimachinery/schema-walk/validate.ts';
import { typeName } from '#apimachinery/schema-walk/value-facts.ts';
import { checkOpenApi } from './check-openapi.ts';
import { childrenOf, isPresent, propertiesAt, schemaAt } from './schema-nodes.ts';

/** Where a node stands: rules on types differ (apiextensions schema/validation.go). */
type Level = 'root' | 'field' | 'item';

export const schemaErrorsMax = 50;
const numberFormats: ReadonlySet<string> = new Set(['int32', 'int64', 'float', 'double']);
const intOrStringAnyOf: JsonValue = [{ type: 'integer' }, { type: 'string' }];

/** Members without which NewStructural makes no structural schema, so that its rules say nothing. */
const unstructurable = [
  'id',
  '$ref',
  '$schema',
  'definitions',
  'dependencies',
  'patternProperties',
  'additionalItems',
] as const;

/** Members that describe structure, and so may not stand inside allOf, anyOf, oneOf, not; and what they must be there. */
const describing: readonly (readonly [member: string, must: 'empty' | 'undefined' | 'false'])[] = [
  ['type', 'empty'],
  ['additionalProperties', 'undefined'],
  ['default', 'undefined'],
  ['title', 'empty'],
  ['description', 'empty'],
  ['nullable', 'false'],
  ['x-kubernetes-preserve-unknown-fields', 'false'],
  ['x-kubernetes-embedded-resource', 'false'],
  ['x-kubernetes-int-or-string', 'false'],
  ['x-kubernetes-list-map-keys', 'empty'],
  ['x-kubernetes-list-type', 'undefined'],
  ['x-kubernetes-map-type', 'undefined'],
  ['x-kubernetes-validations', 'empty'],
];

export interface SchemaErrors {
  readonly errors: readonly FieldError[];
  /** Whether rules can be looked at: they wait until what they are about is described properly. */
  readonly isStructural: boolean;
  /** Fields that OpenAPI's rules refuse: rules of nodes that hold one wait for that too. */
  readonly refusedFields: readonly string[];
}

/**
 * The rules of a structural schema (KUBERNETES.md R1, KEP-1693), with Kubernetes' messages and in its order: structure
 * (apiextensions schema ValidateStructural), then defaults (defaulting ValidateDefaults), and whatever they say the rules
 * of OpenAPI (ValidateCustomResourceDefinitionOpenAPISchema). At most 50 errors.
 */
export function validateStructuralSchema(schema: JsonObject, path: string): SchemaErrors {
  const errors: FieldError[] = [];
  if (schema['nullable'] === true) {
    errors.push(forbiddenField(`${path}.nullable`, 'nullable cannot be true at the root'));
  }
  const openApi: FieldError[] = [];
  checkOpenApi(openApi, schema, path);
  const hasStructure = !anyNode(
    schema,
    (node) => asObjects(node['items']).length > 0 || unstructurable.some((name) => isPresent(node[name])),
  );
  let isStructural = false;
  if (hasStructure) {
    const structure: FieldError[] = [];
    invariants(structure, schema, path, 'root');
    completeness(structure, schema, schema, path, path);
    if (structure.length === 0) defaults(structure, schema, path, true);
    isStructural = structure.length === 0;
    errors.push(...structure.sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1)));
  }
  errors.push(...openApi);
  if (!hasStructure && errors.length === 0) {
    errors.push(invalid(path, '', "OpenAPIV3Schema 'schema' is not supported"));
  }
  return {
    errors: errors.slice(0, schemaErrorsMax),
    isStructural,
    refusedFields: openApi.map(({ field }) => field),
  };
}

function textOf({ field, message }: FieldError): string {
  return `${field}: ${message}`;
}

function anyNode(schema: JsonObject, test: (node: JsonObject) => boolean): boolean {
  return test(schema) || childrenOf(schema, '').some(([child]) => anyNode(child, test));
}

function invariants(errors: FieldError[], schema: JsonObject, path: string, level: Level): void {
  if (errors.length >= schemaErrorsMax) return;
  const type = schema['type'];
  const items = schemaAt(schema['items']);
  if (type === 'array' && items === undefined) errors.push(required(`${path}.items`, 'must be specified'));
  if (items !== undefined) invariants(errors, items, `${path}.items`, 'item');
  for (const [name, child] of propertiesAt(schema)) {
    invariants(errors, child, `${path}.properties[${name}]`, 'field');
  }
  const additional = schema['additionalProperties'];
  const hasAdditional = additional !== undefined && additional !== null;
  if (hasAdditional && level === 'root') {
    errors.push(forbiddenField(`${path}.additionalProperties`, 'must not be used at the root'));
  }
  const additionalSchema = schemaAt(additional);
  if (additionalSchema !== undefined) {
    invariants(errors, additionalSchema, `${path}.additionalProperties`, 'field');
  }
  intOrString(errors, schema, path);
  valueValidation(errors, schema, path, {
    anyOf: equalJson(schema['anyOf'], intOrStringAnyOf),
    firstAllOf: equalJson(asObjects(schema['allOf'])[0]?.['anyOf'], intOrStringAnyOf),
  });
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true;
  if (isEmbedded && type !== 'object') {
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    errors.push(isPresent(type) ? invalid(`${path}.type`, type, why) : required(`${path}.type`, why));
  } else if (
    !isPresent(type) &&
    schema['x-kubernetes-int-or-string'] !== true &&
    schema['x-kubernetes-preserve-unknown-fields'] !== true
  ) {
    errors.push(required(`${path}.type`, missingType[level]));
  }
  if (isEmbedded && hasAdditional) {
    const why = 'must not be used if x-kubernetes-embedded-resource is set';
    errors.push(forbiddenField(`${path}.additionalProperties`, why));
  }
  if (level === 'root' && isPresent(type) && type !== 'object') {
    errors.push(invalid(`${path}.type`, type, 'must be object at the root'));
  }
  resourceMembers(errors, schema, path, level, isEmbedded || level === 'root');
  if (
    isEmbedded &&
    schema['x-kubernetes-preserve-unknown-fields'] !== true &&
    propertiesAt(schema).length === 0
  ) {
    const why =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    errors.push(required(`${path}.properties`, why));
  }
}

const missingType: { readonly [level in Level]: string } = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

function intOrString(errors: FieldError[], schema: JsonObject, path: string): void {
  if (schema['x-kubernetes-int-or-string'] !== true) return;
  for (const name of ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource']) {
    if (schema[name] !== true) continue;
    errors.push(invalid(`${path}.${name}`, true, 'must be false if x-kubernetes-int-or-string is true'));
  }
}

/** Everybody's type and metadata are the same: a CRD may only narrow the names, at the root. */
function resourceMembers(
  errors: FieldError[],
  schema: JsonObject,
  path: string,
  level: Level,
  isResource: boolean,
): void {
  const properties = schemaAt(schema['properties']) ?? {};
  const mustBe = (name: string, type: string) => {
    const property = schemaAt(properties[name]);
    if (property === undefined || property['type'] === type) return;
    errors.push(invalid(`${path}.properties[${name}].type`, property['type'] ?? '', `must be ${type}`));
  };
  if (isResource) {
    mustBe('kind', 'string');
    mustBe('apiVersion', 'string');
    mustBe('metadata', 'object');
  }
  const metadata = schemaAt(properties['metadata']);
  if (metadata === undefined || level !== 'root') return;
  // Whether defaults may stand in it is for OpenAPI's rules.
  const { type: _a, properties: _b, default: _c, ...others } = metadata;
  const names = propertiesAt(metadata).map(([name]) => name);
  const isNarrowing = names.every((name) => name === 'name' || name === 'generateName');
  if (isNarrowing && !Object.values(others).some(isPresent)) return;
  errors.push(
    forbiddenField(
      `${path}.properties[metadata]`,
      'must not specify anything other than name and generateName, but metadata is implicitly specified',
    ),
  );
}

/** `skips`: the two forms that say what x-kubernetes-int-or-string means. */
function valueValidation(
  errors: FieldError[],
  schema: JsonObject,
  path: string,
  skips: { readonly anyOf: boolean; readonly firstAllOf: boolean },
): void {
  if (!skips.anyOf) {
    asObjects(schema['anyOf']).forEach((branch, index) => {
      nestedValidation(errors, branch, `${path}.anyOf[${index}]`, false);
    });
  }
  asObjects(schema['allOf']).forEach((branch, index) => {
    nestedValidation(errors, branch, `${path}.allOf[${index}]`, skips.firstAllOf && index === 0);
  });
  asObjects(schema['oneOf']).forEach((branch, index) => {
    nestedValidation(errors, branch, `${path}.oneOf[${index}]`, false);
  });
  const not = schemaAt(schema['not']);
  if (not !== undefined) nestedValidation(errors, not, `${path}.not`, false);
  const pattern = schema['pattern'];
  if (typeof pattern !== 'string' || pattern === '') return;
  try {
    goRegexp(pattern);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    errors.push(invalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${why}`));
  }
}

/** Inside allOf, anyOf, oneOf and not there are only validations. */
function nestedValidation(errors: FieldError[], schema: JsonObject, path: string, skipsAnyOf: boolean): void {
  if (errors.length >= schemaErrorsMax) return;
  valueValidation(errors, schema, path, { anyOf: skipsAnyOf, firstAllOf: false });
  const items = schemaAt(schema['items']);
  if (items !== undefined) nestedValidation(errors, items, `${path}.items`, false);
  for (const [name, child] of propertiesAt(schema)) {
    nestedValidation(errors, child, `${path}.properties[${name}]`, false);
  }
  for (const [member, must] of describing) {
    const value = schema[member];
    const isThere = must === 'undefined' ? value !== undefined && value !== null : isPresent(value);
    if (isThere) errors.push(forbiddenField(`${path}.${member}`, `must be ${must} to be structural`));
  }
  if (schemaAt(schema['properties'])?.['metadata'] !== undefined) {
    const why = 'must not be specified in a nested context';
    errors.push(forbiddenField(`${path}.properties[metadata]`, why));
  }
}

/** What the root's junctors speak of must be described outside of them (schema/complete.go). */
function completeness(
  errors: FieldError[],
  schema: JsonObject,
  described: JsonObject | undefined,
  path: string,
  describedPath: string,
): void {
  if (errors.length >= schemaErrorsMax) return;
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
    asObjects(schema[name]).forEach((branch, index) => {
      branchCompleteness(errors, branch, described, `${path}.${name}[${index}]`, describedPath);
    });
  }
  const not = schemaAt(schema['not']);
  if (not !== undefined) branchCompleteness(errors, not, described, `${path}.not`, describedPath);
}

function branchCompleteness(
  errors: FieldError[],
  branch: JsonObject,
  described: JsonObject | undefined,
  path: string,
  describedPath: string,
): void {
  if (described === undefined) {
    errors.push(required(describedPath, `because it is defined in ${path}`));
    return;
  }
  completeness(errors, branch, described, path, describedPath);
  const items = schemaAt(branch['items']);
  if (items !== undefined) {
    const there = schemaAt(described['items']);
    branchCompleteness(errors, items, there, `${path}.items`, `${describedPath}.items`);
  }
  const properties = schemaAt(described['properties']) ?? {};
  for (const [name, child] of propertiesAt(branch)) {
    const there = Object.hasOwn(properties, name) ? schemaAt(properties[name]) : undefined;
    const step = `properties[${name}]`;
    branchCompleteness(errors, child, there, `${path}.${step}`, `${describedPath}.${step}`);
  }
}

/**
 * Defaults must be valid themselves, hold no unknown fields and keep the rules (CEL) of what they stand for; where they may
 * not be at all they are not looked at: so nothing below additionalProperties is.
 */
function defaults(errors: FieldError[], schema: JsonObject, path: string, isResource: boolean): void {
  if (errors.length >= schemaErrorsMax) return;
  const value = schema['default'];
  if (value !== undefined && value !== null) checkDefault(errors, schema, value, `${path}.default`);
  const items = schemaAt(schema['items']);
  if (items !== undefined) {
    defaults(errors, items, `${path}.items`, items['x-kubernetes-embedded-resource'] === true);
  }
  for (const [name, child] of propertiesAt(schema)) {
    if (isResource && name === 'metadata') continue;
    const isEmbedded = child['x-kubernetes-embedded-resource'] === true;
    defaults(errors, child, `${path}.properties[${name}]`, isEmbedded);
  }
}

/** What errors name that are about a whole value. */
const rootName = '<nil>';

function checkDefault(errors: FieldError[], schema: JsonObject, value: JsonValue, path: string): void {
  const compiled = schemaFromJsonSchemaProps(schema);
  const pruned = cloneJson(value);
  pruneUnknown(compiled, pruned);
  if (!equalJson(pruned, value)) {
    errors.push(invalid(path, sortedMembers(value), 'must not have unknown fields'));
  }
  const { type: wanted } = schema;
  if (isPresent(wanted) && compiled.type === undefined) {
    // Refused elsewhere too; nothing has a type that nobody knows.
    const name = typeName(value);
    errors.push(typeInvalid(path, name, ` in body must be of type ${wanted}: "${name}"`));
    return;
  }
  // Whether a list's elements are distinct is not asked of defaults.
  const wrong = validateValue(compiled, value, '').filter(({ type }) => type !== 'FieldValueDuplicate');
  for (const { type, field, message } of wrong) {
    errors.push({ type, field: field === rootName ? path : `${path}.${field}`, message });
  }
  if (wrong.length > 0) return;
  const isResource = schema['x-kubernetes-embedded-resource'] === true;
  errors.push(...validateRulesOfDefault(compiled, isResource, value, path));
}

/** As Go prints a map. */
function sortedMembers(value: JsonValue): JsonValue {
  return JSON.parse(canonicalJson(value)) as JsonValue;
}

/** Formats that nobody knows, and that are therefore not checked (as Kubernetes warns). */
export function unknownFormats(schema: JsonObject): string[] {
  const warnings: string[] = [];
  const { format } = schema;
  if (typeof format === 'string' && format !== '') {
    const isKnown = schema['type'] === 'string' ? isKnownStringFormat(format) : numberFormats.has(format);
    if (!isKnown && format !== 'int-or-string') {
      warnings.push(`unrecognized format ${JSON.stringify(format)}`);
    }
  }
  for (const [child] of childrenOf(schema, '')) warnings.push(...unknownFormats(child));
  return warnings;
}
