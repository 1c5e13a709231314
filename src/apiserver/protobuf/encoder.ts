import type { JsonValue } from '#apimachinery/json.ts';
import type { WireWriter } from './wire-writer.ts';

/** Writes a message's fields, the last one first; `value` as it stands in JSON, undefined where it is absent. */
export type Encoder = (value: JsonValue | undefined, writer: WireWriter) => void;
