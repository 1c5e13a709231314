import type { JsonValue } from '#apimachinery/json.ts';

import { isJsonObject } from '#apimachinery/json.ts';
import type { Difference } from './differences.ts';

export const isMessage = ({ path }: Pick<Difference, 'path'>) =>
  path.at(-1) === 'message' && path[0] === 'body';

export const isCause = (path: Difference['path']) =>
  path[0] === 'body' && path[1] === 'details' && path[2] === 'causes';

/** Undefined for an answer without causes, which is like no other. */
export function sortedCauses(body: JsonValue): JsonValue {
  const details = isJsonObject(body) ? body['details'] : undefined;
  const causes = isJsonObject(details) ? details['causes'] : undefined;
  return Array.isArray(causes) ? causes.map((cause) => JSON.stringify(cause)).sort() : JSON.stringify(body);
}
