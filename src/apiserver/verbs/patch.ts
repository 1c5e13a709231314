import { ApiError, badRequest } from '#apimachinery/api-error.ts';
import { decodeJson, MalformedJson } from '#apimachinery/decode-json.ts';
import { cloneJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ResourceDefinition } from '#apimachinery/resource-definition.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { applyJsonPatch } from '../patch/json-patch.ts';
import { applyMergePatch } from '../patch/merge-patch.ts';
import { mergeStrategically } from '../patch/strategic-merge-patch.ts';
import { cloneObject } from '../registry/clone-object.ts';
import type { ResourceContext } from '../request/context.ts';
import { wordFor } from '../request/go-words.ts';
import { applyObject } from './apply.ts';
import { acceptObject, mediaTypeOf, unsupportedMediaType } from './decode-body.ts';
import type { VerbEnvironment } from './environment.ts';
import { tracker, trackingOf } from './field-tracking.ts';
import { type FieldValidation, parseWriteParameters } from './options.ts';
import { refusalOf, strategicRefusal } from './patch-refusal.ts';
import { targetOf, type VerbRequest, writeResult } from './request.ts';
import type { RequestBody } from './request-body.ts';
import type { VerbResult } from './result.ts';
import { checkName, type SubresourceMerge } from './update.ts';

export const jsonPatchType = 'application/json-patch+json';
export const mergePatchType = 'application/merge-patch+json';
export const strategicMergePatchType = 'application/strategic-merge-patch+json';
export const applyPatchType = 'application/apply-patch+yaml';

const customPatchTypes: readonly string[] = [jsonPatchType, mergePatchType, applyPatchType];
const patchTypes: readonly string[] = [...customPatchTypes, strategicMergePatchType];

/** A patch that has been decoded: gives the patched document, sharing nothing that may be changed with the one given. */
export interface DecodedPatch {
  /** Repeated fields of what the patch brings (C9). */
  readonly duplicates: readonly string[];
  /** What is odd about the patch itself, in words: fields that its operations do not have, or twice. */
  readonly oddities?: readonly string[];
  apply(document: JsonObject): JsonObject;
  /** Runs `accept` on what came of `document`; what that throws is told in the words for patches of this type. */
  accept<T>(document: JsonObject, accept: () => T): T;
}

/** PATCH of an object or of a subresource that has the object's own kind (P1). */
export function patchObject(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
  merge?: SubresourceMerge,
): Promise<VerbResult> {
  if (patchTypeOf(request.body) === applyPatchType) return applyObject(environment, context, request, merge);
  return patchWith(environment, context, request, merge);
}

async function patchWith(
  environment: VerbEnvironment,
  context: ResourceContext,
  request: VerbRequest,
  merge: SubresourceMerge | undefined,
): Promise<VerbResult> {
  const target = targetOf(context);
  const { definition, version } = target.served;
  checkPatchType(patchTypeOf(request.body), definition);
  const parameters = parseWriteParameters(context.info.query, 'PatchOptions');
  const patch = decodePatch(request.body, version.schema, definition.origin !== 'custom');
  const tracking = trackingOf(context, parameters, environment.clock.now(), environment.registry.conversions);
  const outcome = await environment.registry.update(
    target,
    {
      dryRun: parameters.dryRun,
      warnings: context.warnings,
      admission: environment.admission.for(context, parameters.dryRun),
      track: tracker(context.served, tracking),
      subresource: context.subresource,
      uidIsContent: true,
    },
    (live, attempt) => {
      const patched = patch.apply(live!);
      const warnings: string[] = [];
      const proposed = patch.accept(live!, () =>
        acceptObject(patched, patch.duplicates, {
          workspace: target.workspace,
          served: target.served,
          fieldValidation: parameters.fieldValidation,
          warnings,
        }),
      );
      warnings.unshift(...oddities(patch, parameters.fieldValidation));
      // A retry would say everything again; of what is refused nothing else is told.
      if (attempt === 0) context.warnings.push(...warnings);
      checkIdentity(proposed, context);
      // One that takes the revision away is an update without one, which not every kind allows.
      return merge === undefined ? proposed : merge(proposed, live!);
    },
  );
  return writeResult(outcome, context);
}

/**
 * 400 for a patch that makes another object of it (apiserver `ensureNamespaceAndName`: ObjectName of what comes out). A
 * namespace that it takes away is that of the path.
 */
function checkIdentity(object: KubeObject, context: ResourceContext): void {
  const { metadata } = object;
  if (context.namespace !== '') metadata.namespace ||= context.namespace;
  checkName(object, context);
}

/** C9 for the patch itself: warnings, or 422 when validation is strict. */
function oddities({ oddities: found = [] }: DecodedPatch, validation: FieldValidation): readonly string[] {
  if (validation === 'Ignore' || found.length === 0) return [];
  if (validation === 'Warn') return found;
  throw refusalOf(null, badRequest(`strict decoding error: ${found.join(', ')}`));
}

/** 415 for a type that the kind does not take (N1, P1): told before anything else of the request. */
export function checkPatchType(type: string, { origin }: Pick<ResourceDefinition, 'origin'>): void {
  const isRouted = origin !== 'custom';
  if (!(isRouted ? patchTypes : customPatchTypes).includes(type)) throw unknownPatchType(isRouted);
}

