import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import type { WatchedResource } from '../copies/copy-index.ts';
import { bindingNameOf, type KeyParts, keyOf, type ProjectObjectKey } from '../object-key.ts';
import { watchName } from '../watches/resource-watches.ts';
import { slimMetadata } from '../watches/slim-metadata.ts';
import { pickResource } from '../watches/watched-kinds.ts';
import { boundObject, parseTemplateAnnotation, templateAnnotation } from './binding.ts';

export interface BindingWatchOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A binding vanished: its object is to be looked at. */
  readonly onGone: (key: ProjectObjectKey) => void;
}

/** The bindings of all projects, as far as their metadata tells: two wildcard watches. */
export class BindingWatch {
  readonly #namespaced: Informer;
  readonly #clusterWide: Informer;

  constructor({ client, clock, logger, onGone }: BindingWatchOptions) {
    const informer = (gvr: typeof resourceBindingsGvr | typeof clusterResourceBindingsGvr) => {
      const made = new Informer({
        client,
        clock,
        logger,
        collection: { cluster: '*', gvr },
        metadataOnly: true,
        transform: slimMetadata,
      });
      // Made and changed by ourselves; only one that vanished is a reason to look.
      made.addHandler({
        onDelete: (old) => {
          const bound = boundObject(old);
          if (bound !== undefined) onGone(keyOf(bound));
        },
      });
      return made;
    };
    this.#namespaced = informer(resourceBindingsGvr);
    this.#clusterWide = informer(clusterResourceBindingsGvr);
  }

  /** Resolves when all bindings are known; rejects when stopped before. */
  async start(): Promise<void> {
    this.#namespaced.start();
    this.#clusterWide.start();
    await Promise.all([this.#namespaced.synced, this.#clusterWide.synced]);
  }

  get connected(): boolean {
    return this.#namespaced.connected && this.#clusterWide.connected;
  }

  /** The metadata of an object's binding as it was told last. */
  metadataOf(key: KeyParts): KubeObject | undefined {
    const informer = key.namespace === '' ? this.#clusterWide : this.#namespaced;
    return informer.get(`${key.cluster}|${key.namespace}/${bindingNameOf(key)}`);
  }

  /** The objects that have a binding. */
  *bound(): IterableIterator<KeyParts> {
    for (const binding of this.#values()) {
      const bound = boundObject(binding);
      if (bound !== undefined) yield bound;
    }
  }

  /** Their resources, each once. */
  resources(): Iterable<WatchedResource> {
    const bound = new Map<string, WatchedResource>();
    for (const binding of this.#values()) {
      const template = parseTemplateAnnotation(binding.metadata.annotations?.[templateAnnotation]);
      if (template !== undefined) bound.set(watchName(template), pickResource(template));
    }
    return bound.values();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#namespaced.stop(), this.#clusterWide.stop()]);
  }

  *#values(): IterableIterator<KubeObject> {
    yield* this.#namespaced.values();
    yield* this.#clusterWide.values();
  }
}
