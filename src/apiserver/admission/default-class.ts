import { objectIn } from '#api/builtin/defaults/defaulting.ts';
import { valueAt } from '#api/builtin/read.ts';
import type { GroupResource } from '#apimachinery/gvk.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { rangePrefix } from '#storage/keys.ts';
import { objectOf } from '../registry/stored-object.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';
import { concerns } from './concerns.ts';

/** A kind whose objects name a class, and how a class says that it is the default. */
interface Classed {
  readonly group: string;
  readonly resource: string;
  readonly classes: { readonly group: string; readonly resource: string };
  /** Field of `spec` that names the class. */
  readonly field: string;
  /** Annotation that named it before the field was there. */
  readonly annotation: string;
  readonly defaultAnnotations: readonly string[];
}

const claims: Classed = {
  group: '',
  resource: 'persistentvolumeclaims',
  classes: { group: 'storage.k8s.io', resource: 'storageclasses' },
  field: 'storageClassName',
  annotation: 'volume.beta.kubernetes.io/storage-class',
  defaultAnnotations: [
    'storageclass.kubernetes.io/is-default-class',
    'storageclass.beta.kubernetes.io/is-default-class',
  ],
};

const ingresses: Classed = {
  group: 'networking.k8s.io',
  resource: 'ingresses',
  classes: { group: 'networking.k8s.io', resource: 'ingressclasses' },
  field: 'ingressClassName',
  annotation: 'kubernetes.io/ingress.class',
  defaultAnnotations: ['ingressclass.kubernetes.io/is-default-class'],
};

/**
 * Kubernetes' DefaultStorageClass and DefaultIngressClass (KUBERNETES.md A4): a new object that names no class gets the
 * workspace's default one. Of several defaults the newest counts, of equally old ones the first by name.
 */
export class DefaultClass implements AdmissionPlugin {
  readonly name: string;
  readonly kinds: readonly GroupResource[];
  readonly #storage: CachedStorage;
  readonly #classed: Classed;

  private constructor(name: string, storage: CachedStorage, classed: Classed) {
    this.name = name;
    this.#storage = storage;
    this.#classed = classed;
    this.kinds = [classed];
  }

  static storage(storage: CachedStorage): DefaultClass {
    return new DefaultClass('DefaultStorageClass', storage, claims);
  }

  static ingress(storage: CachedStorage): DefaultClass {
    return new DefaultClass('DefaultIngressClass', storage, ingresses);
  }

  handles(attributes: AdmissionAttributes): boolean {
    return concerns(attributes, 'CREATE', this.#classed);
  }

  mutate({ context, object }: AdmissionAttributes): undefined {
    if (object === undefined) return undefined;
    const { field, annotation } = this.#classed;
    if (object.metadata.annotations?.[annotation] !== undefined) return undefined;
    if (valueAt(object, 'spec', field) !== undefined) return undefined;
    const name = this.#defaultClass(context.workspace!.id);
    if (name !== undefined) objectIn(object, 'spec')[field] = name;
    return undefined;
  }

  #defaultClass(clusterId: string): string | undefined {
    const { classes, defaultAnnotations } = this.#classed;
    let best: KubeObject['metadata'] | undefined;
    for (const entry of this.#storage.snapshot(rangePrefix(classes, clusterId)).entries()) {
      const { metadata } = objectOf(entry);
      if (!defaultAnnotations.some((key) => metadata.annotations?.[key] === 'true')) continue;
      // Entries come in order of their names: of equally old ones the first stays.
      if (best === undefined || (metadata.creationTimestamp ?? '') > (best.creationTimestamp ?? ''))
        best = metadata;
    }
    return best?.name;
  }
}
