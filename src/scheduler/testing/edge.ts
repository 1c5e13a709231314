import { copyAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Syncer } from './syncer.ts';

/** Of a Deployment’s first container. */
export const imageOf = (copy: KubeObject): string => {
  const template = (copy['spec'] as JsonObject)['template'] as JsonObject;
  const [container] = (template['spec'] as JsonObject)['containers'] as JsonObject[];
  return String(container?.['image']);
};
/** A merge patch that changes it. */
export const withImage = (image: string): JsonObject => ({
  spec: { template: { spec: { containers: [{ name: 'main', image }] } } },
});

/** An edge that runs every image but a broken one. */
export function edge(syncer: Syncer): AsyncDisposable {
  const stopping = new AbortController();
  const work = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      for (const copy of await syncer.copies('apps/v1', 'deployments')) {
        const { annotations = {}, generation = 1, deletionTimestamp } = copy.metadata;
        const isKnown = annotations[syncAnnotations.syncedHash] === annotations[copyAnnotations.contentHash];
        // What changed and changed back is as it was, and yet of another generation.
        const { observedGeneration } = (copy['status'] ?? {}) as { observedGeneration?: number };
        if ((isKnown && observedGeneration === generation) || deletionTimestamp !== undefined) continue;
        const { replicas = 0 } = copy['spec'] as { replicas?: number };
        const ready = imageOf(copy) === 'app:broken' ? 0 : replicas;
        const status = {
          observedGeneration: generation,
          replicas,
          updatedReplicas: replicas,
          readyReplicas: ready,
          availableReplicas: ready,
        };
        try {
          await syncer.report('apps/v1', 'deployments', copy, status);
        } catch (error) {
          // It has gone since it was listed.
          if (!isApiError(error, 'NotFound')) throw error;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const done = work();
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await done;
    },
  };
}
