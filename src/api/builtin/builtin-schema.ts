import type { Schema } from '#apimachinery/schema.ts';
import { goBytes, goMicroTime } from '#apimachinery/schema-walk/formats.ts';
import type { FieldExtras, TypeExpression } from './catalogue-types.ts';
import { catalogueType } from './catalogue-types.ts';

const meta = 'apimachinery.pkg.apis.meta.v1';
const apiextensions = 'apiextensions-apiserver.pkg.apis.apiextensions.v1';

/** A Schema under construction: registered before its properties are known, so that recursive types close on themselves. */
type Draft = { -readonly [key in keyof Schema]: Schema[key] };

const schemas = new Map<string, Draft>();

/**
 * The schema of a built-in OpenAPI definition, by its full name (`io.k8s.api.apps.v1.Deployment`); undefined when
 * Kubernetes has none of that name. Built when first asked for and shared from then on.
 */
export function builtinSchema(definition: string): Schema | undefined {
  if (!definition.startsWith('io.k8s.')) return undefined;
  return namedSchema(definition.slice('io.k8s.'.length));
}

/** The schema of meta/v1 ObjectMeta, which custom resources share with built-in kinds. */
export function objectMetaSchema(): Schema {
  return requiredSchema(`${meta}.ObjectMeta`);
}

function requiredSchema(path: string): Draft {
  const schema = namedSchema(path);
  if (schema === undefined) throw new Error(`catalogue lacks ${path}`);
  return schema;
}

function namedSchema(path: string): Draft | undefined {
  const known = schemas.get(path);
  if (known !== undefined) return known;
  const type = catalogueType(path);
  if (type === undefined) return undefined;
  const draft: Draft = { definition: `io.k8s.${path}` };
  schemas.set(path, draft);
  const special = specialTypes[path];
  if (special !== undefined) {
    special(draft);
    return draft;
  }
  draft.type = 'object';
  if (type.mt !== undefined) draft.mapType = type.mt;
  if (type.r !== undefined) draft.required = type.r.filter((field) => !isTime(type.p?.[field]));
  draft.unasked = unaskedFields[path];
  draft.properties = propertiesOf(type.p ?? {});
  return draft;
}

/** Without a selector a DaemonSet selects nothing, which is told of its template alone (apps/validation, ValidateDaemonSetSpec). */
const unaskedFields: Readonly<Record<string, readonly string[]>> = {
  'api.apps.v1.DaemonSetSpec': ['selector'],
};

/** A required time that is missing is Go's zero time, which no server refuses and no text stands for. */
function isTime(field: TypeExpression | readonly [TypeExpression, FieldExtras] | undefined): boolean {
  return field === `#${meta}.Time` || field === `#${meta}.MicroTime`;
}

function propertiesOf(fields: {
  readonly [field: string]: TypeExpression | readonly [TypeExpression, FieldExtras];
}): ReadonlyMap<string, Schema> {
  const properties = new Map<string, Schema>();
  for (const field in fields) {
    const entry = fields[field]!;
    properties.set(
      field,
      typeof entry === 'string' ? expressionSchema(entry) : withExtras(expressionSchema(entry[0]), entry[1]),
    );
  }
  return properties;
}

/** Copies: the named type itself must not carry what belongs to one field of it. */
function withExtras(schema: Draft, extras: FieldExtras): Schema {
  const copy: Draft = { ...schema };
  if (extras.lt !== undefined) copy.listType = extras.lt;
  if (extras.lk !== undefined) copy.listMapKeys = extras.lk;
  if (extras.mt !== undefined) copy.mapType = extras.mt;
  if (extras.ps !== undefined) copy.patchStrategy = extras.ps;
  if (extras.pk !== undefined) copy.patchMergeKey = extras.pk;
  if (copy.properties === undefined && schema.type === 'object' && schema.definition !== undefined) {
    // A recursive reference: `schema` is still being filled. No built-in type has one with extras.
    throw new Error(`${schema.definition} carries extras inside itself`);
  }
  return copy;
}

function expressionSchema(expression: TypeExpression): Draft {
  if (expression.startsWith('#')) return requiredSchema(expression.slice(1));
  if (expression.startsWith('[]')) return { type: 'array', items: expressionSchema(expression.slice(2)) };
  if (expression.startsWith('{}')) {
    return { type: 'object', additionalProperties: expressionSchema(expression.slice(2)) };
  }
  const scalar = scalars[expression];
  if (scalar === undefined) throw new Error(`catalogue has an unknown type ${expression}`);
  return scalar;
}

const scalars: { readonly [expression: string]: Schema } = {
  string: { type: 'string' },
  bytes: { type: 'string', validation: goBytes },
  bool: { type: 'boolean' },
  int32: { type: 'integer', validation: { format: 'int32' } },
  int64: { type: 'integer', validation: { format: 'int64' } },
  double: { type: 'number', validation: { format: 'double' } },
  object: { type: 'object', preserveUnknownFields: true },
};

/**
 * Types whose JSON form is not a struct. Quantity reads numbers as well as text (apimachinery's Quantity.UnmarshalJSON);
 * a RawExtension may hold partial objects (ControllerRevision.data), so it is not an embedded resource here.
 */
const specialTypes: { readonly [path: string]: (draft: Draft) => void } = {
  [`${meta}.Time`]: (draft) => {
    draft.type = 'string';
    draft.validation = { format: 'date-time' };
  },
  [`${meta}.MicroTime`]: (draft) => {
    draft.type = 'string';
    draft.validation = goMicroTime;
  },
  'apimachinery.pkg.api.resource.Quantity': (draft) => {
    draft.validation = { anyOf: [{ type: 'string' }, { type: 'number' }] };
  },
  'apimachinery.pkg.util.intstr.IntOrString': (draft) => {
    draft.intOrString = true;
  },
  // Raw bytes to the decoder: what is no set of fields is found by who reads them.
  [`${meta}.FieldsV1`]: (draft) => {
    draft.preserveUnknownFields = true;
  },
  // Raw bytes too: that they are no object is found by the kind's validation.
  'apimachinery.pkg.runtime.RawExtension': (draft) => {
    draft.preserveUnknownFields = true;
  },
  [`${meta}.Patch`]: openObject,
  [`${apiextensions}.JSON`]: (draft) => {
    draft.preserveUnknownFields = true;
  },
  // Unions with plain values (true, ["a"], …): the object form is known, the others are told by having no type.
  [`${apiextensions}.JSONSchemaPropsOrArray`]: jsonSchemaUnion,
  [`${apiextensions}.JSONSchemaPropsOrBool`]: jsonSchemaUnion,
  [`${apiextensions}.JSONSchemaPropsOrStringArray`]: jsonSchemaUnion,
};

function openObject(draft: Draft): void {
  draft.type = 'object';
  draft.preserveUnknownFields = true;
}

function jsonSchemaUnion(draft: Draft): void {
  const props = requiredSchema(`${apiextensions}.JSONSchemaProps`);
  if (props.properties !== undefined) {
    draft.properties = props.properties;
    return;
  }
  // JSONSchemaProps is being built around us: its properties exist only once it is done.
  Object.defineProperty(draft, 'properties', { get: () => props.properties, enumerable: true });
}
