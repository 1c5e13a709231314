import type { ReturnableKind } from '#api/federation/return-contract.ts';
import { staysAtEdge } from '#api/federation/return-contract.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { appliedFieldsOf } from '../downsync/managed-trie.ts';
import { edgeFieldManager } from '../edge/edge-object.ts';
import type { Birth, Births } from './births.ts';

export interface EdgeBirthsOptions {
  readonly kind: ReturnableKind;
  readonly edgeClient: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether an object that is not a copy is asked for. */
  readonly wanted: (kind: ReturnableKind, object: KubeObject) => boolean;
  readonly onChange: (kind: ReturnableKind, namespace: string, name: string) => void;
}

/** Kept of one kind; further ones are left where they are, as those beyond a request's `maxObjects`. */
const birthsMax = 2_000;
const pageSize = 100;
const watchTimeoutSeconds = 300;

/** The objects of one kind at an edge that no copy made and that are asked for: their metadata, kept by one watch. */
export class EdgeBirths implements Births {
  readonly #informer: Informer;

  constructor(options: EdgeBirthsOptions) {
    const { kind, edgeClient, clock, logger, wanted, onChange } = options;
    this.#informer = new Informer({
      client: edgeClient,
      clock,
      logger,
      collection: { cluster: undefined, gvr: kind },
      pageSize,
      watchTimeoutSeconds,
      indexers: { namespace: ({ metadata }) => [metadata.namespace ?? ''] },
      transform: (object) => {
        const isCopy = appliedFieldsOf(object, edgeFieldManager) !== undefined;
        const isGoing = object.metadata.deletionTimestamp !== undefined;
        if (isCopy || isGoing || staysAtEdge(kind.kind, object) || !wanted(kind, object)) return undefined;
        const { name, namespace, uid, resourceVersion, labels } = object.metadata;
        const isKnown = this.#informer.get(`|${namespace}/${name}`) !== undefined;
        if (!isKnown && this.#informer.size >= birthsMax) return undefined;
        return {
          apiVersion: object.apiVersion,
          kind: kind.kind,
          metadata: { name, namespace, uid, resourceVersion, ...(labels === undefined ? {} : { labels }) },
          edgeName: name,
        } as KubeObject;
      },
    });
    const tell = ({ metadata }: KubeObject) => onChange(kind, metadata.namespace ?? '', metadata.name ?? '');
    this.#informer.addHandler({ onAdd: tell, onUpdate: tell, onDelete: tell });
  }

  get watch(): Births['watch'] {
    return this.#informer;
  }

  get(namespace: string, name: string): Birth | undefined {
    return this.#informer.get(`|${namespace}/${name}`) as Birth | undefined;
  }

  in(namespace: string): Iterable<Birth> {
    return this.#informer.byIndex('namespace', namespace) as IterableIterator<Birth>;
  }
}
