import type { RefusalCount } from '#api/work/resource-binding.ts';
import { isRefusalCode, reasonOf } from '../explain/reasons.ts';

/** Kinds of refusals that are told; the binding has them all. */
const toldMax = 3;

/** For who reads an Event and nothing else: what was decided, and in words why cells were left out. */
export function whyFailed(message: string, refusals: readonly RefusalCount[] = []): string {
  const told = refusals.slice(0, toldMax).map(({ code, policy, count, examples = [] }) => {
    const others = count - examples.length;
    const cells = `${examples.join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
    return `${cells}: ${isRefusalCode(code) ? reasonOf(code, policy).text : code}`;
  });
  return [message, ...told].join('; ');
}
