import { duplicate, type FieldError, invalid, required, tooMany } from '#apimachinery/field-error.ts';
import { asObjects, asText, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { plainPath } from '#apimachinery/jsonpath.ts';
import { fieldAtPath } from './field-path.ts';
import { isPresent } from './schema-nodes.ts';
import { validateSchemaRules } from './validate-rules.ts';
import { validateStructuralSchema } from './validate-schema.ts';

const columnTypes = ['integer', 'number', 'string', 'boolean', 'date'];

const columnFormats = ['int32', 'int64', 'float', 'double', 'byte', 'date', 'date-time', 'password'];

const selectableFieldsMax = 8;

/** Members of the root schema that may stand beside a status subresource (apiextensions validation.go). */
const rootFieldsWithStatus: ReadonlySet<string> = new Set([
  'description',
  'type',
  'format',
  'title',
  'maximum',
  'exclusiveMaximum',
  'minimum',
  'exclusiveMinimum',
  'maxLength',
  'minLength',
  'pattern',
  'maxItems',
  'minItems',
  'uniqueItems',
  'multipleOf',
  'required',
  'items',
  'properties',
  'externalDocs',
  'example',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-validations',
]);

export function validateVersionSchema(
  schema: JsonObject,
  path: string,
  hasStatus: boolean,
  errors: FieldError[],
): void {
  if (hasStatus) validateRootWithStatus(schema, path, errors);
  const { errors: wrong, isStructural, refusedFields } = validateStructuralSchema(schema, path);
  errors.push(...wrong);
  if (isStructural) errors.push(...validateSchemaRules(schema, path, refusedFields));
}

export function validateDeprecation(version: JsonObject, path: string, errors: FieldError[]): void {
  const warning = version['deprecationWarning'];
  if (typeof warning !== 'string') return;
  const field = `${path}.deprecationWarning`;
  if (version['deprecated'] !== true) {
    errors.push(invalid(field, warning, 'can only be set for deprecated versions'));
    return;
  }
  if (Buffer.byteLength(warning) > 256) {
    errors.push(invalid(field, warning, 'must be <= 256 characters long'));
  }
  if (warning === '') errors.push(invalid(field, warning, 'must not be an empty string'));
  // Go's IsPrint: letters, marks, numbers, punctuation, symbols and the space.
  const match = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(warning);
  if (match === null) return;
  const at = Buffer.byteLength(warning.slice(0, match.index));
  const why = `must only contain printable UTF-8 characters; non-printable character found at index ${at}`;
  errors.push(invalid(field, warning, why));
}

/** The first that may not be there, in the order in which Kubernetes goes through them: type is the fifth. */
function validateRootWithStatus(schema: JsonObject, path: string, errors: FieldError[]): void {
  const { type } = schema;
  const isBeforeType = ['id', '$schema', '$ref'].some((name) => isPresent(schema[name]));
  if (isPresent(type) && type !== 'object' && !isBeforeType) {
    const why =
      'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
    errors.push(invalid(`${path}.type`, type, why));
    return;
  }
  for (const name in schema) {
    if (rootFieldsWithStatus.has(name) || isZero(schema[name])) continue;
    errors.push(
      invalid(
        path,
        name,
        `only ${[...rootFieldsWithStatus].join(' ')} fields are allowed at the root of the schema if the status subresource is enabled`,
      ),
    );
    return;
  }
}

function isZero(value: JsonValue | undefined): boolean {
  return value === undefined || value === null || value === false || value === '';
}

/** Begins with a dot; that is all that Kubernetes asks of these paths. */
function simplePathError(field: string, value: string): FieldError | undefined {
  return value.startsWith('.')
    ? undefined
    : invalid(field, value, 'must be a simple json path starting with .');
}

export function validateScale(scale: JsonObject, path: string, errors: FieldError[]): void {
  const check = (name: string, roots: readonly string[], where: string, isRequired: boolean) => {
    const value = asText(scale[name]);
    const field = `${path}.${name}`;
    if (value === '') {
      if (isRequired) errors.push(required(field));
      return;
    }
    const wrong = simplePathError(field, value);
    if (wrong !== undefined) errors.push(wrong);
    else if (!roots.some((root) => value.startsWith(root))) {
      errors.push(invalid(field, value, `should be a json path under ${where}`));
    } else if (plainPath(value) === undefined) {
      // Kubernetes takes these, and then finds nothing there: a Scale of ours is never empty for that.
      const why = 'is an invalid path: must be a simple json path without array notation';
      errors.push(invalid(field, value, why));
    }
  };
  check('specReplicasPath', ['.spec.'], '.spec', true);
  check('statusReplicasPath', ['.status.'], '.status', true);
  check('labelSelectorPath', ['.spec.', '.status.'], 'either .spec or .status', false);
}

export function validateColumns(columns: readonly JsonObject[], path: string, errors: FieldError[]): void {
  columns.forEach((column, index) => {
    const at = `${path}[${index}]`;
    const type = asText(column['type']);
    const format = asText(column['format']);
    const jsonPath = asText(column['jsonPath']);
    const oneOf = (values: readonly string[]) => `must be one of ${[...values].sort().join(',')}`;
    if (asText(column['name']) === '') errors.push(required(`${at}.name`));
    if (type === '') errors.push(required(`${at}.type`, oneOf(columnTypes)));
    else if (!columnTypes.includes(type)) errors.push(invalid(`${at}.type`, type, oneOf(columnTypes)));
    if (format !== '' && !columnFormats.includes(format)) {
      errors.push(invalid(`${at}.format`, format, oneOf(columnFormats)));
    }
    if (jsonPath === '') {
      errors.push(required(`${at}.JSONPath`));
      return;
    }
    const wrong = simplePathError(`${at}.JSONPath`, jsonPath);
    if (wrong !== undefined) errors.push(wrong);
  });
}

/** KEP-4358: at most eight scalar fields, named by a plain path, none of metadata. */
export function validateSelectableFields(
  version: JsonObject,
  schema: JsonObject,
  path: string,
  errors: FieldError[],
): void {
  const fields = asObjects(version['selectableFields']);
  const seen = new Set<string>();
  fields.forEach((field, index) => {
    const at = `${path}[${index}].jsonPath`;
    const jsonPath = asText(field['jsonPath']);
    if (jsonPath === '') {
      errors.push(required(at));
      return;
    }
    const found = fieldAtPath(schema, jsonPath, false);
    if ('error' in found) {
      errors.push(invalid(at, jsonPath, `is an invalid path: ${found.error}`));
      return;
    }
    if (found.names[0] === 'metadata') {
      errors.push(invalid(at, jsonPath, 'must not point to fields in metadata'));
    }
    if (!['string', 'boolean', 'integer'].includes(asText(found.schema['type']))) {
      const why =
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
      errors.push(invalid(at, jsonPath, why));
    }
    const name = found.names.join('.');
    if (seen.has(name)) errors.push(duplicate(at, jsonPath));
    seen.add(name);
  });
  if (seen.size > selectableFieldsMax) errors.push(tooMany(path, seen.size, selectableFieldsMax));
}
