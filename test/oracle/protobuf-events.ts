import type { JsonObject } from '#apimachinery/json.ts';
import { decodeProtobuf } from '#apiserver/protobuf/protobuf.ts';

/** Splits frames of a protobuf stream, each behind its length in four bytes, into events and what is not whole yet. */
export function protobufEvents(buffer: Buffer): { readonly events: JsonObject[]; readonly rest: Buffer } {
  const events: JsonObject[] = [];
  let at = 0;
  while (buffer.length >= at + 4) {
    const end = at + 4 + buffer.readUInt32BE(at);
    if (buffer.length < end) break;
    events.push(eventOf(buffer.subarray(at + 4, end)));
    at = end;
  }
  return { events, rest: buffer.subarray(at) };
}

/** meta/v1 WatchEvent: `type` (1), and `object` (2), a RawExtension whose `raw` (1) is an object in its envelope. */
function eventOf(message: Buffer): JsonObject {
  const { 1: type, 2: extension } = fieldsOf(message);
  const { 1: raw } = extension === undefined ? {} : fieldsOf(extension);
  if (type === undefined || raw === undefined) throw new Error('an event without a type or an object');
  return { type: type.toString('utf8'), object: decodeProtobuf(raw).object };
}

/** Fields of a message in which all are bytes. */
function fieldsOf(message: Buffer): { readonly [field: number]: Buffer } {
  const fields: { [field: number]: Buffer } = {};
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('a message that ends too early');
      value += (byte % 128) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    if (tag % 8 !== 2) throw new Error(`a field that is not bytes: ${tag}`);
    const length = varint();
    fields[(tag - 2) / 8] = message.subarray(at, at + length);
    at += length;
  }
  return fields;
}
