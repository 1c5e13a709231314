import {
  copyAnnotations,
  copyLabels,
  edgeFinalizer,
  syncAnnotations,
} from '#api/federation/copy-contract.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { type ControlPlane, gvrOf, until } from './control-plane.ts';

/** Plays a syncer's part in one cell workspace, step by step: docs/copies.md. */
export class Syncer {
  readonly #controlPlane: ControlPlane;
  readonly #cluster: string;

  constructor(controlPlane: ControlPlane, cell: string) {
    this.#controlPlane = controlPlane;
    this.#cluster = `root:cells:${cell}`;
  }

  /** All copies of a kind. */
  async copies(apiVersion: string, resource: string): Promise<KubeObject[]> {
    const all = await this.#controlPlane.list(this.#cluster, apiVersion, resource);
    return all.filter(({ metadata }) => metadata.labels?.[copyLabels.originCluster] !== undefined);
  }

  /** Waits for the copy of an object by its own name; `holds` says which state of it is waited for. */
  copy(
    apiVersion: string,
    resource: string,
    originName: string,
    holds: (copy: KubeObject) => boolean = () => true,
  ): Promise<KubeObject> {
    return until(`copy of ${resource} ${originName} in ${this.#cluster}`, async () => {
      const all = await this.copies(apiVersion, resource);
      return all.find((copy) => {
        const name = copy.metadata.annotations?.[copyAnnotations.originName];
        return name === originName && copy.metadata.deletionTimestamp === undefined && holds(copy);
      });
    });
  }

  /** Says that the edge has what the copy says, and what status the edge's object has. */
  async report(apiVersion: string, resource: string, copy: KubeObject, status?: JsonObject): Promise<void> {
    const { namespace, name = '' } = copy.metadata;
    const ref = { cluster: this.#cluster, gvr: gvrOf(apiVersion, resource), namespace, name };
    const hash = copy.metadata.annotations?.[copyAnnotations.contentHash] as string;
    const annotations = { [syncAnnotations.syncedHash]: hash };
    const { admin } = this.#controlPlane;
    await admin.patch(ref, { type: 'merge', body: { metadata: { annotations } } });
    if (status !== undefined) {
      await admin.patch(ref, { type: 'merge', body: { status } }, { subresource: 'status' });
    }
  }

  /** Lets go of every copy that is being deleted, as when the edge's object is gone. */
  async release(apiVersion: string, resource: string): Promise<number> {
    let released = 0;
    for (const copy of await this.copies(apiVersion, resource)) {
      if (copy.metadata.deletionTimestamp === undefined) continue;
      const { namespace, name = '', finalizers = [] } = copy.metadata;
      const ref = { cluster: this.#cluster, gvr: gvrOf(apiVersion, resource), namespace, name };
      const left = finalizers.filter((one) => one !== edgeFinalizer);
      await this.#controlPlane.admin.patch(ref, { type: 'merge', body: { metadata: { finalizers: left } } });
      released++;
    }
    return released;
  }

  /** Waits until no copy of the kind is left, letting go of those that are being deleted. */
  async drained(apiVersion: string, resource: string): Promise<void> {
    await until(`no ${resource} left in ${this.#cluster}`, async () => {
      await this.release(apiVersion, resource);
      return (await this.copies(apiVersion, resource)).length === 0;
    });
  }
}
