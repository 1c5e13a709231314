import { objectMetaSchema } from '#api/builtin/builtin-schema.ts';
import { ApiError, badRequest } from '#apimachinery/api-error.ts';
import type { DecodedJson } from '#apimachinery/decode-json.ts';
import { decodeJson } from '#apimachinery/decode-json.ts';
import { decodeYaml } from '#apimachinery/decode-yaml.ts';
import { type FieldError, invalid, invalidObject } from '#apimachinery/field-error.ts';
import { formatApiVersion, type GroupVersionKind, parseApiVersion } from '#apimachinery/gvk.ts';
import { cloneJson, isJsonObject, type JsonObject, type JsonValue, jsonText } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { applyDefaults, fillDefaults } from '#apimachinery/schema-walk/defaults.ts';
import { hasDefaults, isTidy, membersIfPlainlyValid } from '#apimachinery/schema-walk/fits.ts';
import { pruneUnknown } from '#apimachinery/schema-walk/prune.ts';
import { validateValue } from '#apimachinery/schema-walk/validate.ts';
import type { Scheme, ServedResource } from '#apimachinery/scheme.ts';
import { decodeProtobuf, protobufMediaType } from '../protobuf/protobuf.ts';
import { coerceEmbedded } from '../registry/embedded-resources.ts';
import { isInert } from '../registry/target.ts';
import { metadataTypeErrors, normalizeMetadata } from '../registry/validate-metadata.ts';
import { vouchFor } from '../registry/vouched.ts';
import { notAnObject, typeMismatch, wordFor } from '../request/go-words.ts';
import type { Workspace } from '../workspace/workspace.ts';
import {
  inWordsFor,
  notRegistered,
  otherKind,
  otherRegistryName,
  otherVersion,
  unrecognized,
} from './decode-errors.ts';
import { dropNulls } from './drop-nulls.ts';
import { joinBytes } from './join-bytes.ts';
import type { FieldValidation } from './options.ts';
import type { RequestBody } from './request-body.ts';

const jsonTypes: ReadonlySet<string> = new Set(['', 'application/json', 'text/json']);
const yamlTypes: ReadonlySet<string> = new Set(['application/yaml', 'text/yaml', 'application/x-yaml']);

/** `application/json; charset=utf-8` → `application/json`. */
export function mediaTypeOf(contentType: string): string {
  const semicolon = contentType.indexOf(';');
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  // `;charset=utf-8` names no type; that is not the same as no header, which means JSON.
  return type === '' ? contentType : type;
}

/**
 * Decodes a whole document by its content type (N1, N2): 415 for an unknown type or protobuf where the kind is not
 * built in, 400 for malformed text. The result is the caller's own.
 */
export function decodeDocument(body: RequestBody | undefined, acceptsProtobuf: boolean): DecodedJson {
  if (body === undefined) return { value: null, duplicateFields: noDuplicates };
  if ('object' in body) return { value: cloneJson(body.object), duplicateFields: noDuplicates };
  checkMediaType(body, acceptsProtobuf);
  const mediaType = mediaTypeOf(body.contentType);
  if (jsonTypes.has(mediaType)) return decodeJson(body.bytes);
  if (yamlTypes.has(mediaType)) return decodeYaml(body.bytes);
  return { value: decodeProtobuf(body.bytes).object, duplicateFields: noDuplicates };
}

/** 415 for a body of which the type is not known, before anything of it is read (N1). */
export function checkMediaType(body: RequestBody | undefined, acceptsProtobuf: boolean): void {
  if (body === undefined || 'object' in body) return;
  const mediaType = mediaTypeOf(body.contentType);
  const isProtobuf = acceptsProtobuf && mediaType === protobufMediaType;
  if (jsonTypes.has(mediaType) || yamlTypes.has(mediaType) || isProtobuf) return;
  throw unsupportedMediaType([
    'application/json',
    'application/yaml',
    ...(acceptsProtobuf ? [protobufMediaType] : []),
  ]);
}

const noDuplicates = (): string[] => [];
const none: readonly string[] = [];

export function unsupportedMediaType(accepted: readonly string[]): ApiError {
  return new ApiError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
}

/** Whether a body holds anything. */
export function hasBody(body: RequestBody | undefined): body is RequestBody {
  if (body === undefined) return false;
  return 'object' in body ? body.object !== undefined && body.object !== null : body.bytes.length > 0;
}

export interface DecodeTarget {
  readonly workspace: Workspace;
  readonly served: ServedResource;
  readonly fieldValidation: FieldValidation;
  readonly warnings: string[];
  /**
   * What is applied to a custom kind was never decoded by its schema: nulls that it does not allow stay, to be refused, and so
   * do fields within objects of which it says nothing, of which nobody is told (WriteOptions.coerces).
   */
  readonly isApplied?: boolean | undefined;
}

