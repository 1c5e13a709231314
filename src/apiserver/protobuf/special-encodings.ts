import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { FieldSet } from '../apply/field-set.ts';
import { textOfFieldSet } from '../apply/field-shapes.ts';
import type { Encoder } from './encoder.ts';
import type { WireWriter } from './wire-writer.ts';
import { zeroTimeSeconds } from './zero-time.ts';

const meta = 'apimachinery.pkg.apis.meta.v1';
const apiextensions = 'apiextensions-apiserver.pkg.apis.apiextensions.v1';
const schemaPath = `${apiextensions}.JSONSchemaProps`;

/** Tags of fields 1 to 3: as texts or messages (…2), or as integers (…0). */
const tag1 = 0x0a;
const tag2 = 0x12;
const tag3 = 0x1a;
const tag1Varint = 0x08;
const tag2Varint = 0x10;

/**
 * The encoder of a message whose JSON form is not the object of its fields, undefined for any other: the other way of
 * `specialMessages`. `encoderOf` gives those of messages that it holds.
 */
export function specialEncoder(path: string, encoderOf: (path: string) => Encoder): Encoder | undefined {
  return encodings[path] ?? schemaUnions[path]?.(encoderOf(schemaPath));
}

const encodings: { readonly [path: string]: Encoder } = {
  [`${meta}.Time`]: (value, writer) => time(value, writer, 1),
  [`${meta}.MicroTime`]: (value, writer) => time(value, writer, 1000),
  'apimachinery.pkg.api.resource.Quantity': (value, writer) => {
    writer.text(typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '0');
    writer.varint(tag1);
  },
  'apimachinery.pkg.util.intstr.IntOrString': intOrString,
  [`${meta}.FieldsV1`]: (value, writer) => {
    if (isJsonObject(value)) rawText(textOfFieldSet(value as FieldSet), writer);
  },
  [`${apiextensions}.JSON`]: rawJson,
  'apimachinery.pkg.runtime.RawExtension': rawJson,
  'api.authentication.v1.ExtraValue': textList,
  'api.authorization.v1.ExtraValue': textList,
  'api.certificates.v1.ExtraValue': textList,
  'api.certificates.v1beta1.ExtraValue': textList,
  [`${meta}.Verbs`]: textList,
};

/** Schemas hold these, and these hold schemas. */
const schemaUnions: { readonly [path: string]: (schema: Encoder) => Encoder } = {
  // {allows 1, schema 2}: a schema allows.
  [`${apiextensions}.JSONSchemaPropsOrBool`]: (schema) => (value, writer) => {
    if (isJsonObject(value)) message(schema, value, tag2, writer);
    writer.varint(value === true || isJsonObject(value) ? 1 : 0);
    writer.varint(tag1Varint);
  },
  // {schema 1, jSONSchemas 2}
  [`${apiextensions}.JSONSchemaPropsOrArray`]: (schema) => (value, writer) => {
    if (Array.isArray(value)) for (const one of [...value].reverse()) message(schema, one, tag2, writer);
    else if (isJsonObject(value)) message(schema, value, tag1, writer);
  },
  // {schema 1, property 2}
  [`${apiextensions}.JSONSchemaPropsOrStringArray`]: (schema) => (value, writer) => {
    if (Array.isArray(value)) texts(value, tag2, writer);
    else if (isJsonObject(value)) message(schema, value, tag1, writer);
  },
};

const rfc3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)$/;

/** seconds (1), nanos (2), the latter cut to so many; nothing at all for Go's zero time. */
function time(value: JsonValue | undefined, writer: WireWriter, nanosStep: number): void {
  const plain = typeof value === 'string' ? plainSeconds(value) : undefined;
  if (plain !== undefined) {
    writeTime(plain, 0, writer);
    return;
  }
  const match = typeof value === 'string' ? rfc3339.exec(value) : null;
  if (match === null) return;
  const [, day = '', clock = '', fraction = '', zone = ''] = match;
  const seconds = Date.parse(`${day}T${clock}${zone.toUpperCase()}`) / 1000;
  if (Number.isNaN(seconds)) return;
  const nanos = Number(fraction.padEnd(9, '0'));
  writeTime(seconds, nanos - (nanos % nanosStep), writer);
}

function writeTime(seconds: number, nanos: number, writer: WireWriter): void {
  if (seconds === zeroTimeSeconds && nanos === 0) return;
  writer.varint(nanos);
  writer.varint(tag2Varint);
  writer.signed(seconds);
  writer.varint(tag1Varint);
}

/** Of `2026-01-02T03:04:05Z`, which nearly all times look like: reading it so costs a tenth. */
function plainSeconds(text: string): number | undefined {
  if (text.length !== 20 || text[4] !== '-' || text[7] !== '-' || text[10] !== 'T') return undefined;
  if (text[13] !== ':' || text[16] !== ':' || text[19] !== 'Z') return undefined;
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const [month, day] = [twoDigits(text, 5), twoDigits(text, 8)];
  const [hour, minute, second] = [twoDigits(text, 11), twoDigits(text, 14), twoDigits(text, 17)];
  // Whatever is unusual, or no time at all, is left to the longer way. NaN is in no range.
  const isUsual = year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= 28;
  if (!isUsual || !(hour <= 23 && minute <= 59 && second <= 59)) return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
}

function twoDigits(text: string, at: number): number {
  const [tens, ones] = [text.charCodeAt(at) - 0x30, text.charCodeAt(at + 1) - 0x30];
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/** type (1: 0 number, 1 text), intVal (2), strVal (3). */
function intOrString(value: JsonValue | undefined, writer: WireWriter): void {
  const isText = typeof value === 'string';
  writer.text(isText ? value : '');
  writer.varint(tag3);
  writer.signed(typeof value === 'number' ? value : 0);
  writer.varint(tag2Varint);
  writer.varint(isText ? 1 : 0);
  writer.varint(tag1Varint);
}

function rawJson(value: JsonValue | undefined, writer: WireWriter): void {
  if (value !== undefined && value !== null) rawText(JSON.stringify(value), writer);
}

function rawText(text: string, writer: WireWriter): void {
  writer.text(text);
  writer.varint(tag1);
}

function message(encoder: Encoder, value: JsonValue, tag: number, writer: WireWriter): void {
  const mark = writer.size;
  encoder(value, writer);
  writer.varint(writer.size - mark);
  writer.varint(tag);
}

function textList(value: JsonValue | undefined, writer: WireWriter): void {
  if (Array.isArray(value)) texts(value, tag1, writer);
}

function texts(values: readonly JsonValue[], tag: number, writer: WireWriter): void {
  for (let index = values.length - 1; index >= 0; index--) {
    const one = values[index];
    writer.text(typeof one === 'string' ? one : '');
    writer.varint(tag);
  }
}