export function patchTypeOf(body: RequestBody | undefined): string {
  return mediaTypeOf(body?.contentType ?? '');
}

/** Decodes a patch by its media type; 415 for a type that the kind does not take (N1, P1), 400 when malformed. */
export function decodePatch(
  body: RequestBody | undefined,
  schema: Schema | undefined,
  takesStrategic: boolean,
): DecodedPatch {
  const type = patchTypeOf(body);
  const accepted = takesStrategic ? patchTypes : customPatchTypes;
  if (!accepted.includes(type) || body === undefined) throw unknownPatchType(takesStrategic);
  const { value, duplicates } = decodeJsonBody(body, type === strategicMergePatchType ? '' : decodingPatch);
  if (type === jsonPatchType) {
    const operations = value ?? [];
    const fault = operationsFault(operations);
    if (fault !== undefined) throw badRequest(`${decodingPatch}${fault}`);
    return {
      duplicates: [],
      oddities: [...unknownMembers(operations), ...duplicates.map((path) => `duplicate field "${path}"`)].map(
        (oddity) => `json patch ${oddity}`,
      ),
      apply: (document) => asObject(applyJsonPatch(cloneObject(document), operations)),
      accept: (_, accept) => telling(value, accept),
    };
  }
  if (value === null && type === mergePatchType) throw badRequest('Invalid JSON Patch');
  if (!isJsonObject(value)) {
    const prefix = type === mergePatchType ? decodingPatch : '';
    throw badRequest(
      `${prefix}json: cannot unmarshal ${wordFor(value)} into Go value of type map[string]interface {}`,
    );
  }
  if (type === mergePatchType) {
    return {
      duplicates,
      apply: (document) => asObject(applyMergePatch(cloneObject(document), cloneJson(value))),
      accept: (_, accept) => telling(value, accept),
    };
  }
  return strategicPatch(schema, value, duplicates);
}

function telling<T>(patch: JsonValue, accept: () => T): T {
  try {
    return accept();
  } catch (error) {
    throw refusalOf(patch, error);
  }
}

function strategicPatch(
  schema: Schema | undefined,
  value: JsonObject,
  duplicates: readonly string[],
): DecodedPatch {
  const merge = (document: JsonObject, patch: JsonObject) =>
    mergeStrategically(schema, cloneObject(document), patch);
  return {
    duplicates,
    apply: (document) => merge(document, cloneJson(value)),
    accept(document, accept) {
      try {
        return accept();
      } catch (error) {
        if (schema === undefined) throw error;
        // Done once more: what was patched is no longer what it was, and the patch is told as merging leaves it.
        const patch = cloneJson(value);
        throw strategicRefusal(schema, merge(document, patch), patch, error);
      }
    },
  };
}

/** What the decoder of JSON patches finds before the first operation is done. */
function operationsFault(value: JsonValue): string | undefined {
  if (!Array.isArray(value)) {
    return `json: cannot unmarshal ${wordFor(value)} into Go value of type []handlers.jsonPatchOp`;
  }
  for (const one of value) {
    if (one === null) continue;
    if (!isJsonObject(one)) {
      return `json: cannot unmarshal ${wordFor(one)} into Go value of type handlers.jsonPatchOp`;
    }
    for (const field of ['op', 'path', 'from']) {
      const member = one[field];
      if (member === undefined || member === null || typeof member === 'string') continue;
      return `json: cannot unmarshal ${wordFor(member)} into Go struct field jsonPatchOp.${field} of type string`;
    }
  }
  return undefined;
}

const operationMembers: ReadonlySet<string> = new Set(['op', 'path', 'from', 'value']);

function unknownMembers(operations: JsonValue): string[] {
  const found: string[] = [];
  for (const [index, one] of (operations as JsonValue[]).entries()) {
    if (!isJsonObject(one)) continue;
    for (const key in one) {
      if (!operationMembers.has(key)) found.push(`unknown field ${JSON.stringify(`[${index}].${key}`)}`);
    }
  }
  return found;
}

const decodingPatch = 'error decoding patch: ';

/** Where Kubernetes has a route for each of its patch types, and none for this one, in go-restful's words. */
function unknownPatchType(isRouted: boolean): ApiError {
  if (!isRouted) return unsupportedMediaType(customPatchTypes);
  return new ApiError('UnsupportedMediaType', '415: Unsupported Media Type', { details: {} });
}

function decodeJsonBody(
  body: RequestBody,
  prefix: string,
): {
  readonly value: JsonValue;
  readonly duplicates: readonly string[];
} {
  if ('object' in body) return { value: cloneJson(body.object), duplicates: [] };
  try {
    const decoded = decodeJson(body.bytes);
    return { value: decoded.value, duplicates: decoded.duplicateFields() };
  } catch (error) {
    throw error instanceof MalformedJson ? badRequest(`${prefix}${error.why}`) : error;
  }
}

function asObject(value: JsonValue): JsonObject {
  if (!isJsonObject(value)) throw badRequest('the patch does not leave an object');
  return value;
}