/** Decodes the object of a POST or PUT: checked, pruned and defaulted, in the served version (C1, C9). */
export function decodeObject(body: RequestBody | undefined, target: DecodeTarget): KubeObject {
  const { definition } = target.served;
  const given = body ?? noBody;
  const decoded = inWordsFor(definition.kind, given, () =>
    decodeDocument(given, definition.origin !== 'custom'),
  );
  identifiable(decoded.value, definition.kind, given);
  if (definition.origin === 'custom') refuseUnnamed(decoded.value, definition.kind, given);
  if (target.fieldValidation === 'Ignore')
    return accept({ value: decoded.value, duplicateFields: noDuplicates }, target);
  return accept(decoded, target);
}

/**
 * What every new state goes through, whether it came as a body or out of a patch: identity, types, unknown fields (C9),
 * defaults (C11). Works on `value` in place.
 */
export function acceptObject(
  value: JsonValue,
  duplicates: readonly string[],
  target: DecodeTarget,
): KubeObject {
  return accept({ value, duplicateFields: () => duplicates }, target);
}

function accept(decoded: DecodedJson, target: DecodeTarget): KubeObject {
  const { value } = decoded;
  const { served, workspace } = target;
  const { definition, version } = served;
  // A walk over a whole document of a built-in kind counts its members; all others are looked through beforehand.
  const isCounted = decoded.members !== undefined && definition.origin === 'builtin' && isIdentified(value);
  let duplicates: readonly string[] | undefined = isCounted ? undefined : decoded.duplicateFields();
  const given = identify(
    value ?? {},
    { group: definition.group, version: version.version, kind: definition.kind },
    definition.origin === 'custom' ? undefined : workspace.scheme,
    definition.origin === 'builtin' ? version.schema : undefined,
    definition.origin !== 'custom',
  );
  let typeErrors = metadataTypeErrors(given.metadata);
  if (typeErrors.length > 0) {
    // A null in a list is its zero value.
    dropNulls(objectMetaSchema(), given.metadata);
    typeErrors = metadataTypeErrors(given.metadata);
  }
  if (typeErrors.length > 0) {
    let mismatch: string | undefined;
    if (definition.origin === 'custom') mismatch = typeMismatch(objectMetaSchema(), given.metadata);
    else if (definition.origin === 'builtin') mismatch = typeMismatch(version.schema, given);
    if (mismatch !== undefined) throw cannotBeDecoded(definition.kind, version.version, mismatch);
    throw cannotBeHandled(definition.kind, version.version, typeErrors[0]!);
  }
  // Mostly true before any default is there; then it is known for what will be stored as well.
  const members = definition.origin === 'builtin' ? membersIfPlainlyValid(version.schema, given) : undefined;
  const fits = members !== undefined;
  duplicates ??= fits && members === decoded.members ? none : decoded.duplicateFields();
  const tidy = fits || (definition.origin === 'builtin' && isTidied(given, version.schema));
  const isApplied = target.isApplied === true && definition.origin === 'custom';
  const { object, unknown } = tidy ? { object: given, unknown: [] } : pruned(given, served, isApplied);
  normalizeMetadata(object.metadata);
  // Go finds wrong types while decoding (400); a custom resource's are found by its schema (422), after defaulting.
  if (!tidy && definition.origin === 'builtin') {
    const mismatch = typeMismatch(version.schema, object);
    if (mismatch !== undefined) throw cannotBeDecoded(definition.kind, version.version, mismatch);
    joinBytes(version.schema, object);
    const wrong = validateValue(version.schema, object).find(
      (error) => error.type === 'FieldValueTypeInvalid',
    );
    if (wrong !== undefined) throw cannotBeHandled(definition.kind, version.version, wrong);
  }
  // What cannot be decoded at all comes before what nobody knows.
  // Of custom resources Kubernetes gathers them by name, of its own kinds as it meets them.
  const inOrder = definition.origin === 'custom' ? [...unknown].sort() : unknown;
  const { fieldValidation, warnings } = target;
  reportFields(inOrder, duplicates, {
    fieldValidation,
    warnings,
    kind: definition.kind,
    version: version.version,
  });
  if (fits) vouchFor(object);
  if (isInert(workspace, definition)) return object;
  if (isApplied) fillDefaults(version.schema, object);
  else if (!tidy || hasDefaults(version.schema)) applyDefaults(version.schema, object);
  definition.strategy.defaults?.(object, version.version);
  return object;
}

