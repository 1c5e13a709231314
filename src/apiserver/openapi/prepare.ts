import { setImmediate } from 'node:timers/promises';
import type { Scheme } from '#apimachinery/scheme.ts';
import { apiGroups } from '../discovery/api-groups.ts';
import { hashV3 } from './encoded-v3.ts';

/**
 * Makes a scheme's OpenAPI 3 documents one by one, letting other work run between them, so that the first client does
 * not make it wait for all: about 100 ms at once for the built-in kinds of a cold process. Ends early when aborted.
 */
export async function prepareOpenApi(scheme: Scheme, signal: AbortSignal): Promise<void> {
  for (const group of apiGroups(scheme)) {
    for (const groupVersion of group.versions) {
      if (signal.aborted) return;
      hashV3(group.name, groupVersion);
      await setImmediate();
    }
  }
}
