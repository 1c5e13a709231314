import type { JsonValue } from '#apimachinery/json.ts';

/** A request's body: bytes as they came, or a value that an in-process caller hands over (never changed here). */
export type RequestBody =
  | { readonly contentType: string; readonly bytes: Buffer }
  | { readonly object: JsonValue; readonly contentType?: string | undefined };