/** Whether there is nothing to prune and no wrong type, once the nulls that Go's clients write are gone. */
function isTidied(given: KubeObject, schema: Schema): boolean {
  if (isTidy(schema, given)) return true;
  dropNulls(schema, given);
  return isTidy(schema, given);
}

/** The object without fields that its kind does not know; metadata is the same for all kinds. Nulls are gone. */
function pruned(
  given: KubeObject,
  { definition, version }: ServedResource,
  isApplied: boolean,
): { readonly object: KubeObject; readonly unknown: readonly string[] } {
  if (definition.origin === 'builtin') {
    return { object: given, unknown: pruneUnknown(version.schema, given) };
  }
  const { apiVersion, kind, metadata, ...rest } = given;
  const unknown = pruneUnknown(objectMetaSchema(), metadata).map((path) => `metadata.${path}`);
  if (!isApplied) unknown.push(...pruneUnknown(version.schema, rest));
  const within = coerceEmbedded(version.schema, rest);
  if (within.fault !== undefined) throw cannotBeDecoded(definition.kind, version.version, within.fault);
  if (!isApplied) unknown.push(...within.unknown);
  return { object: { apiVersion, kind, metadata, ...rest }, unknown };
}

/** Decodes the body of a subresource whose kind is not the resource's own (Scale, Eviction, Binding, TokenRequest). */
export function decodeKind(body: RequestBody | undefined, expected: GroupVersionKind): KubeObject {
  const given = body ?? noBody;
  const { value } = inWordsFor(expected.kind, given, () => decodeDocument(given, true));
  identifiable(value, expected.kind, given);
  return identify(value ?? {}, expected, undefined);
}

/** DeleteOptions, or undefined without a body (X1). */
export function decodeDeleteOptions(body: RequestBody | undefined): JsonObject | undefined {
  if (!hasBody(body)) return undefined;
  const { value } = decodeDocument(body, true);
  if (!isJsonObject(value)) throw badRequest('the body of a DELETE must be DeleteOptions');
  const { kind, apiVersion } = value;
  if (kind !== undefined && kind !== '' && kind !== 'DeleteOptions') {
    throw badRequest(notRegistered(jsonText(kind), jsonText(apiVersion ?? ''), otherRegistryName));
  }
  return value;
}

/** Whether `identify` has nothing to add. */
function isIdentified(value: JsonValue): boolean {
  if (!isJsonObject(value)) return false;
  return value['apiVersion'] !== undefined && value['kind'] !== undefined && value['metadata'] !== undefined;
}

/** A write without a body is one of no bytes. */
const noBody: RequestBody = { contentType: '', bytes: Buffer.alloc(0) };

/** 400 for what no apiVersion and kind can be read from; null is an empty object, as Go has it. */
function identifiable(value: JsonValue, kind: string, body: RequestBody): void {
  if (value === null) return;
  if (!isJsonObject(value)) throw unrecognized(kind, notAnObject(value), body);
  for (const key of ['apiVersion', 'kind'] as const) {
    const given = value[key];
    if (given === undefined || given === null || typeof given === 'string') continue;
    throw unrecognized(
      kind,
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${wordFor(given)} into Go struct field .${key} of type string`,
      body,
    );
  }
  const { apiVersion } = value;
  if (typeof apiVersion === 'string' && apiVersion.indexOf('/') !== apiVersion.lastIndexOf('/')) {
    throw unrecognized(kind, `unexpected GroupVersion string: ${apiVersion}`, body);
  }
}

/** 400 for a custom resource that does not say what it is: Kubernetes knows no type that would. */
function refuseUnnamed(value: JsonValue, kind: string, body: RequestBody): void {
  const { kind: given, apiVersion } = isJsonObject(value) ? value : {};
  const missing = !given ? 'Kind' : !apiVersion ? 'apiVersion' : undefined;
  if (missing === undefined) return;
  const text = 'object' in body ? JSON.stringify(body.object) : body.bytes.toString('utf8');
  throw unrecognized(kind, `Object '${missing}' is missing in '${text}'`, body);
}

/**
 * Checks apiVersion and kind, filling what a typed decoder would; makes sure that there is metadata. `scheme`: what kinds
 * there are, for those that Kubernetes itself knows.
 */
function identify(
  value: JsonValue,
  expected: GroupVersionKind,
  scheme: Scheme | undefined,
  /** Of Kubernetes' own kinds. */
  schema?: Schema,
  fillsMissing = true,
): KubeObject {
  if (!isJsonObject(value)) {
    throw badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): not an object`);
  }
  const apiVersion = formatApiVersion(expected);
  for (const key of ['apiVersion', 'kind'] as const) {
    const given = value[key];
    if (given === undefined || given === null || given === '') {
      if (!fillsMissing)
        throw badRequest(`Object '${key === 'kind' ? 'Kind' : 'apiVersion'}' is missing in the body`);
      value[key] = key === 'kind' ? expected.kind : apiVersion;
    } else if (typeof given !== 'string') {
      throw badRequest(
        `couldn't get version/kind; json parse error: json: cannot unmarshal ${wordFor(given)} into Go struct field .${key} of type string`,
      );
    }
  }
  if (value['apiVersion'] !== apiVersion || value['kind'] !== expected.kind) {
    if (!fillsMissing && value['apiVersion'] === apiVersion) throw otherCustomKind(value, expected);
    throw otherIdentity(
      { apiVersion: jsonText(value['apiVersion']), kind: jsonText(value['kind']) },
      expected,
      scheme,
    );
  }
  const { metadata } = value;
  if (metadata === undefined || metadata === null) value['metadata'] = {};
  else if (!isJsonObject(metadata)) {
    const where = fillsMissing ? `struct field ${expected.kind}.metadata` : 'value';
    const mismatch =
      (schema === undefined ? undefined : typeMismatch(schema, value)) ??
      `json: cannot unmarshal ${wordFor(metadata)} into Go ${where} of type v1.ObjectMeta`;
    throw cannotBeDecoded(expected.kind, expected.version, mismatch);
  }
  return value as KubeObject;
}

