import { copyLabels } from '#api/federation/copy-contract.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer, objectKeyOf } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import type { ServedKind } from './edge-kinds.ts';
import { type EdgeObject, edgeObjectOf, shortHash } from './edge-object.ts';

export interface EdgeMirrorOptions {
  readonly edgeClient: KubeClient;
  readonly controlPlaneId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** An object of ours changed, appeared or went at the edge. */
  readonly onChange: (kind: ServedKind, object: EdgeObject, gone: boolean) => void;
  /** The hash of the status last written upstream for this object, so that unchanged ones are not kept. */
  readonly writtenStatusHash: (kind: ServedKind, object: KubeObject) => string | undefined;
}

interface MirroredKind {
  readonly kind: ServedKind;
  readonly informer: Informer;
  /** Statuses that wait to be written upstream, by object key. */
  readonly pendingStatus: Map<string, JsonValue>;
}

/**
 * What stands at the edge of ours, kind by kind, kept by one watch a kind (all over shared connections). Only objects
 * with this control plane's labels are seen; what is remembered of each is small.
 */
export class EdgeMirror {
  readonly #options: EdgeMirrorOptions;
  readonly #kinds = new Map<string, MirroredKind>();

  constructor(options: EdgeMirrorOptions) {
    this.#options = options;
  }

  /** Begins to mirror a kind, and resolves when its first list is in. */
  ensure(kind: ServedKind): Promise<void> {
    const key = `${kind.group}/${kind.resource}`;
    const present = this.#kinds.get(key);
    if (present !== undefined) return present.informer.synced;
    const pendingStatus = new Map<string, JsonValue>();
    const informer = new Informer({
      client: this.#options.edgeClient,
      clock: this.#options.clock,
      logger: this.#options.logger,
      collection: {
        cluster: undefined,
        gvr: { group: kind.group, version: kind.version, resource: kind.resource },
      },
      labelSelector: `${copyLabels.originControlPlane}=${this.#options.controlPlaneId}`,
      transform: (object) => {
        const small = edgeObjectOf(object);
        const status = object['status'];
        if (kind.hasStatus && status !== undefined) {
          const key = objectKeyOf(small);
          if (this.#options.writtenStatusHash(kind, object) === shortHash(status)) pendingStatus.delete(key);
          else pendingStatus.set(key, status as JsonValue);
        }
        return small;
      },
    });
    this.#kinds.set(key, { kind, informer, pendingStatus });
    const tell = (object: KubeObject, gone: boolean) =>
      this.#options.onChange(kind, object as EdgeObject, gone);
    informer.addHandler({
      onAdd: (object) => tell(object, false),
      onUpdate: (object) => tell(object, false),
      onDelete: (object) => {
        pendingStatus.delete(objectKeyOf(object));
        tell(object, true);
      },
    });
    informer.start();
    return informer.synced;
  }

  get(kind: ServedKind, namespace: string, name: string): EdgeObject | undefined {
    const mirrored = this.#kinds.get(`${kind.group}/${kind.resource}`);
    return mirrored?.informer.get(`|${namespace}/${name}`) as EdgeObject | undefined;
  }

  /** The status that waits to be written upstream. */
  pendingStatus(kind: ServedKind, namespace: string, name: string): JsonValue | undefined {
    return this.#kinds.get(`${kind.group}/${kind.resource}`)?.pendingStatus.get(`|${namespace}/${name}`);
  }

  /** To be called when a status was written, unless a newer one has come meanwhile. */
  statusWritten(kind: ServedKind, namespace: string, name: string, written: JsonValue): void {
    const pending = this.#kinds.get(`${kind.group}/${kind.resource}`)?.pendingStatus;
    if (pending?.get(`|${namespace}/${name}`) === written) pending.delete(`|${namespace}/${name}`);
  }

  /** True when every kind's watch stands. */
  get connected(): boolean {
    for (const { informer } of this.#kinds.values()) if (!informer.connected) return false;
    return true;
  }

  get objectCount(): number {
    let count = 0;
    for (const { informer } of this.#kinds.values()) count += informer.size;
    return count;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#kinds.values()].map(({ informer }) => informer.stop()));
    this.#kinds.clear();
  }
}
