import type { JsonValue } from '#apimachinery/json.ts';
import { decodeMessage } from './decode-message.ts';
import type { DecodedObject, Decoding } from './decoding.ts';
import { decodeEnvelope } from './envelope.ts';
import type { WireReader } from './wire-reader.ts';

/** For one body, since it counts what that makes. */
export class BodyDecoding implements Decoding {
  values = 0;

  message(path: string, reader: WireReader, depth: number): JsonValue | undefined {
    return decodeMessage(path, reader, depth, this);
  }

  envelope(bytes: Buffer, depth: number): DecodedObject {
    return decodeEnvelope(bytes, depth, this);
  }
}
