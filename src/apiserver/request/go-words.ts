import { embeddingOf, goTypeName } from '#api/builtin/go-types.ts';
import {
  type JsonSchemaUnion,
  jsonSchemaPropsDefinition,
  jsonSchemaUnions,
} from '#api/builtin/json-schema-unions.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { isQuantity, quantityDefinition, quantityForm } from '#apimachinery/quantity.ts';
import { timeFault } from '#apimachinery/rfc3339.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { goMicroTime } from '#apimachinery/schema-walk/formats.ts';

/** encoding/json's word for a value's type. */
export function wordFor(value: JsonValue): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** `cannot unmarshal array into Go value of type struct {…}`: a whole document that is no object. */
export function notAnObject(value: JsonValue): string {
  const fields = [
    'APIVersion string "json:\\"apiVersion,omitempty\\""',
    'Kind string "json:\\"kind,omitempty\\""',
  ];
  return `couldn't get version/kind; json parse error: json: cannot unmarshal ${wordFor(value)} into Go value of type struct { ${fields.join('; ')} }`;
}

/** The Go package of a group's kinds: `rbac.authorization.k8s.io` → `rbac`; events have been core's since ever. */
export function internalPackage(group: string): string {
  if (group === '' || group === 'events.k8s.io') return 'core';
  const dot = group.indexOf('.');
  return dot < 0 ? group : group.slice(0, dot);
}

/**
 * Why Go could not have decoded a value into its type, in encoding/json's words: `json: cannot unmarshal number into Go
 * struct field EnvVar.spec.containers.env.value of type string`. Undefined when there is no such reason. Types that decode
 * themselves tell in their own words and end the decoding; of all others the first in the document's order is told, when all
 * of it has been read (sigs.k8s.io/json decodeState.saveError).
 */
export function typeMismatch(schema: Schema, value: JsonValue): string | undefined {
  const faults: Faults = { first: undefined };
  return (
    mismatchAt(schema, value, { struct: structName(schema), path: '', type: undefined }, faults) ??
    faults.first
  );
}

interface Place {
  /** The Go struct whose field is being decoded. */
  readonly struct: string;
  /** Dotted, without indices and map keys, with the names of embedded structs. */
  readonly path: string;
  /** The Go type of the value, where the schema does not tell it. */
  readonly type: string | undefined;
}

/** What decoding goes on after. */
interface Faults {
  first: string | undefined;
}

