import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { MessageTable, Wrappers } from './gnostic-encode.ts';

/** The messages of gnostic's OpenAPIv3.proto that Kubernetes' documents use: JSON member → [field number, type]. */
export const messagesV3: MessageTable = {
  Document: {
    fields: {
      openapi: [1, 'string'],
      info: [2, 'Info'],
      paths: [4, 'Paths'],
      components: [5, 'Components'],
      security: [6, '[]SecurityRequirement'],
    },
    extensions: 9,
  },
  Info: {
    fields: { title: [1, 'string'], description: [2, 'string'], version: [6, 'string'] },
    extensions: 7,
  },
  Paths: { fields: {}, extensions: 2, rest: [1, 'PathItem'] },
  Components: {
    fields: { schemas: [1, 'Schemas'], securitySchemes: [7, 'SecuritySchemes'] },
    extensions: 10,
  },
  Schemas: { fields: {}, rest: [1, 'SchemaOrReference'] },
  SecuritySchemes: { fields: {}, rest: [1, 'SecuritySchemeOrReference'] },
  SecurityRequirement: { fields: {}, rest: [1, 'strings'] },
  SecurityScheme: {
    fields: {
      type: [1, 'string'],
      description: [2, 'string'],
      name: [3, 'string'],
      in: [4, 'string'],
      scheme: [5, 'string'],
    },
    extensions: 9,
  },
  PathItem: {
    fields: {
      get: [4, 'Operation'],
      put: [5, 'Operation'],
      post: [6, 'Operation'],
      delete: [7, 'Operation'],
      patch: [10, 'Operation'],
      parameters: [13, '[]ParameterOrReference'],
    },
    extensions: 14,
  },
  Operation: {
    fields: {
      tags: [1, '[]string'],
      description: [3, 'string'],
      operationId: [5, 'string'],
      parameters: [6, '[]ParameterOrReference'],
      requestBody: [7, 'RequestBodyOrReference'],
      responses: [8, 'Responses'],
      deprecated: [10, 'bool'],
    },
    extensions: 13,
  },
  Parameter: {
    fields: {
      name: [1, 'string'],
      in: [2, 'string'],
      description: [3, 'string'],
      required: [4, 'bool'],
      schema: [10, 'SchemaOrReference'],
    },
    extensions: 14,
  },
  RequestBody: {
    fields: { description: [1, 'string'], content: [2, 'MediaTypes'], required: [3, 'bool'] },
    extensions: 4,
  },
  MediaTypes: { fields: {}, rest: [1, 'MediaType'] },
  MediaType: { fields: { schema: [1, 'SchemaOrReference'] }, extensions: 5 },
  Responses: { fields: {}, extensions: 3, rest: [2, 'ResponseOrReference'] },
  Response: { fields: { description: [1, 'string'], content: [3, 'MediaTypes'] }, extensions: 5 },
  Reference: { fields: { $ref: [1, 'string'] } },
  Schema: {
    fields: {
      nullable: [1, 'bool'],
      externalDocs: [6, 'ExternalDocs'],
      example: [7, 'any'],
      title: [9, 'string'],
      multipleOf: [10, 'double'],
      maximum: [11, 'double'],
      exclusiveMaximum: [12, 'bool'],
      minimum: [13, 'double'],
      exclusiveMinimum: [14, 'bool'],
      maxLength: [15, 'int64'],
      minLength: [16, 'int64'],
      pattern: [17, 'string'],
      maxItems: [18, 'int64'],
      minItems: [19, 'int64'],
      uniqueItems: [20, 'bool'],
      maxProperties: [21, 'int64'],
      minProperties: [22, 'int64'],
      required: [23, '[]string'],
      enum: [24, '[]any'],
      type: [25, 'string'],
      allOf: [26, '[]SchemaOrReference'],
      oneOf: [27, '[]SchemaOrReference'],
      anyOf: [28, '[]SchemaOrReference'],
      not: [29, 'Schema'],
      items: [30, 'ItemsItem'],
      properties: [31, 'Schemas'],
      additionalProperties: [32, 'AdditionalPropertiesItem'],
      default: [33, 'DefaultType'],
      description: [34, 'string'],
      format: [35, 'string'],
    },
    extensions: 36,
  },
  ExternalDocs: { fields: { description: [1, 'string'], url: [2, 'string'] } },
};

function orReference(type: string) {
  return (value: JsonValue): readonly [number, string] =>
    isJsonObject(value) && value['$ref'] !== undefined ? [2, 'Reference'] : [1, type];
}

export const wrappersV3: Wrappers = {
  SchemaOrReference: orReference('Schema'),
  SecuritySchemeOrReference: orReference('SecurityScheme'),
  ParameterOrReference: orReference('Parameter'),
  RequestBodyOrReference: orReference('RequestBody'),
  ResponseOrReference: orReference('Response'),
  ItemsItem: () => [1, 'SchemaOrReference'],
  AdditionalPropertiesItem: (value) => (typeof value === 'boolean' ? [2, 'bool'] : [1, 'SchemaOrReference']),
  // The message knows no other defaults.
  DefaultType: (value) => {
    if (typeof value === 'number') return [1, 'double'];
    if (typeof value === 'boolean') return [2, 'bool'];
    return typeof value === 'string' ? [3, 'string'] : undefined;
  },
};
