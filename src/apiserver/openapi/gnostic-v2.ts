import { isJsonObject } from '#apimachinery/json.ts';
import type { Message, MessageTable, Wrappers } from './gnostic-encode.ts';

const parameterFields = (shift: number): Message['fields'] => ({
  required: [1, 'bool'],
  in: [2, 'string'],
  description: [3, 'string'],
  name: [4, 'string'],
  type: [5 + shift, 'string'],
  format: [6 + shift, 'string'],
  uniqueItems: [19 + shift, 'bool'],
});

/** The messages of gnostic's OpenAPIv2.proto that Kubernetes' documents use: JSON member → [field number, type]. */
export const messagesV2: MessageTable = {
  Document: {
    fields: {
      swagger: [1, 'string'],
      info: [2, 'Info'],
      paths: [8, 'Paths'],
      definitions: [9, 'Definitions'],
      security: [12, '[]SecurityRequirement'],
      securityDefinitions: [13, 'SecurityDefinitions'],
    },
    extensions: 16,
  },
  Info: {
    fields: { title: [1, 'string'], version: [2, 'string'], description: [3, 'string'] },
    extensions: 7,
  },
  Paths: { fields: {}, extensions: 1, rest: [2, 'PathItem'] },
  Definitions: { fields: {}, rest: [1, 'Schema'] },
  SecurityRequirement: { fields: {}, rest: [1, 'strings'] },
  SecurityDefinitions: { fields: {}, rest: [1, 'SecurityDefinitionsItem'] },
  ApiKeySecurity: {
    fields: {
      type: [1, 'string'],
      name: [2, 'string'],
      in: [3, 'string'],
      description: [4, 'string'],
    },
    extensions: 5,
  },
  PathItem: {
    fields: {
      get: [2, 'Operation'],
      put: [3, 'Operation'],
      post: [4, 'Operation'],
      delete: [5, 'Operation'],
      patch: [8, 'Operation'],
      parameters: [9, '[]ParametersItem'],
    },
    extensions: 10,
  },
  Operation: {
    fields: {
      tags: [1, '[]string'],
      description: [3, 'string'],
      operationId: [5, 'string'],
      produces: [6, '[]string'],
      consumes: [7, '[]string'],
      parameters: [8, '[]ParametersItem'],
      responses: [9, 'Responses'],
      schemes: [10, '[]string'],
      deprecated: [11, 'bool'],
      security: [12, '[]SecurityRequirement'],
    },
    extensions: 13,
  },
  BodyParameter: {
    fields: {
      description: [1, 'string'],
      name: [2, 'string'],
      in: [3, 'string'],
      required: [4, 'bool'],
      schema: [5, 'Schema'],
    },
    extensions: 6,
  },
  QueryParameterSubSchema: { fields: parameterFields(1), extensions: 23 },
  PathParameterSubSchema: { fields: parameterFields(0), extensions: 22 },
  Responses: { fields: {}, extensions: 2, rest: [1, 'ResponseValue'] },
  Response: { fields: { description: [1, 'string'], schema: [2, 'SchemaItem'] }, extensions: 5 },
  Schema: {
    fields: {
      $ref: [1, 'string'],
      format: [2, 'string'],
      title: [3, 'string'],
      description: [4, 'string'],
      default: [5, 'any'],
      multipleOf: [6, 'double'],
      maximum: [7, 'double'],
      exclusiveMaximum: [8, 'bool'],
      minimum: [9, 'double'],
      exclusiveMinimum: [10, 'bool'],
      maxLength: [11, 'int64'],
      minLength: [12, 'int64'],
      pattern: [13, 'string'],
      maxItems: [14, 'int64'],
      minItems: [15, 'int64'],
      uniqueItems: [16, 'bool'],
      maxProperties: [17, 'int64'],
      minProperties: [18, 'int64'],
      required: [19, '[]string'],
      enum: [20, '[]any'],
      additionalProperties: [21, 'AdditionalPropertiesItem'],
      type: [22, 'strings'],
      items: [23, 'ItemsItem'],
      allOf: [24, '[]Schema'],
      properties: [25, 'Definitions'],
      externalDocs: [29, 'ExternalDocs'],
      example: [30, 'any'],
    },
    extensions: 31,
  },
  ExternalDocs: { fields: { description: [1, 'string'], url: [2, 'string'] } },
};

export const wrappersV2: Wrappers = {
  SecurityDefinitionsItem: () => [2, 'ApiKeySecurity'],
  ParametersItem: () => [1, 'Parameter'],
  Parameter: (value) =>
    isJsonObject(value) && value['in'] === 'body' ? [1, 'BodyParameter'] : [2, 'NonBodyParameter'],
  NonBodyParameter: (value) =>
    isJsonObject(value) && value['in'] === 'path'
      ? [4, 'PathParameterSubSchema']
      : [3, 'QueryParameterSubSchema'],
  ResponseValue: () => [1, 'Response'],
  SchemaItem: () => [1, 'Schema'],
  ItemsItem: () => [1, 'Schema'],
  AdditionalPropertiesItem: (value) => (typeof value === 'boolean' ? [2, 'bool'] : [1, 'Schema']),
};
