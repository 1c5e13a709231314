import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { WireReader } from './wire-reader.ts';

export interface DecodedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly object: JsonObject;
}

/** One body under way. What a message nests is decoded through it: messages of all kinds, and whole bodies, may lie in one another. */
export interface Decoding {
  /** Made so far, across nested messages. */
  values: number;
  message(path: string, reader: WireReader, depth: number): JsonValue | undefined;
  envelope(bytes: Buffer, depth: number): DecodedObject;
}
