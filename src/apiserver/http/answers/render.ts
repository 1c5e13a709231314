import { copyBytes } from '#apimachinery/copy-bytes.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';
import { encodeProtobuf, enveloped, hasProtobuf } from '../../protobuf/encode-object.ts';
import { allocateBytes } from '../../registry/byte-lots.ts';
import { servedObjectOf } from '../../registry/conversion.ts';
import type { VerbResult } from '../../verbs/result.ts';
import type { Exchange } from '../exchange.ts';
import type { HttpLimits } from '../limits.ts';
import type { FormCache } from './form-cache.ts';
import { type Form, jsonForm } from './negotiate.ts';
import {
  entryJson,
  entryMetadataJson,
  entryProtobuf,
  includeObjectOf,
  partialMetadata,
  shapeKey,
  shownKind,
  type TableShape,
  tableOfObject,
} from './object-forms.ts';
import { contentTypeOf, prettyJson, sendBody, wantsPretty } from './respond.ts';
import { toYaml } from './yaml-text.ts';

export type SingleResult = Exclude<VerbResult, { readonly type: 'list' | 'watch' }>;

/** Sends the answer of a verb that is one document (N1–N6). */
export function sendResult(
  exchange: Exchange,
  result: SingleResult,
  form: Form,
  forms: FormCache,
  limits: HttpLimits,
): Promise<void> | undefined {
  const shown = shownForm(result, form);
  let body = encode(exchange, result, shown, forms);
  if (shown.encoding === 'json') body = wantsPretty(exchange) ? prettyJson(body) : ended(body);
  return sendBody(exchange, result.code, contentTypeOf(shown), body, limits.gzipBytesMin);
}

const newline = 0x0a;

/** JSON in one line has its end, as Go's encoder writes it; what is indented has none. */
function ended(body: Buffer): Buffer {
  if (body.at(-1) === newline) return body;
  const whole = allocateBytes(body.length + 1);
  whole[copyBytes(body, whole, 0)] = newline;
  return whole;
}

/** What is no object of the kind that was negotiated for may have fewer forms than it. */
function shownForm(result: SingleResult, form: Form): Form {
  // A Status has no transformed form: clients tell it by its kind.
  if (result.type === 'status') return form.as === 'Object' ? form : { ...form, as: 'Object' };
  if (form.encoding !== 'protobuf' || form.as !== 'Object' || result.type !== 'object') return form;
  return hasProtobuf(result.object.apiVersion, result.object.kind) ? form : jsonForm;
}

function encode(exchange: Exchange, result: SingleResult, form: Form, forms: FormCache): Buffer {
  if (form.encoding === 'json') {
    if (form.as === 'Object') return objectJson(result, forms);
    if (form.as === 'PartialObjectMetadata' && result.type === 'entry')
      return entryMetadataJson(result.entry, form);
  } else if (form.encoding === 'protobuf') {
    if (result.type === 'entry') {
      const { apiVersion, kind } = shownKind(result.served, form);
      return enveloped(apiVersion, kind, entryProtobuf(forms, result.entry, result.served, form));
    }
    return encodeProtobuf(transform(exchange, result, form));
  } else if (form.as === 'Object' && result.type === 'entry') {
    const { entry, served } = result;
    const key = `yaml ${shapeKey(served)}`;
    return forms.get(entry, key, () => Buffer.from(toYaml(servedObjectOf(entry, served))));
  }
  const value = transform(exchange, result, form);
  return Buffer.from(form.encoding === 'yaml' ? toYaml(value) : JSON.stringify(value));
}

function objectJson(result: SingleResult, forms: FormCache): Buffer {
  switch (result.type) {
    case 'entry':
      return entryJson(forms, result.entry, result.served);
    case 'encoded':
      return result.body;
    case 'object':
      return Buffer.from(JSON.stringify(result.object));
    case 'status':
      return Buffer.from(`${JSON.stringify(result.body)}\n`);
    default: {
      const unknown: never = result;
      throw new Error(`unknown result ${String(unknown)}`);
    }
  }
}

/** What is answered in a form, whatever its encoding. */
export function documentOf(exchange: Exchange, result: SingleResult, form: Form): JsonObject {
  return transform(exchange, result, shownForm(result, form));
}

function transform(exchange: Exchange, result: SingleResult, form: Form): JsonObject {
  if (result.type === 'status') return result.body;
  const object = parsed(result);
  if (form.as === 'PartialObjectMetadata') return partialMetadata(object, form);
  if (form.as === 'Table') return singleTable(exchange, result.served, object, form);
  return object;
}

function singleTable(exchange: Exchange, served: ServedResource, object: KubeObject, form: Form): JsonObject {
  const shape: TableShape = { form, includeObject: includeObjectOf(exchange), withColumns: true };
  return tableOfObject(served, object, shape);
}

function parsed(result: Exclude<SingleResult, { readonly type: 'status' }>): KubeObject {
  switch (result.type) {
    case 'entry':
      return servedObjectOf(result.entry, result.served);
    case 'encoded':
      return JSON.parse(result.body.toString('utf8')) as KubeObject;
    case 'object':
      return result.object;
    default: {
      const unknown: never = result;
      throw new Error(`unknown result ${String(unknown)}`);
    }
  }
}
