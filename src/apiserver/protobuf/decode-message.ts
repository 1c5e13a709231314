import { catalogueMessage } from '#api/builtin/catalogue-messages.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Decoding } from './decoding.ts';
import { specialMessages } from './special-messages.ts';
import { malformed, WireReader, wireBytes, wireFixed64, wireVarint } from './wire-reader.ts';

/** How deep messages may nest: JSONSchemaProps recurse; nothing real comes near. */
const depthMax = 200;
const tooDeep = `it nests deeper than ${depthMax} messages`;
/** How many values one body may hold: an empty message takes two bytes on the wire but an object in memory. */
const valuesMax = 1_000_000;

type Scalar = 'string' | 'bytes' | 'bool' | 'int32' | 'int64' | 'double';

interface Field {
  readonly name: string;
  readonly shape: 'one' | 'list' | 'map';
  readonly scalar: Scalar | undefined;
  /** Path of the message type when it is no scalar. */
  readonly message: string;
  readonly omittedWhenZero: boolean;
}

type Descriptor = ReadonlyMap<number, Field>;

const descriptors = new Map<string, Descriptor>();

/** Made from the catalogue when a message of that type is first met, and kept. */
function descriptorOf(path: string): Descriptor {
  let descriptor = descriptors.get(path);
  if (descriptor === undefined) {
    const message = catalogueMessage(path);
    if (message === undefined) throw new Error(`catalogue lacks the message ${path}`);
    const fields = new Map<number, Field>();
    for (const number in message) {
      const [name, expression, zero] = message[number]!;
      const shape = expression.startsWith('[]') ? 'list' : expression.startsWith('{}') ? 'map' : 'one';
      const element = shape === 'one' ? expression : expression.slice(2);
      fields.set(Number(number), {
        name,
        shape,
        scalar: element.startsWith('#') ? undefined : (element as Scalar),
        message: element.slice(1),
        omittedWhenZero: zero === 1,
      });
    }
    descriptor = fields;
    descriptors.set(path, descriptor);
  }
  return descriptor;
}

/**
 * Decodes one message into its JSON form: what Go's encoder would print after decoding it. Unknown fields are skipped;
 * a zero that Go would leave out is left out; an unset special value (a zero Time) gives undefined.
 */
export function decodeMessage(
  path: string,
  reader: WireReader,
  depth: number,
  decoding: Decoding,
): JsonValue | undefined {
  if (depth > depthMax) throw malformed(tooDeep);
  const special = specialMessages[path];
  if (special !== undefined) return special(reader, depth, decoding);
  const object: JsonObject = {};
  decodeFields(path, reader, object, depth, decoding);
  return object;
}

/** Reads the fields of a message into an object that may hold others: an inlined message shares its parent's object. */
export function decodeFields(
  path: string,
  reader: WireReader,
  into: JsonObject,
  depth: number,
  decoding: Decoding,
): void {
  const descriptor = descriptorOf(path);
  while (!reader.done) {
    const tag = reader.tag();
    const field = descriptor.get(Math.floor(tag / 8));
    const wireType = tag & 7;
    if (field === undefined) {
      reader.skip(wireType);
      continue;
    }
    if (++decoding.values > valuesMax) throw malformed('it holds too many values');
    if (field.name === '') {
      if (wireType !== wireBytes) throw malformed(`field of ${path} has wire type ${wireType}`);
      if (depth >= depthMax) throw malformed(tooDeep);
      decodeFields(field.message, reader.part(), into, depth + 1, decoding);
      continue;
    }
    if (field.shape === 'list')
      decodeElement(field, wireType, reader, listIn(into, field.name), depth, decoding);
    else if (field.shape === 'map')
      decodeEntry(field, wireType, reader, mapIn(into, field.name), depth, decoding);
    else {
      const value = decodeValue(field, wireType, reader, depth, decoding);
      if (value === undefined || (field.omittedWhenZero && isZero(value))) delete into[field.name];
      else into[field.name] = value;
    }
  }
}

function isZero(value: JsonValue): boolean {
  return value === '' || value === 0 || value === false;
}

function listIn(object: JsonObject, name: string): JsonValue[] {
  const present = object[name];
  if (Array.isArray(present)) return present;
  const list: JsonValue[] = [];
  object[name] = list;
  return list;
}

function mapIn(object: JsonObject, name: string): JsonObject {
  const present = object[name];
  if (typeof present === 'object' && present !== null && !Array.isArray(present)) return present;
  const map: JsonObject = {};
  object[name] = map;
  return map;
}

function decodeElement(
  field: Field,
  wireType: number,
  reader: WireReader,
  list: JsonValue[],
  depth: number,
  decoding: Decoding,
): void {
  const packable = field.scalar !== undefined && field.scalar !== 'string' && field.scalar !== 'bytes';
  if (packable && wireType === wireBytes) {
    const packed = reader.part();
    while (!packed.done) {
      if (++decoding.values > valuesMax) throw malformed('it holds too many values');
      const elementType = field.scalar === 'double' ? wireFixed64 : wireVarint;
      list.push(decodeValue(field, elementType, packed, depth, decoding) as JsonValue);
    }
    return;
  }
  list.push(decodeValue(field, wireType, reader, depth, decoding) ?? null);
}

function decodeEntry(
  field: Field,
  wireType: number,
  reader: WireReader,
  map: JsonObject,
  depth: number,
  decoding: Decoding,
): void {
  if (wireType !== wireBytes) throw malformed(`map ${field.name} has wire type ${wireType}`);
  const entry = reader.part();
  let key = '';
  let value: JsonValue | undefined;
  while (!entry.done) {
    const tag = entry.tag();
    if (tag === 8 + wireBytes) key = entry.text();
    else if (tag >> 3 === 2) value = decodeValue(field, tag & 7, entry, depth, decoding);
    else entry.skip(tag & 7);
  }
  if (key === '__proto__') throw malformed('"__proto__" is not allowed as a key');
  map[key] = value ?? zeroOf(field, depth, decoding);
}

function zeroOf(field: Field, depth: number, decoding: Decoding): JsonValue {
  switch (field.scalar) {
    case undefined:
      return decodeMessage(field.message, new WireReader(Buffer.alloc(0), 0, 0), depth + 1, decoding) ?? null;
    case 'string':
    case 'bytes':
      return '';
    case 'bool':
      return false;
    default:
      return 0;
  }
}

function decodeValue(
  field: Field,
  wireType: number,
  reader: WireReader,
  depth: number,
  decoding: Decoding,
): JsonValue | undefined {
  const expected =
    field.scalar === undefined || field.scalar === 'string' || field.scalar === 'bytes'
      ? wireBytes
      : field.scalar === 'double'
        ? wireFixed64
        : wireVarint;
  if (wireType !== expected) throw malformed(`field ${field.name} has wire type ${wireType}`);
  switch (field.scalar) {
    case undefined:
      return decodeMessage(field.message, reader.part(), depth + 1, decoding);
    case 'string':
      return reader.text();
    case 'bytes':
      return reader.bytes().toString('base64');
    case 'bool':
      return reader.varint() !== 0;
    case 'int32':
      return reader.signed() | 0;
    case 'int64':
      return reader.signed();
    case 'double':
      return reader.double();
  }
}
