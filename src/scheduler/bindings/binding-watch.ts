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
import { type ToldAmounts, type ToldBinding, toldBinding } from './told-binding.ts';

export interface BindingWatchOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A binding came. Mostly we have made it; if not, its object is to be looked at, which may be gone. */
  readonly onCame: (bound: KeyParts) => void;
  /** A binding vanished: its object is to be looked at. */
  readonly onGone: (key: ProjectObjectKey) => void;
  /** Where others decide too: what bindings take has to be known, as they come, change and go. */
  readonly others?: OthersListener | undefined;
}

export interface OthersListener {
  readonly isWatched: (cell: string) => boolean;
  readonly onTold: (key: ProjectObjectKey, told: ToldAmounts | undefined) => void;
}

/** The bindings of all projects, as far as their metadata tells, and what they take where that is asked for: two wildcard watches. */
export class BindingWatch {
  readonly #namespaced: Informer;
  readonly #clusterWide: Informer;

  constructor({ client, clock, logger, onCame, onGone, others }: BindingWatchOptions) {
    const tell = (binding: KubeObject, told: ToldAmounts | undefined): void => {
      const bound = boundObject(binding);
      if (bound !== undefined) others?.onTold(keyOf(bound), told);
    };
    const informer = (gvr: typeof resourceBindingsGvr | typeof clusterResourceBindingsGvr) => {
      const made = new Informer({
        client,
        clock,
        logger,
        collection: { cluster: '*', gvr },
        metadataOnly: others === undefined,
        transform:
          others === undefined
            ? slimMetadata
            : (binding) => toldBinding(binding, clock.now(), others.isWatched),
      });
      if (others !== undefined) {
        made.addHandler({
          onAdd: (binding) => tell(binding, (binding as ToldBinding).told),
          onUpdate: (binding) => tell(binding, (binding as ToldBinding).told),
          onDelete: (binding) => tell(binding, undefined),
        });
      }
      // Changed by ourselves; only one that vanished, or that somebody else made, is a reason to look.
      made.addHandler({
        onAdd: (binding) => {
          const bound = boundObject(binding);
          if (bound !== undefined) onCame(bound);
        },
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

  /** The same, those first that were written last: what is under way is among them. */
  lastWritten(): readonly KeyParts[] {
    const dated: { readonly bound: KeyParts; readonly revision: number }[] = [];
    for (const binding of this.#values()) {
      const bound = boundObject(binding);
      if (bound !== undefined) dated.push({ bound, revision: Number(binding.metadata.resourceVersion) });
    }
    dated.sort((a, b) => b.revision - a.revision);
    return dated.map(({ bound }) => bound);
  }

  /** What the bindings take, where that is asked for. */
  *told(): IterableIterator<{ readonly bound: KeyParts; readonly told: ToldAmounts }> {
    for (const binding of this.#values()) {
      const bound = boundObject(binding);
      const { told } = binding as Partial<ToldBinding>;
      if (bound !== undefined && told !== undefined) yield { bound, told };
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
