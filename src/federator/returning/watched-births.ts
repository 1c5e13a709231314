import {
  eventKind,
  type ReturnableKind,
  type ReturnKind,
  returnableKinds,
  returnKindKey,
  selectsReturn,
} from '#api/federation/return-contract.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Logger } from '#client/logger.ts';
import type { Asked } from './asked.ts';
import type { BirthPlace } from './birth-place.ts';
import type { Birth, Births } from './births.ts';
import { EdgeBirths } from './edge-births.ts';
import { EdgeEvents } from './edge-events.ts';

export interface WatchedBirthsOptions {
  readonly asked: Asked;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something about the birth of this name has changed. */
  readonly onChange: (kind: ReturnableKind, namespace: string, name: string) => void;
  /** All births of a kind are known. */
  readonly onSynced: () => void;
  /** A kind's first list has ended: what the edge says of it is known. */
  readonly onAttempt: () => void;
}

export interface BirthsOfKind {
  readonly kind: ReturnableKind;
  readonly births: Births;
}

/** What is born at one edge of the kinds that are asked for: one watch a kind. */
export class WatchedBirths {
  readonly #options: WatchedBirthsOptions;
  /** By the kind's key. */
  #births = new Map<string, BirthsOfKind>();
  #events: EdgeEvents | undefined;

  constructor(options: WatchedBirthsOptions) {
    this.#options = options;
  }

  /** Undefined when no Events are asked for. */
  get events(): EdgeEvents | undefined {
    return this.#events;
  }

  get(kindKey: string): BirthsOfKind | undefined {
    return this.#births.get(kindKey);
  }

  has(kind: ReturnKind): boolean {
    return this.#births.has(returnKindKey(kind));
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    const former = [...this.#births.values()];
    this.#births = new Map();
    this.#events = undefined;
    await Promise.all(former.map(({ births }) => births.watch.stop()));
  }

  /** Watches those of the kinds asked for that the edge serves. */
  start(edge: BirthPlace): void {
    const { asked, onAttempt, onSynced } = this.#options;
    for (const one of asked.kinds()) {
      const kind = servedAs(one, edge);
      if (kind === undefined) continue;
      const births = this.#watch(kind, edge);
      this.#births.set(returnKindKey(kind), { kind, births });
      // An edge that does not let the kind be read says so at the first attempt.
      void births.watch.nextAttempt().then(onAttempt);
      births.watch.start();
      births.watch.synced.then(onSynced, () => {}); // stopped before
    }
  }

  #watch(kind: ReturnableKind, { client: edgeClient }: BirthPlace): Births {
    const { asked, clock, logger, onChange } = this.#options;
    if (kind === eventKind) {
      this.#events = new EdgeEvents({
        edgeClient,
        clock,
        logger,
        type: asked.onlyEventType(),
        wanted: (event) => isAboutItsNamespace(event) && asked.requestFor(kind, event) !== undefined,
        onChange: (namespace, name) => onChange(kind, namespace, name),
      });
      return this.#events;
    }
    return new EdgeBirths({
      kind,
      edgeClient,
      clock,
      logger,
      wanted: (one, object) => asked.requestFor(one, object) !== undefined,
      onChange,
    });
  }

  /** Whether the edge does not know a kind (any more) that is looked for there. */
  get hasUnknown(): boolean {
    for (const { births } of this.#births.values())
      if (isApiError(births.watch.lastError, 'NotFound')) return true;
    return false;
  }

  /** The kinds that the edge does not let the federator read, by their keys, with its own words. */
  refusedKinds(): ReadonlyMap<string, string> {
    const refused = new Map<string, string>();
    for (const [key, { births }] of this.#births) {
      const error = births.watch.lastError;
      if (isApiError(error, 'Forbidden')) refused.set(key, error.message);
    }
    return refused;
  }

  /** Whether it is among as many as its request allows, Events not counted; of those the first by name. */
  fits(kind: ReturnableKind, birth: Birth): boolean {
    const request = this.#options.asked.requestFor(kind, birth);
    if (request === undefined) return false;
    const key = returnKindKey(kind);
    const namespace = birth.metadata.namespace ?? '';
    let before = 0;
    for (const [otherKey, { kind: other, births }] of this.#births) {
      if (other === eventKind) continue;
      for (const one of births.in(namespace)) {
        const isBefore =
          otherKey < key || (otherKey === key && (one.metadata.name ?? '') < (birth.metadata.name ?? ''));
        if (isBefore && selectsReturn(request.spec.resources, other, one)) before++;
      }
      if (before >= request.spec.maxObjects) return false;
    }
    return true;
  }
}

/** The kind as the edge has it; undefined when it does not serve it. */
export function servedAs(asked: ReturnKind, { kinds }: BirthPlace): ReturnableKind | undefined {
  const builtin = returnableKinds.find((kind) => kind === asked);
  if (builtin !== undefined) {
    const { group, version, resource } = builtin;
    return kinds.peek(group, version, resource) === undefined ? undefined : builtin;
  }
  for (const { group, version, kind, resource, namespaced } of kinds.values()) {
    if (!namespaced || group !== asked.group || version !== asked.version || kind !== asked.kind) continue;
    return { group, version, kind, resource };
  }
  return undefined;
}

/** The Event of an object beside it: of others a namespace's Events say nothing that is its project's. */
function isAboutItsNamespace({ metadata, involvedObject }: KubeObject): boolean {
  return isJsonObject(involvedObject) && involvedObject['namespace'] === metadata.namespace;
}
