import fc from 'fast-check';

/** As far as OpenAPI v3 documents of the server use it. */
export interface OpenApiSchema {
  readonly $ref?: string;
  readonly allOf?: readonly OpenApiSchema[];
  readonly oneOf?: readonly OpenApiSchema[];
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: { readonly [name: string]: OpenApiSchema };
  readonly required?: readonly string[];
  readonly items?: OpenApiSchema;
  readonly additionalProperties?: OpenApiSchema;
}

export type OpenApiSchemas = { readonly [name: string]: OpenApiSchema };

const depthMax = 9;
const refPrefix = '#/components/schemas/';

const texts = fc.constantFrom(
  ...[
    '',
    'a',
    'b',
    'a/b',
    'x1',
    'TCP',
    'ClusterIP',
    'ExternalName',
    'Always',
    'Never',
    '50%',
    '100m',
    '1Gi',
    '-1',
  ],
  ...[
    '10.0.0.1',
    '::1',
    '10.0.0.0/8',
    '* * * * *',
    'In',
    'Exists',
    'http',
    'http://x',
    '/x',
    '../x',
    '\u0000',
  ],
  ...[
    'v1',
    'apps/v1',
    'rbac.authorization.k8s.io',
    'RollingUpdate',
    'Utilization',
    'Resource',
    'cpu',
    'memory',
  ],
  ...[
    'Memory',
    'Bidirectional',
    'UTC',
    'Europe/Zürich',
    'ΑΒΓ',
    'x'.repeat(64),
    'x'.repeat(300),
    'constructor',
  ],
);
const integers = fc.constantFrom(0, 1, 2, -1, 80, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 53);

/** Objects that decode, in that every field has its type; whether they are valid is left to chance. */
export function wellTyped(schemas: OpenApiSchemas, name: string): fc.Arbitrary<unknown> {
  return fieldValue({ $ref: refPrefix + name }, schemas, 0);
}

function fieldValue(schema: OpenApiSchema, schemas: OpenApiSchemas, depth: number): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(refPrefix.length);
    // Made when it is needed: schemas of schemas refer to themselves.
    return fc.constant(null).chain(() => fieldValue(schemas[name] ?? {}, schemas, depth));
  }
  if (schema.allOf?.[0] !== undefined) return fieldValue(schema.allOf[0], schemas, depth);
  if (schema.oneOf !== undefined) return fc.oneof(texts, integers);
  switch (schema.type) {
    case 'string':
      if (schema.enum !== undefined) return fc.oneof(fc.constantFrom(...schema.enum), texts);
      if (schema.format === 'date-time')
        return fc.constantFrom('2020-01-01T00:00:00Z', '9999-12-31T23:59:59.9Z');
      if (schema.format === 'byte') return fc.constantFrom('', 'YQ==', 'not base64');
      return texts;
    case 'integer':
      return integers;
    case 'number':
      return fc.constantFrom(0, 1.5, -1, 1e300);
    case 'boolean':
      return fc.boolean();
    case 'array':
      return depth >= depthMax
        ? fc.constant([])
        : fc.array(fieldValue(schema.items ?? {}, schemas, depth + 1), { maxLength: 2 });
    default:
      return objectOf(schema, schemas, depth);
  }
}

function objectOf(schema: OpenApiSchema, schemas: OpenApiSchemas, depth: number): fc.Arbitrary<unknown> {
  const { properties, additionalProperties, required = [] } = schema;
  if (depth >= depthMax) return fc.constant({});
  if (properties === undefined) {
    if (additionalProperties === undefined) return fc.constantFrom({}, { a: 1 });
    return fc.dictionary(texts, fieldValue(additionalProperties, schemas, depth + 1), { maxKeys: 2 });
  }
  const names = Object.keys(properties).filter((name) => name !== 'status');
  // A few fields at a time, the required ones nearly always: most that is generated then gets past the first check.
  return fc
    .tuple(
      fc.subarray(names, { maxLength: Math.min(names.length, 5) }),
      fc.subarray([...required]),
      fc.nat(9),
    )
    .chain(([some, few, most]) => {
      const chosen = new Set([...some, ...(most === 0 ? few : required)]);
      return fc.record(
        Object.fromEntries(
          [...chosen].map((name) => [name, fieldValue(properties[name] ?? {}, schemas, depth + 1)]),
        ),
      );
    });
}
