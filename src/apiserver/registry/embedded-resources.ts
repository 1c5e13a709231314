import { objectMetaSchema } from '#api/builtin/builtin-schema.ts';
import { canonicalJson } from '#apimachinery/canonical-json.ts';
import { type FieldError, invalid } from '#apimachinery/field-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { pathSegmentName } from '#apimachinery/names.ts';
import type { ObjectMeta } from '#apimachinery/object.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { pruneUnknown } from '#apimachinery/schema-walk/prune.ts';
import { typeMismatch, wordFor } from '../request/go-words.ts';
import {
  type MetadataRules,
  metadataTypeErrors,
  normalizeMetadata,
  validateMetadata,
} from './validate-metadata.ts';

const holders = new WeakMap<Schema, boolean>();

/** Whether objects of a CRD's schema, which is a tree, can have resources within them: found once for each schema. */
function hasEmbedded(schema: Schema): boolean {
  let found = holders.get(schema);
  if (found === undefined) {
    found =
      schema.embeddedResource === true ||
      (schema.properties !== undefined && [...schema.properties.values()].some(hasEmbedded)) ||
      (schema.additionalProperties !== undefined && hasEmbedded(schema.additionalProperties)) ||
      (schema.items !== undefined && hasEmbedded(schema.items));
    holders.set(schema, found);
  }
  return found;
}

/** All resources within a value, with where they are. */
function* embeddedIn(schema: Schema, value: JsonValue, path: string): Generator<[JsonObject, string]> {
  if (!hasEmbedded(schema)) return;
  if (Array.isArray(value)) {
    if (schema.items === undefined) return;
    for (const [index, item] of value.entries()) yield* embeddedIn(schema.items, item, `${path}[${index}]`);
    return;
  }
  if (!isJsonObject(value)) return;
  if (schema.embeddedResource === true) yield [value, path];
  for (const key in value) {
    const property = schema.properties?.get(key);
    const child = value[key];
    if (child === undefined) continue;
    if (property !== undefined) yield* embeddedIn(property, child, path === '' ? key : `${path}.${key}`);
    else if (schema.additionalProperties !== undefined) {
      yield* embeddedIn(schema.additionalProperties, child, `${path}[${key}]`);
    }
  }
}

export interface CoercedResources {
  /** Fields of embedded metadata that nobody knows, taken out. */
  readonly unknown: readonly string[];
  /** Why one of the resources cannot be decoded; they are then as they were. */
  readonly fault: string | undefined;
}

/**
 * Brings the resources within an object into the form that a decoder of ObjectMeta gives them, in place: unknown fields
 * of their metadata go, and what is empty (apiextensions objectmeta.CoerceWithOptions; KUBERNETES.md R3).
 */
export function coerceEmbedded(schema: Schema, object: JsonObject): CoercedResources {
  const unknown: string[] = [];
  for (const [resource, path] of embeddedIn(schema, object, '')) {
    for (const key of ['apiVersion', 'kind']) {
      const value = resource[key];
      if (value === undefined || typeof value === 'string') continue;
      return { unknown, fault: textOf(invalid(`${path}.${key}`, value, 'must be a string')) };
    }
    const { metadata } = resource;
    if (metadata === undefined) continue;
    if (metadata === null) {
      resource['metadata'] = {};
      continue;
    }
    const fault = metadataFault(metadata);
    if (fault !== undefined || !isJsonObject(metadata)) {
      return { unknown, fault: `${path}.metadata: Invalid value: ${canonicalJson(metadata)}: ${fault}` };
    }
    for (const field of pruneUnknown(objectMetaSchema(), metadata)) unknown.push(`${path}.metadata.${field}`);
    normalizeMetadata(metadata as ObjectMeta);
    if (Array.isArray(metadata['managedFields']) && metadata['managedFields'].length === 0) {
      delete metadata['managedFields'];
    }
    if (metadata['generation'] === 0) delete metadata['generation'];
  }
  return { unknown, fault: undefined };
}

function metadataFault(metadata: JsonValue): string | undefined {
  if (!isJsonObject(metadata)) {
    return `json: cannot unmarshal ${wordFor(metadata)} into Go value of type v1.ObjectMeta`;
  }
  const [error] = metadataTypeErrors(metadata);
  if (error === undefined) return undefined;
  return typeMismatch(objectMetaSchema(), metadata) ?? textOf(error);
}

function textOf({ field, message }: FieldError): string {
  return `${field}: ${message}`;
}

/** An embedded resource needs no name, and one is fit that can stand in a path. */
const rules = { group: '', origin: 'custom', strategy: { validateName: pathSegmentName } } as const;

/** What is wrong with the metadata of resources within an object (apiextensions objectmeta.Validate). */
export function embeddedErrors(schema: Schema, object: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const [{ metadata }, path] of embeddedIn(schema, object, '')) {
    if (metadata === undefined || !isJsonObject(metadata) || metadataTypeErrors(metadata).length > 0)
      continue;
    const named = { ...metadata, name: metadata['name'] || 'fakename' } as ObjectMeta;
    const own: MetadataRules = { ...rules, namespaced: named.namespace !== undefined };
    for (const error of validateMetadata(named, own))
      errors.push({ ...error, field: `${path}.${error.field}` });
  }
  return errors;
}
