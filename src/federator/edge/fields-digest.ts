import type { JsonObject } from '#apimachinery/json.ts';
import { digestOf } from '../digest.ts';
import { interned } from '../interned.ts';

/** Together a few megabytes at most; what is larger, or of too many shapes, is reckoned each time. */
const textsMax = 1_000;
const textLengthMax = 4_096;
const digests = new Map<string, string>();

/**
 * `digestOf` of a field set (KUBERNETES.md P4). Objects of one shape have the same, and each of our writes is told twice, by its
 * answer and by the watch: most are known from before. Equal texts are one string object.
 */
export function fieldsDigestOf(fields: JsonObject | undefined): string {
  if (fields === undefined) return '';
  const text = JSON.stringify(fields);
  if (text.length > textLengthMax) return interned(digestOf(fields));
  const known = digests.get(text);
  if (known !== undefined) return known;
  const digest = digestOf(fields);
  if (digests.size >= textsMax) digests.clear();
  digests.set(text, digest);
  return digest;
}
