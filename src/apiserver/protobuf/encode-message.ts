import { catalogueMessage } from '#api/builtin/catalogue-messages.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Encoder } from './encoder.ts';
import { specialEncoder } from './special-encodings.ts';
import { wireBytes, wireFixed64, wireVarint } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

type Scalar = 'string' | 'bytes' | 'bool' | 'int32' | 'int64' | 'double';

interface Field {
  /** '' when the message's fields stand in the object around it. */
  readonly name: string;
  readonly tag: number;
  readonly shape: 'one' | 'list' | 'map';
  readonly scalar: Scalar | undefined;
  /** Path of the message type when it is no scalar. */
  readonly message: string;
  /** A pointer in Go: unset, it is left out; everything else is written with its zero value. */
  readonly isPointer: boolean;
  /** Of a map's value, in its entries. */
  readonly valueTag: number;
  /** Looked up when first needed: messages refer to themselves. */
  encoder: Encoder | undefined;
  /** Of a message that is no pointer: what stands for it when it is absent. */
  absent: Buffer | undefined;
}

const encoders = new Map<string, Encoder>();
const empty: JsonObject = Object.freeze({});

/**
 * The encoder of a message: what Go's generated code writes for the same object, byte for byte. Fields that are no
 * pointers are always written, also when they are zero; maps are sorted by key. A value that is not of its field's type is
 * written like an absent one: objects are type-checked when they are written, and one that is damaged is not to end a list.
 */
export function encoderOf(path: string): Encoder {
  let encoder = encoders.get(path);
  if (encoder === undefined) {
    encoder = specialEncoder(path, encoderOf) ?? messageEncoder(path);
    encoders.set(path, encoder);
  }
  return encoder;
}

function messageEncoder(path: string): Encoder {
  let fields: readonly Field[] | undefined;
  return (value, writer) => {
    fields ??= fieldsOf(path);
    const object = isJsonObject(value) ? value : empty;
    for (let index = 0; index < fields.length; index++) encodeField(fields[index] as Field, object, writer);
  };
}

/** By falling number. */
function fieldsOf(path: string): Field[] {
  const message = catalogueMessage(path);
  if (message === undefined) throw new Error(`catalogue lacks the message ${path}`);
  const numbers = Object.keys(message).map(Number);
  return numbers
    .sort((a, b) => b - a)
    .map((number) => {
      const [name, expression, mark] = message[number]!;
      const shape = expression.startsWith('[]') ? 'list' : expression.startsWith('{}') ? 'map' : 'one';
      const element = shape === 'one' ? expression : expression.slice(2);
      const scalar = element.startsWith('#') ? undefined : (element as Scalar);
      const wireType = wireTypeOf(scalar);
      return {
        name,
        tag: number * 8 + (shape === 'map' ? wireBytes : wireType),
        shape,
        scalar,
        message: element.slice(1),
        isPointer: mark === 2,
        valueTag: 2 * 8 + wireType,
        encoder: undefined,
        absent: undefined,
      };
    });
}

function wireTypeOf(scalar: Scalar | undefined): number {
  switch (scalar) {
    case 'bool':
    case 'int32':
    case 'int64':
      return wireVarint;
    case 'double':
      return wireFixed64;
    default:
      return wireBytes;
  }
}

function encodeField(field: Field, object: JsonObject, writer: WireWriter): void {
  if (field.name === '') {
    encodeElement(field, field.tag, object, writer);
    return;
  }
  const value = object[field.name];
  if (field.shape === 'one') encodeOne(field, value, writer);
  else if (value === undefined || value === null) return;
  else if (field.shape === 'list') encodeList(field, value, writer);
  else encodeMap(field, value, writer);
}

function encodeOne(field: Field, value: JsonValue | undefined, writer: WireWriter): void {
  if (value !== undefined && value !== null) {
    encodeElement(field, field.tag, value, writer);
    return;
  }
  // Go's bytes are nil when they are absent, which is as good as a pointer.
  if (field.isPointer || field.scalar === 'bytes') return;
  if (field.scalar === undefined) writer.bytes(absentMessage(field));
  else if (field.scalar === 'double') encodeElement(field, field.tag, undefined, writer);
  else writer.zero(field.tag);
}

function absentMessage(field: Field): Buffer {
  if (field.absent === undefined) {
    const own = new WireWriter();
    encodeElement(field, field.tag, undefined, own);
    field.absent = own.take();
  }
  return field.absent;
}

function encodeList(field: Field, value: JsonValue, writer: WireWriter): void {
  if (!Array.isArray(value)) return;
  for (let index = value.length - 1; index >= 0; index--) {
    encodeElement(field, field.tag, value[index] ?? undefined, writer);
  }
}

const keyTag = 8 + wireBytes;

function encodeMap(field: Field, value: JsonValue, writer: WireWriter): void {
  if (!isJsonObject(value)) return;
  const keys = Object.keys(value);
  if (keys.length > 1) keys.sort();
  for (let index = keys.length - 1; index >= 0; index--) {
    const key = keys[index]!;
    const member = value[key] ?? undefined;
    const mark = writer.size;
    if (member !== undefined || field.scalar !== 'bytes')
      encodeElement(field, field.valueTag, member, writer);
    writer.text(key);
    writer.varint(keyTag);
    writer.varint(writer.size - mark);
    writer.varint(field.tag);
  }
}

function encodeElement(field: Field, tag: number, value: JsonValue | undefined, writer: WireWriter): void {
  switch (field.scalar) {
    case undefined: {
      const mark = writer.size;
      let { encoder } = field;
      if (encoder === undefined) {
        encoder = encoderOf(field.message);
        field.encoder = encoder;
      }
      encoder(value, writer);
      writer.varint(writer.size - mark);
      break;
    }
    case 'string':
      writer.text(typeof value === 'string' ? value : '');
      break;
    case 'bytes': {
      const bytes = Buffer.from(typeof value === 'string' ? value : '', 'base64');
      writer.bytes(bytes);
      writer.varint(bytes.length);
      break;
    }
    case 'bool':
      writer.varint(value === true ? 1 : 0);
      break;
    case 'int32':
    case 'int64':
      writer.signed(typeof value === 'number' ? value : 0);
      break;
    case 'double':
      writer.double(typeof value === 'number' ? value : 0);
  }
  writer.varint(tag);
}
