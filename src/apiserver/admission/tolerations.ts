import { numberAt, textAt } from '#api/builtin/read.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';

/** Both lists together, without those that another of them includes (source: Kubernetes' pkg/util/tolerations). */
export function mergeTolerations(first: readonly JsonObject[], second: readonly JsonObject[]): JsonObject[] {
  const all = [...first, ...second];
  const merged: JsonObject[] = [];
  all.forEach((one, i) => {
    if (merged.some((kept) => includes(kept, one))) return;
    // Of two that say the same the first stays.
    if (all.slice(i + 1).some((later) => !equalJson(later, one) && includes(later, one))) return;
    merged.push(one);
  });
  return merged;
}

/** Whether whatever `inner` tolerates, `outer` does. */
function includes(outer: JsonObject, inner: JsonObject): boolean {
  if (equalJson(outer, inner)) return true;
  const key = textAt(outer, 'key');
  const operator = textAt(outer, 'operator');
  if (textAt(inner, 'key') !== key && (key !== '' || operator !== 'Exists')) return false;
  const effect = textAt(outer, 'effect');
  if (effect !== '' && textAt(inner, 'effect') !== effect) return false;
  const seconds = numberAt(outer, 'tolerationSeconds');
  if (effect === 'NoExecute' && seconds !== undefined) {
    const asked = numberAt(inner, 'tolerationSeconds');
    if (asked === undefined || asked > seconds) return false;
  }
  if (operator === 'Exists') return true;
  if (operator !== 'Equal' && operator !== '') return false;
  return textAt(inner, 'operator') === 'Equal' && textAt(inner, 'value') === textAt(outer, 'value');
}
