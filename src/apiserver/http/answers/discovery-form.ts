import type { JsonObject } from '#apimachinery/json.ts';
import { encodeProtobuf } from '../../protobuf/encode-object.ts';
import type { PreparedResponse } from '../prepared-response.ts';
import { type Form, negotiateError } from './negotiate.ts';
import { contentTypeOf } from './respond.ts';
import { toYaml } from './yaml-text.ts';

/**
 * The form that plain discovery (KUBERNETES.md D1) is wanted in, where that is not JSON; undefined leaves it to discovery
 * itself, which also knows the aggregated form. Whoever gets a form asks discovery for JSON, and gives it `inForm`.
 */
export function discoveryForm(accept: string | undefined): Form | undefined {
  if (accept === undefined || accept.includes('as=')) return undefined;
  const form = negotiateError(accept);
  return form.encoding === 'json' ? undefined : form;
}

/** Documents are the same Buffer for everyone: they are encoded once each. */
const encoded = new WeakMap<Buffer, Map<Form['encoding'], Buffer>>();

/** A document of plain discovery in another encoding than JSON. */
export function inForm(prepared: PreparedResponse, form: Form): PreparedResponse {
  const { body, code } = prepared;
  if (code !== 200 || !Buffer.isBuffer(body)) return prepared;
  let forms = encoded.get(body);
  if (forms === undefined) {
    forms = new Map();
    encoded.set(body, forms);
  }
  let made = forms.get(form.encoding);
  if (made === undefined) {
    const document = JSON.parse(body.toString('utf8')) as JsonObject;
    // Of a list of resources YAML has what JSON has; an envelope always has a version.
    const isList = document['kind'] === 'APIResourceList';
    const versioned: JsonObject = { apiVersion: 'v1', ...document };
    made =
      form.encoding === 'protobuf'
        ? encodeProtobuf(versioned)
        : Buffer.from(toYaml(isList ? document : versioned));
    forms.set(form.encoding, made);
  }
  return { code, headers: { ...prepared.headers, 'Content-Type': contentTypeOf(form) }, body: made };
}