/** The reason that ends the decoding; others are left in `faults`. */
function mismatchAt(schema: Schema, value: JsonValue, place: Place, faults: Faults): string | undefined {
  if (value === null) return undefined;
  if (schema.definition === quantityDefinition) return quantityFault(value);
  if (schema.intOrString === true) {
    if (typeof value === 'string' || Number.isInteger(value)) return undefined;
    return cannotUnmarshal(value, 'int32', place);
  }
  const union = jsonSchemaUnions[schema.definition ?? ''];
  if (union !== undefined) return unionMismatch(union, schema, value, place);
  if (schema.type === undefined || schema.preserveUnknownFields === true) return undefined;
  if (schema.validation?.format === 'date-time') {
    if (typeof value !== 'string') return cannotUnmarshal(value, 'string', place, false);
    return timeFault(value, schema.validation === goMicroTime ? 'micro' : 'seconds');
  }
  if (!fitsType(schema, value)) {
    faults.first ??= cannotUnmarshal(value, place.type ?? goType(schema), place, schema.type === 'integer');
    return undefined;
  }
  if (typeof value === 'string' && schema.validation?.format === 'byte') {
    faults.first ??= base64Fault(value);
    return undefined;
  }
  if (Array.isArray(value)) {
    if (schema.items === undefined) return undefined;
    const within = { ...place, type: elementType(place.type) };
    for (const item of value) {
      const found = mismatchAt(schema.items, item, within, faults);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return isJsonObject(value) ? memberMismatch(schema, value, place, faults) : undefined;
}

function memberMismatch(schema: Schema, value: JsonObject, place: Place, faults: Faults): string | undefined {
  for (const key in value) {
    const property = schema.properties?.get(key);
    const next = property ?? schema.additionalProperties;
    const one = value[key];
    if (next === undefined || one === undefined) continue;
    const within =
      property === undefined
        ? { ...place, type: elementType(place.type) }
        : fieldPlace(schema, key, place.path);
    const found = mismatchAt(next, one, within, faults);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A schema or a plain value, as its UnmarshalJSON reads it: any fault within ends the decoding (apiextensions v1/marshal.go). */
function unionMismatch(
  union: JsonSchemaUnion,
  schema: Schema,
  value: JsonValue,
  place: Place,
): string | undefined {
  const faults: Faults = { first: undefined };
  if (isJsonObject(value)) {
    return memberMismatch(schema, value, place, faults) ?? faults.first;
  }
  if (union === 'boolean') return typeof value === 'boolean' ? undefined : 'boolean or JSON schema expected';
  if (!Array.isArray(value)) return undefined;
  for (const item of value) {
    if (item === null) continue;
    if (union === 'strings') {
      if (typeof item !== 'string') faults.first ??= cannotUnmarshal(item, 'string', place, false);
    } else if (isJsonObject(item)) {
      const found = memberMismatch(schema, item, place, faults);
      if (found !== undefined) return found;
    } else faults.first ??= cannotUnmarshal(item, 'v1.JSONSchemaProps', place, false);
  }
  return faults.first;
}

function fieldPlace(schema: Schema, field: string, above: string): Place {
  const definition = definitionOf(schema);
  const segments = [above, embeddingOf(definition, field) ?? '', field];
  return {
    struct: definition.slice(definition.lastIndexOf('.') + 1),
    path: segments.filter((segment) => segment !== '').join('.'),
    type: goTypeName(definition, field),
  };
}

/** `[]v1.OperationType` → `v1.OperationType`, `map[string]v1.ExtraValue` → `v1.ExtraValue`. */
function elementType(type: string | undefined): string | undefined {
  const found = type === undefined ? null : /^(?:\[\]|map\[[^\]]*\])(.+)$/.exec(type);
  return found?.[1];
}

function cannotUnmarshal(value: JsonValue, type: string, { struct, path }: Place, isInteger = true): string {
  const literal = isInteger && typeof value === 'number' ? ` ${value}` : '';
  const field = path === '' ? 'value' : `struct field ${struct}.${path}`;
  return `json: cannot unmarshal ${wordFor(value)}${literal} into Go ${field} of type ${type}`;
}

/** resource.Quantity's parser: what has the form of one can still have a suffix that is none. */
export function quantityFault(value: JsonValue): string | undefined {
  if ((typeof value === 'string' || typeof value === 'number') && isQuantity(value)) return undefined;
  const hasForm =
    /^[+-]?[0-9]*(\.[0-9]*)?[eEinumkKMGTP]*[-+]?[0-9]*$/.test(String(value)) && /[0-9]/.test(String(value));
  return hasForm ? "unable to parse quantity's suffix" : quantityForm;
}

const base64Letter = /[A-Za-z0-9+/]/;

/** Where Go's base64.StdEncoding gives up, in its words; it passes over line breaks. Undefined for what it decodes. */
export function base64Fault(text: string): string | undefined {
  const at = (offset: number) => `illegal base64 data at input byte ${offset}`;
  let inGroup = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (char === '\n' || char === '\r') continue;
    if (base64Letter.test(char)) {
      inGroup = (inGroup + 1) % 4;
      continue;
    }
    if (char !== '=' || inGroup < 2) return at(i);
    const rest = text.slice(i + 1).replace(/[\r\n]+$/, '');
    if (inGroup === 3) return rest === '' ? undefined : at(i + 1);
    const second = i + 1 + rest.search(/[^\r\n]/);
    if (rest === '') return at(text.length);
    if (text[second] !== '=') return at(i);
    return /^[\r\n]*$/.test(text.slice(second + 1)) ? undefined : at(second + 1);
  }
  return inGroup === 0 ? undefined : at(text.length - inGroup);
}

const int32Max = 2 ** 31 - 1;

function fitsType({ type, validation }: Schema, value: JsonValue): boolean {
  switch (type) {
    case 'object':
      return isJsonObject(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) return false;
      return validation?.format !== 'int32' || (value <= int32Max && value >= -int32Max - 1);
    default:
      return typeof value === type;
  }
}

/** The struct that a schema's members are fields of: those of a union are a schema's. */
function definitionOf({ definition = '' }: Schema): string {
  return jsonSchemaUnions[definition] === undefined ? definition : jsonSchemaPropsDefinition;
}

/** `io.k8s.api.apps.v1.DeploymentSpec` → `DeploymentSpec`. */
function structName({ definition = '' }: Schema): string {
  return definition.slice(definition.lastIndexOf('.') + 1);
}

function goType(schema: Schema): string {
  switch (schema.type) {
    case 'object':
      if (schema.definition !== undefined && schema.properties !== undefined)
        return qualifiedType(schema.definition);
      return `map[string]${schema.additionalProperties === undefined ? 'interface {}' : goType(schema.additionalProperties)}`;
    case 'array':
      return `[]${schema.items === undefined ? 'interface {}' : goType(schema.items)}`;
    case 'integer':
      return schema.validation?.format ?? 'int64';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    default:
      if (schema.validation?.format === 'byte') return '[]uint8';
      return schema.definition === undefined ? 'string' : qualifiedType(schema.definition);
  }
}

/** `io.k8s.api.core.v1.PodSpec` → `v1.PodSpec`. */
function qualifiedType(definition: string): string {
  const path = definition.replace(/^io\.k8s\./, '');
  const dot = path.lastIndexOf('.');
  const pkg = path.slice(0, dot);
  return `${pkg.slice(pkg.lastIndexOf('.') + 1)}.${path.slice(dot + 1)}`;
}
