import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** A kind that a thin edge serves. */
export interface ThinKind {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly hasStatus: boolean;
}

export const thinKinds: readonly ThinKind[] = [
  { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false, hasStatus: true },
  { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', namespaced: true, hasStatus: false },
  {
    group: 'apps',
    version: 'v1',
    resource: 'deployments',
    kind: 'Deployment',
    namespaced: true,
    hasStatus: true,
  },
];

/** What clients see of an object: all of it, or its metadata as PartialObjectMetadata. */
export type ThinForm = 'whole' | 'metadata';

export interface ThinEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly revision: number;
  readonly object: ThinObject;
}

/** One state of an object, with its texts: each is made once, however many ask for it. */
export class ThinObject {
  readonly value: KubeObject;
  readonly #texts: { [form in ThinForm]?: string } = {};

  constructor(value: KubeObject) {
    this.value = value;
  }

  text(form: ThinForm): string {
    this.#texts[form] ??=
      form === 'whole'
        ? JSON.stringify(this.value)
        : `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":${JSON.stringify(this.value.metadata)}}`;
    return this.#texts[form];
  }

  /** What nobody is likely to ask for again is not kept. */
  rest(): void {
    this.#texts.whole = undefined;
    this.#texts.metadata = undefined;
  }
}

/** Of each kind; a watch that begins before them is told to list anew. */
const eventsMax = 5_000;

/** Objects of one kind, and what happened to them lately. */
class Collection {
  readonly objects = new Map<string, ThinObject>();
  readonly events: ThinEvent[] = [];
  readonly watchers = new Set<(event: ThinEvent) => void>();
  /** The newest revision whose event is forgotten. */
  forgotten = 0;
}

/** What a request ends with that is refused: the code and reason of a Status. */
export class ThinRefusal extends Error {
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

/**
 * As much of an edge API server as a federator needs, at a small part of the CPU time of a real one: no validation, no
 * defaults, no conversion, one applier for each object, lists owned whole. Edges run on other machines; a benchmark that has
 * a hundred of them on its own two cores would measure them and not what it is for.
 */
export class ThinEdge {
  readonly #collections = new Map<string, Collection>(
    thinKinds.map((kind) => [`${kind.group}/${kind.resource}`, new Collection()]),
  );
  readonly #onStored: (kind: ThinKind, object: KubeObject) => void;
  #revision = 1;

  constructor(onStored: (kind: ThinKind, object: KubeObject) => void) {
    this.#onStored = onStored;
  }

  get revision(): number {
    return this.#revision;
  }

  get(kind: ThinKind, namespace: string, name: string): ThinObject {
    const object = this.#of(kind).objects.get(`${namespace}/${name}`);
    if (object === undefined) throw new ThinRefusal(404, 'NotFound', `${kind.resource} "${name}" not found`);
    return object;
  }

  list(kind: ThinKind, namespace: string | undefined, label: string | undefined): ThinObject[] {
    return [...this.#of(kind).objects.values()].filter(
      ({ value: { metadata } }) =>
        (namespace === undefined || metadata.namespace === namespace) &&
        (label === undefined || metadata.labels?.[label] !== undefined),
    );
  }

  create(kind: ThinKind, namespace: string, object: KubeObject): ThinObject {
    const { name = '' } = object.metadata;
    if (this.#of(kind).objects.has(`${namespace}/${name}`)) {
      throw new ThinRefusal(409, 'AlreadyExists', `${kind.resource} "${name}" already exists`);
    }
    return this.#store(kind, namespace, name, object, []);
  }

  apply(kind: ThinKind, namespace: string, name: string, applied: KubeObject, manager: string): ThinObject {
    const present = this.#of(kind).objects.get(`${namespace}/${name}`)?.value;
    const { uid, resourceVersion } = applied.metadata;
    if (uid !== undefined && uid !== present?.metadata.uid) {
      throw new ThinRefusal(409, 'Conflict', 'another object than the one that was seen');
    }
    if (
      resourceVersion !== undefined &&
      present !== undefined &&
      resourceVersion !== present.metadata.resourceVersion
    ) {
      throw new ThinRefusal(409, 'Conflict', 'the object has changed');
    }
    const fieldsV1 = fieldsOf(applied);
    const entry = {
      manager,
      operation: 'Apply',
      apiVersion: applied.apiVersion,
      fieldsType: 'FieldsV1',
      fieldsV1,
    };
    return this.#store(kind, namespace, name, applied, [entry as JsonObject], present);
  }

