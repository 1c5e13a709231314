import { type ApiError, isApiError } from '#apimachinery/api-error.ts';
import { invalid, invalidObject } from '#apimachinery/field-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { quantityDefinition } from '#apimachinery/quantity.ts';
import { timeFault } from '#apimachinery/rfc3339.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { goMicroTime } from '#apimachinery/schema-walk/formats.ts';
import { goKindOf, goText, goTypeOf } from '../patch/go-text.ts';
import { base64Fault, quantityFault, wordFor } from '../request/go-words.ts';

/**
 * 422 for a patch of which comes what cannot be decoded, for `error`, which said so (apiserver `jsonPatcher`). Kubernetes
 * shows the whole object with it; the patch alone is told here: who may patch an object may not always read it. Any other
 * error is given back.
 */
export function refusalOf(patch: JsonValue, error: unknown): unknown {
  if (!isApiError(error, 'BadRequest')) return error;
  return refused(JSON.stringify(patch), whyOf(error.message));
}

function refused(patch: string, why: string): ApiError {
  return invalidObject({ group: '', kind: '' }, '', [invalid('patch', patch, why)]);
}

/** The decoder's words without those of who asked it. */
function whyOf(message: string): string {
  const found = /^\S+ in version "[^"]*" cannot be handled as a \S+: /.exec(message);
  return found === null ? message : message.slice(found[0].length);
}

const strict = 'strict decoding error: ';

/**
 * 422 for a strategic merge patch of which comes what is no object of the kind, for `error`, which said so. Its result is
 * not decoded: it is converted value by value, and refused in the converter's words, which name no field but show the
 * patch (apiserver `applyPatchToObject`). `patch`: what is left of it once it has been merged. The error itself when all
 * values convert.
 */
export function strategicRefusal(
  schema: Schema,
  patched: JsonObject,
  patch: JsonObject,
  error: unknown,
): unknown {
  if (!isApiError(error, 'BadRequest')) return error;
  const why = whyOf(error.message);
  const fault = conversionFault(schema, patched) ?? (why.startsWith(strict) ? why : undefined);
  return fault === undefined ? error : refused(goText(patch), fault);
}

/** The first value that apimachinery's converter cannot set, in its words (`pkg/runtime/converter.go`). */
function conversionFault(schema: Schema, value: JsonValue): string | undefined {
  if (value === null) return undefined;
  if (schema.definition === quantityDefinition) return quantityFault(value);
  if (schema.intOrString === true) return intOrStringFault(value);
  if (schema.type === undefined || schema.preserveUnknownFields === true) return undefined;
  const format = schema.validation?.format;
  if (format === 'date-time') return noTime(schema, value);
  if (format === 'byte') return bytesFault(value);
  switch (schema.type) {
    case 'object':
      return objectFault(schema, value);
    case 'array':
      if (!Array.isArray(value)) return `cannot restore slice from ${goKindOf(value)}`;
      return schema.items === undefined ? undefined : firstFault(schema.items, value);
    case 'integer':
      return numberFault(format ?? 'int64', value);
    case 'number':
      return typeof value === 'number' ? undefined : 'unrecognized type: float64';
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'unrecognized type: bool';
    default:
      if (typeof value === 'string') return undefined;
      return Number.isInteger(value) ? 'cannot convert int64 to string' : 'unrecognized type: string';
  }
}

function firstFault(items: Schema, list: readonly JsonValue[]): string | undefined {
  for (const item of list) {
    const fault = conversionFault(items, item);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function objectFault({ properties, additionalProperties }: Schema, value: JsonValue): string | undefined {
  const isStruct = properties !== undefined;
  if (!isJsonObject(value)) {
    return isStruct
      ? `cannot restore struct from: ${goKindOf(value)}`
      : `cannot restore map from ${goKindOf(value)}`;
  }
  for (const key in value) {
    const field = properties?.get(key) ?? additionalProperties;
    const member = value[key];
    if (field === undefined || member === undefined) continue;
    const fault = conversionFault(field, member);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Whole numbers of any size are cut to fit; the schema finds those later. */
function numberFault(goType: string, value: JsonValue): string | undefined {
  if (typeof value !== 'number') return `unrecognized type: ${goType}`;
  return Number.isInteger(value) ? undefined : `cannot convert ${goTypeOf(value)} to ${goType}`;
}

function intOrStringFault(value: JsonValue): string | undefined {
  if (typeof value === 'string' || Number.isInteger(value)) return undefined;
  const told = typeof value === 'number' ? `number ${value}` : wordFor(value);
  return `json: cannot unmarshal ${told} into Go value of type int32`;
}

function noTime({ validation }: Schema, value: JsonValue): string | undefined {
  if (typeof value === 'string') return timeFault(value, validation === goMicroTime ? 'micro' : 'seconds');
  return `json: cannot unmarshal ${wordFor(value)} into Go value of type string`;
}

function bytesFault(value: JsonValue): string | undefined {
  if (typeof value !== 'string') {
    return Array.isArray(value) ? 'unrecognized type: uint8' : `cannot restore slice from ${goKindOf(value)}`;
  }
  const fault = base64Fault(value);
  return fault === undefined ? undefined : `error decoding from json: ${fault}`;
}
