import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Difference } from './differences.ts';
import type { NormalAnswer } from './normalise.ts';

export const isMessage = ({ path }: Pick<Difference, 'path'>) =>
  path.at(-1) === 'message' && path[0] === 'body';

export const isCause = (path: Difference['path']) =>
  path[0] === 'body' && path[1] === 'details' && path[2] === 'causes';

/** Empty for an answer without one. */
export function messageIn(body: JsonValue): string {
  return isJsonObject(body) ? String(body['message'] ?? '') : '';
}

/** Undefined for an answer without causes, which is like no other. */
export function sortedCauses(body: JsonValue): JsonValue {
  const details = isJsonObject(body) ? body['details'] : undefined;
  const causes = isJsonObject(details) ? details['causes'] : undefined;
  return Array.isArray(causes) ? causes.map((cause) => JSON.stringify(cause)).sort() : JSON.stringify(body);
}

/** Whether two refusals, or a refusal and what was written, differ in nothing but causes of one sort. */
export function differInCauses(oracle: NormalAnswer, ours: NormalAnswer, isMeant: RegExp): boolean {
  const others = ({ status, body }: NormalAnswer) => {
    const causes = sortedCauses(body);
    if (Array.isArray(causes)) return causes.filter((cause) => !isMeant.test(String(cause)));
    return status < 300 ? [] : undefined;
  };
  if (![oracle, ours].some(({ body }) => isMeant.test(String(sortedCauses(body))))) return false;
  const [theirs, own] = [others(oracle), others(ours)];
  return theirs !== undefined && own !== undefined && theirs.join() === own.join();
}
