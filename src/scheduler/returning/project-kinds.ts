import {
  type ReturnableKind,
  type ReturnKind,
  returnableKinds,
  returnedFromLabel,
  returnKindKey,
} from '#api/federation/return-contract.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Informer, InformerOptions } from '#client/informer.ts';
import type { Discovery } from '../discovery.ts';

/** A kind as projects have it, and what has come back of it. */
export interface ProjectKind {
  /** Its key; of a custom kind with its resource, which projects may call differently. */
  readonly key: string;
  readonly kind: ReturnableKind;
  /** Its status is written apart. */
  readonly hasStatus: boolean;
  readonly informer: Informer;
}

export interface ProjectKindsOptions {
  readonly discovery: Discovery;
  readonly makeInformer: (kind: ReturnableKind, options: Partial<InformerOptions>) => Informer;
  /** What is kept of an object. */
  readonly transform: (kind: ReturnableKind, object: KubeObject) => KubeObject;
  readonly onChange: (known: ProjectKind, object: KubeObject) => void;
}

/** Custom kinds that come back, of all projects together; objects of further ones are refused. */
const customKindsMax = 200;

/** What has come back into all projects, kind by kind: the built-in ones always, custom ones from when they are asked for. */
export class ProjectKinds {
  readonly #options: ProjectKindsOptions;
  readonly #kinds = new Map<string, ProjectKind>();

  constructor(options: ProjectKindsOptions) {
    this.#options = options;
    for (const kind of returnableKinds) this.#add({ key: returnKindKey(kind), kind, hasStatus: false });
  }

  values(): IterableIterator<ProjectKind> {
    return this.#kinds.values();
  }

  byKey(key: string): ProjectKind | undefined {
    return this.#kinds.get(key);
  }

  informers(): Informer[] {
    return Array.from(this.#kinds.values(), ({ informer }) => informer);
  }

  /**
   * The kind as a project serves it; undefined when it does not. A custom one is watched in all projects from the first
   * question on. Throws ApiError; `Forbidden` when there are too many.
   */
  async in(projectId: string, kind: ReturnKind, signal: AbortSignal): Promise<ProjectKind | undefined> {
    const builtin = this.#kinds.get(returnKindKey(kind));
    if (builtin !== undefined) return builtin;
    const { discovery } = this.#options;
    const found = await discovery.lookup(projectId, formatApiVersion(kind), kind.kind, signal);
    if (found?.namespaced !== true) return undefined;
    const { resource, hasStatus } = found;
    const key = `${returnKindKey(kind)}/${resource}`;
    const known = this.#kinds.get(key);
    if (known !== undefined) return { ...known, hasStatus };
    if (this.#kinds.size >= returnableKinds.length + customKindsMax) {
      throw new ApiError('Forbidden', `more than ${customKindsMax} custom kinds come back`);
    }
    const added = this.#add({ key, kind: { ...kind, resource }, hasStatus });
    added.informer.start();
    return added;
  }

  #add(about: Omit<ProjectKind, 'informer'>): ProjectKind {
    const { makeInformer, transform, onChange } = this.#options;
    const informer = makeInformer(about.kind, {
      metadataOnly: true,
      labelSelector: returnedFromLabel,
      transform: (object) => transform(about.kind, object),
    });
    const known = { ...about, informer };
    const tell = (object: KubeObject) => onChange(known, object);
    informer.addHandler({ onAdd: tell, onUpdate: tell, onDelete: tell });
    this.#kinds.set(about.key, known);
    return known;
  }
}
