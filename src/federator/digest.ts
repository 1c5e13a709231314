import { createHash } from 'node:crypto';
import { canonicalJson } from '#apimachinery/canonical-json.ts';
import type { JsonValue } from '#apimachinery/json.ts';

/** 96 bits over the content, in 16 characters, whatever the order of keys; '' for nothing. Tells a change, proves nothing. */
export function digestOf(value: JsonValue | undefined): string {
  return value === undefined || value === null ? '' : digestOfText(canonicalJson(value));
}

export function digestOfText(text: string): string {
  // Cut before it is text: a part of a text would keep the whole in memory.
  return createHash('sha1').update(text).digest().toString('base64', 0, 12);
}
