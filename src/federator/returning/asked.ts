import {
  eventKind,
  type ReturnKind,
  returnKindKey,
  returnKindOf,
  selectsReturn,
} from '#api/federation/return-contract.ts';
import { returnEventsDefault } from '#api/federation/return-policy.ts';
import { type ReturnRequest, returnRequestsGvr } from '#api/federation/returned-object.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';

export interface AskedOptions {
  readonly federationClient: KubeClient;
  /** Path of the cell's workspace. */
  readonly workspace: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something else is asked for. */
  readonly onChange: () => void;
}

/** What is asked for of one edge: the ReturnRequests in its cell's workspace, kept by one watch. */
export class Asked {
  readonly #options: AskedOptions;
  readonly #requests: Informer;

  constructor(options: AskedOptions) {
    const { federationClient: client, workspace: cluster, clock, logger, onChange } = options;
    this.#options = options;
    this.#requests = new Informer({
      client,
      clock,
      logger,
      collection: { cluster, gvr: returnRequestsGvr },
      indexers: { namespace: ({ metadata }) => [metadata.namespace ?? ''] },
    });
    this.#requests.addHandler({
      onAdd: onChange,
      onUpdate: (request, old) => {
        if (request.metadata.generation !== old.metadata.generation) onChange();
      },
      onDelete: onChange,
    });
  }

  start(): void {
    this.#requests.start();
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#requests.stop();
  }

  get synced(): Promise<void> {
    return this.#requests.synced;
  }

  /** Every kind that a request names, once. */
  kinds(): ReturnKind[] {
    const asked = new Map<string, ReturnKind>();
    for (const { spec } of this.#all()) {
      for (const selector of spec.resources) {
        const kind = returnKindOf(selector);
        if (kind !== undefined) asked.set(returnKindKey(kind), kind);
      }
    }
    return [...asked.values()];
  }

  hasKind(kindKey: string): boolean {
    return this.kinds().some((kind) => returnKindKey(kind) === kindKey);
  }

  /** The one type of Events that is asked for; undefined when there are others. */
  onlyEventType(): string | undefined {
    const types = new Set<string>();
    for (const { spec } of this.#all()) {
      for (const selector of spec.resources) {
        if (returnKindOf(selector) !== eventKind) continue;
        for (const type of selector.eventTypes ?? ['Normal', 'Warning']) types.add(type);
      }
    }
    const [only] = types;
    return types.size === 1 ? only : undefined;
  }

  /** The first that asks for the object. */
  requestFor(kind: ReturnKind, object: KubeObject): ReturnRequest | undefined {
    for (const request of this.#in(object.metadata.namespace ?? '')) {
      if (selectsReturn(request.spec.resources, kind, object)) return request;
    }
    return undefined;
  }

  /** How many Events of a namespace may come back. */
  eventsMax(namespace: string): number {
    let max = 0;
    for (const { spec } of this.#in(namespace)) {
      const { resources, maxEvents = returnEventsDefault } = spec;
      if (resources.some((selector) => returnKindOf(selector) === eventKind)) max += maxEvents;
    }
    return max;
  }

  /** Tells who asked which kinds do not come, and why. `unread`: by the kind's key, why the edge does not let it be read. */
  async tell(unserved: readonly ReturnKind[], unread: ReadonlyMap<string, string>): Promise<void> {
    const missing = new Set(unserved.map(returnKindKey));
    for (const { metadata, spec, status } of this.#all()) {
      const kinds = spec.resources.flatMap((selector) => returnKindOf(selector) ?? []);
      const names = kinds
        .filter((kind) => missing.has(returnKindKey(kind)))
        .map((kind) => `${kind.kind} in ${formatApiVersion(kind)}`);
      const words = new Set(kinds.flatMap((kind) => unread.get(returnKindKey(kind)) ?? []));
      const message = [
        ...(names.length === 0 ? [] : [`the edge does not serve ${names.join(', ')}`]),
        ...words,
      ].join('; ');
      const reason = names.length > 0 ? 'APINotServed' : words.size > 0 ? 'EdgeForbids' : undefined;
      if ((status?.message ?? '') === message && status?.reason === reason) continue;
      const { name = '', namespace } = metadata;
      const ref = { cluster: this.#options.workspace, gvr: returnRequestsGvr, namespace, name };
      try {
        await this.#options.federationClient.patch(
          ref,
          {
            type: 'merge',
            body: { status: { reason: reason ?? null, message: message === '' ? null : message } },
          },
          { subresource: 'status' },
        );
      } catch (error) {
        if (!isApiError(error, 'NotFound')) throw error;
      }
    }
  }

  #all(): Iterable<ReturnRequest> {
    return this.#requests.values() as Iterable<KubeObject> as Iterable<ReturnRequest>;
  }

  #in(namespace: string): Iterable<ReturnRequest> {
    return this.#requests.byIndex('namespace', namespace) as Iterable<KubeObject> as Iterable<ReturnRequest>;
  }
}