/** Custom resources are decoded whatever their kind; which one it is their validation asks (ValidateTypeMeta). */
function otherCustomKind(
  { kind, metadata }: JsonObject,
  { group, kind: expected }: GroupVersionKind,
): ApiError {
  const given = jsonText(kind);
  const name = isJsonObject(metadata) ? jsonText(metadata['name']) : '';
  return invalidObject({ group, kind: given }, name, [invalid('kind', given, `must be ${expected}`)]);
}

function otherIdentity(
  given: { readonly apiVersion: string; readonly kind: string },
  expected: GroupVersionKind,
  scheme: Scheme | undefined,
): ApiError {
  const parsed = parseApiVersion(given.apiVersion);
  if (parsed === undefined) return otherKind(given, expected, false);
  const { group, version } = parsed;
  if (given.kind === expected.kind && group === expected.group) {
    const isServed = scheme?.lookupKind(group, version, given.kind) !== undefined;
    if (isServed || scheme === undefined) return otherVersion(given.apiVersion, expected);
  }
  const isList = given.kind.endsWith('List') && scheme?.hasGroupVersion(group, version) === true;
  const isMeta = given.kind === 'Status' || given.kind === 'DeleteOptions' || given.kind === 'List';
  return otherKind(
    given,
    expected,
    isMeta || isList || scheme?.lookupKind(group, version, given.kind) !== undefined,
  );
}

/** C9 of an object of a kind that is no resource's own. Takes its unknown fields away. */
export function reportUnknownFields(
  value: JsonValue,
  schema: Schema,
  kind: GroupVersionKind,
  { fieldValidation, warnings }: Pick<DecodeTarget, 'fieldValidation' | 'warnings'>,
): void {
  const unknown = pruneUnknown(schema, value);
  reportFields(unknown, none, { fieldValidation, warnings, kind: kind.kind, version: kind.version });
}

interface FieldReport extends Pick<DecodeTarget, 'fieldValidation' | 'warnings'> {
  readonly kind: string;
  readonly version: string;
}

/** C9: unknown and repeated fields are an error when Strict, a warning by default. */
function reportFields(
  inOrder: readonly string[],
  duplicates: readonly string[],
  { fieldValidation, warnings, kind, version }: FieldReport,
): void {
  if (fieldValidation === 'Ignore' || (inOrder.length === 0 && duplicates.length === 0)) return;
  const texts = [
    ...inOrder.map((path) => `unknown field ${JSON.stringify(path)}`),
    // A field that nobody knows is told once, however often it is there.
    ...duplicates
      .filter((path) => !inOrder.includes(path))
      .map((path) => `duplicate field ${JSON.stringify(path)}`),
  ];
  if (fieldValidation === 'Warn') {
    warnings.push(...texts);
    return;
  }
  throw badRequest(
    `${kind} in version "${version}" cannot be handled as a ${kind}: strict decoding error: ${texts.join(', ')}`,
  );
}

/** 400 in a decoder's own words. */
function cannotBeDecoded(kind: string, version: string, why: string): ApiError {
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`);
}

function cannotBeHandled(kind: string, version: string, error: FieldError): ApiError {
  return badRequest(
    `${kind} in version "${version}" cannot be handled as a ${kind}: ${error.field}: ${error.message}`,
  );
}