  writeStatus(kind: ThinKind, namespace: string, name: string, status: JsonValue): ThinObject {
    const present = this.get(kind, namespace, name).value;
    return this.#put(kind, `${namespace}/${name}`, { ...present, status }, 'MODIFIED');
  }

  delete(kind: ThinKind, namespace: string, name: string): ThinObject {
    const object = this.get(kind, namespace, name).value;
    const key = `${namespace}/${name}`;
    const gone = this.#put(kind, key, object, 'DELETED');
    this.#of(kind).objects.delete(key);
    return gone;
  }

  /** Events after a revision, those of the past first. Returns how to stop. */
  watch(kind: ThinKind, afterRevision: number, watcher: (event: ThinEvent) => void): () => void {
    const { events, watchers, forgotten } = this.#of(kind);
    if (afterRevision < forgotten) throw new ThinRefusal(410, 'Expired', 'too old resource version');
    for (const event of events) if (event.revision > afterRevision) watcher(event);
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }

  #of({ group, resource }: ThinKind): Collection {
    const collection = this.#collections.get(`${group}/${resource}`);
    if (collection === undefined) throw new RangeError(`no kind ${group}/${resource}`);
    return collection;
  }

  #store(
    kind: ThinKind,
    namespace: string,
    name: string,
    object: KubeObject,
    managedFields: JsonObject[],
    present?: KubeObject,
  ): ThinObject {
    const status = present?.status;
    const stored: KubeObject = {
      ...object,
      metadata: {
        ...object.metadata,
        name,
        ...(namespace === '' ? {} : { namespace }),
        uid: present?.metadata.uid ?? crypto.randomUUID(),
        generation: (present?.metadata.generation ?? 0) + 1,
        creationTimestamp: present?.metadata.creationTimestamp ?? new Date().toISOString(),
        managedFields: managedFields as NonNullable<KubeObject['metadata']['managedFields']>,
      },
      ...(status === undefined ? {} : { status }),
    };
    const type = present === undefined ? 'ADDED' : 'MODIFIED';
    const put = this.#put(kind, `${namespace}/${name}`, stored, type);
    if (type === 'ADDED') this.#onStored(kind, put.value);
    return put;
  }

  #put(kind: ThinKind, key: string, value: KubeObject, type: ThinEvent['type']): ThinObject {
    const collection = this.#of(kind);
    const revision = ++this.#revision;
    const metadata = { ...value.metadata, resourceVersion: String(revision) };
    const object = new ThinObject({ ...value, metadata });
    collection.objects.set(key, object);
    const event = { type, revision, object };
    collection.events.push(event);
    for (const watcher of collection.watchers) watcher(event);
    if (collection.events.length >= 2 * eventsMax) {
      const old = collection.events.splice(0, eventsMax);
      for (const one of old) one.object.rest();
      collection.forgotten = old.at(-1)?.revision ?? 0;
    }
    return object;
  }
}

/** The field set of an applied configuration, lists atomic (KUBERNETES.md P4). */
function fieldsOf({ apiVersion: _apiVersion, kind: _kind, metadata, ...content }: KubeObject): JsonObject {
  const { name: _name, namespace: _namespace, uid: _uid, resourceVersion: _revision, ...rest } = metadata;
  return { 'f:metadata': trieOf(rest as JsonObject), ...trieOf(content) };
}

function trieOf(value: JsonObject): JsonObject {
  const trie: JsonObject = {};
  for (const key in value) {
    const child = value[key];
    trie[`f:${key}`] = isJsonObject(child) ? { '.': {}, ...trieOf(child) } : {};
  }
  return trie;
}
