import { decodeJson, MalformedJson } from '#apimachinery/decode-json.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import type { Decoding } from './decoding.ts';
import { hasEnvelopePrefix } from './envelope-prefix.ts';
import { malformed, type WireReader } from './wire-reader.ts';
import { zeroTimeSeconds } from './zero-time.ts';

type Special = (reader: WireReader, depth: number, decoding: Decoding) => JsonValue | undefined;

const meta = 'apimachinery.pkg.apis.meta.v1';
const apiextensions = 'apiextensions-apiserver.pkg.apis.apiextensions.v1';

/**
 * Messages whose JSON form is not the object of their fields: times, quantities, raw JSON, unions and wrapped lists. An
 * unset one gives undefined, which leaves its field out.
 */
export const specialMessages: { readonly [path: string]: Special } = {
  [`${meta}.Time`]: (reader) => time(reader, 0),
  [`${meta}.MicroTime`]: (reader) => time(reader, 6),
  'apimachinery.pkg.api.resource.Quantity': (reader) => {
    let text = '';
    eachField(reader, (number, wireType) => {
      if (number !== 1 || wireType !== 2) return false;
      text = reader.text();
      return true;
    });
    return text === '' ? '0' : text;
  },
  'apimachinery.pkg.util.intstr.IntOrString': intOrString,
  [`${meta}.FieldsV1`]: rawJson,
  [`${apiextensions}.JSON`]: rawJson,
  'apimachinery.pkg.runtime.RawExtension': rawJson,
  [`${apiextensions}.JSONSchemaPropsOrBool`]: (reader, depth, decoding) => {
    const { schema, flag } = schemaUnion(reader, depth, decoding);
    return schema ?? flag;
  },
  [`${apiextensions}.JSONSchemaPropsOrArray`]: (reader, depth, decoding) => {
    const { schema, schemas } = schemaUnion(reader, depth, decoding);
    return schemas.length > 0 ? schemas : schema;
  },
  [`${apiextensions}.JSONSchemaPropsOrStringArray`]: (reader, depth, decoding) => {
    const { schema, texts } = schemaUnion(reader, depth, decoding, true);
    return texts.length > 0 ? texts : schema;
  },
  'api.authentication.v1.ExtraValue': textList,
  'api.authorization.v1.ExtraValue': textList,
  'api.certificates.v1.ExtraValue': textList,
  'api.certificates.v1beta1.ExtraValue': textList,
  [`${meta}.Verbs`]: textList,
};

/** Calls `take` for every field; it returns false for what it does not know, which is then skipped. */
function eachField(reader: WireReader, take: (number: number, wireType: number) => boolean): void {
  while (!reader.done) {
    const tag = reader.tag();
    if (!take(Math.floor(tag / 8), tag & 7)) reader.skip(tag & 7);
  }
}

/** seconds (1), nanos (2) → RFC 3339 in UTC with so many fraction digits. An empty message is Go's zero time: null in JSON. */
function time(reader: WireReader, fractionDigits: 0 | 6): string | undefined {
  if (reader.done) return undefined;
  let seconds = 0;
  let nanos = 0;
  eachField(reader, (number, wireType) => {
    if (wireType !== 0) return false;
    if (number === 1) seconds = reader.signed();
    else if (number === 2) nanos = reader.signed();
    else return false;
    return true;
  });
  const date = new Date(seconds * 1000);
  const year = date.getUTCFullYear();
  if (Number.isNaN(year) || year < 0 || year > 9999) throw malformed('a time is out of range');
  if (seconds === zeroTimeSeconds && nanos === 0) return undefined;
  const whole = date.toISOString().slice(0, 19);
  if (fractionDigits === 0) return `${whole}Z`;
  return `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
}

/** type (1: 0 number, 1 text), intVal (2), strVal (3). */
function intOrString(reader: WireReader): JsonValue {
  let isText = false;
  let number = 0;
  let text = '';
  eachField(reader, (field, wireType) => {
    if (field === 1 && wireType === 0) isText = reader.varint() === 1;
    else if (field === 2 && wireType === 0) number = reader.signed() | 0;
    else if (field === 3 && wireType === 2) text = reader.text();
    else return false;
    return true;
  });
  return isText ? text : number;
}

/** Field 1: JSON text, or an enveloped object of its own (RawExtension). */
function rawJson(reader: WireReader, depth: number, decoding: Decoding): JsonValue | undefined {
  let raw: Buffer | undefined;
  eachField(reader, (number, wireType) => {
    if (number !== 1 || wireType !== 2) return false;
    raw = reader.bytes();
    return true;
  });
  if (raw === undefined || raw.length === 0) return undefined;
  if (hasEnvelopePrefix(raw)) return decoding.envelope(raw, depth + 1).object;
  return parseJson(raw);
}

function parseJson(bytes: Buffer): JsonValue {
  try {
    return decodeJson(bytes).value;
  } catch (error) {
    throw error instanceof MalformedJson ? malformed('an embedded JSON value does not parse') : error;
  }
}

/**
 * The three unions of JSONSchemaProps: OrBool {allows 1, schema 2}, OrArray {schema 1, jSONSchemas 2},
 * OrStringArray {schema 1, property 2}.
 */
function schemaUnion(
  reader: WireReader,
  depth: number,
  decoding: Decoding,
  textual = false,
): { schema: JsonValue | undefined; flag: boolean; schemas: JsonValue[]; texts: string[] } {
  const found: { schema: JsonValue | undefined; flag: boolean; schemas: JsonValue[]; texts: string[] } = {
    schema: undefined,
    flag: false,
    schemas: [],
    texts: [],
  };
  const props = () => decoding.message(`${apiextensions}.JSONSchemaProps`, reader.part(), depth + 1) ?? {};
  let sawFlag = false;
  eachField(reader, (number, wireType) => {
    if (number === 1 && wireType === 0) {
      found.flag = reader.varint() !== 0;
      sawFlag = true;
    } else if (number === 1 && wireType === 2) found.schema = props();
    else if (number === 2 && wireType === 2) {
      if (textual) found.texts.push(reader.text());
      else found.schemas.push(props());
    } else return false;
    return true;
  });
  // In OrBool, field 2 is the schema; it always comes with field 1, the flag.
  if (sawFlag && found.schemas.length > 0) found.schema = found.schemas.pop();
  return found;
}

/** A wrapped repeated text: {items 1}. */
function textList(reader: WireReader): JsonValue {
  const items: string[] = [];
  eachField(reader, (number, wireType) => {
    if (number !== 1 || wireType !== 2) return false;
    items.push(reader.text());
    return true;
  });
  return items;
}
