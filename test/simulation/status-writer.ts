import { copyAnnotations } from '#api/federation/copy-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { loadKinds } from '../chaos/kinds.ts';
import { isOtherInstance } from '../chaos/meddling.ts';
import type { Scene } from './scene.ts';

/** The edges' controllers, as far as they tell of replicas. */
export class StatusWriter {
  readonly #scene: Pick<Scene, 'world' | 'meddlers'>;

  constructor(scene: Pick<Scene, 'world' | 'meddlers'>) {
    this.#scene = scene;
  }

  /** They tell that this share of the replicas is ready. */
  async write(share: number, concerns: (object: KubeObject) => boolean = () => true): Promise<void> {
    const { world, meddlers } = this.#scene;
    const { gvr } = loadKinds[1]!;
    for (const [cell, edge] of world.edges) {
      const client = world.lookAt(edge);
      const { items } = await client.list({ cluster: undefined, gvr });
      for (const object of items) {
        if (!concerns(object)) continue;
        const { name = '', namespace = '' } = object.metadata;
        const ref = { cluster: undefined, gvr, namespace, name };
        try {
          await meddlers.get(cell)?.writeStatus(ref, object, share);
        } catch (error) {
          // It is on its way to another cell, or made anew.
          if (!isApiError(error, 'NotFound', 'Conflict') && !isOtherInstance(error)) throw error;
        }
      }
    }
  }

  /** They tell in these namespaces that all is ready, where they have not. */
  async tend(namespaces: readonly string[]): Promise<void> {
    await this.write(1, (object) => {
      const { annotations = {}, generation = 1 } = object.metadata;
      const { replicas = 0 } = object['spec'] as { replicas?: number };
      const { observedGeneration, readyReplicas = 0 } = (object['status'] ?? {}) as {
        observedGeneration?: number;
        readyReplicas?: number;
      };
      if (observedGeneration === generation && readyReplicas === replicas) return false;
      return namespaces.includes(annotations[copyAnnotations.originNamespace] ?? '');
    });
  }
}
