import { LRUCache } from 'lru-cache';
import type { PropagationSpec } from '#api/policy/placement.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { podSpecOf } from '../projection/replicas.ts';
import type { ResourceWatches } from '../watches/resource-watches.ts';

const classesMax = 10_000;
const priorityClasses = { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' } as const;
const priorityClassesName = 'priorityclasses.scheduling.k8s.io';

/** Known everywhere without being stored (Kubernetes' own). */
const systemClasses: { readonly [name: string]: number | undefined } = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

/** The policy names a PriorityClass that the project has not. */
export interface ClassNotFound {
  readonly className: string;
}

/**
 * In which order objects are decided that wait for the same room: `schedulePriority` of their policy, by a PriorityClass of
 * the project (PLACEMENT.md 1). A class is read once; its value never changes.
 */
export class SchedulePriorities {
  readonly #client: KubeClient;
  readonly #watches: ResourceWatches;
  /** `<cluster>|<name>|<uid>` → value. */
  readonly #values = new LRUCache<string, number>({ max: classesMax });

  constructor(client: KubeClient, watches: ResourceWatches) {
    this.#client = client;
    this.#watches = watches;
  }

  /**
   * Undefined where the policy gives none. A class that pods name and the project has not may be one of the edges' own, and
   * counts as 0.
   */
  async of(
    cluster: string,
    { schedulePriority }: PropagationSpec,
    object: KubeObject,
    resource: { readonly group: string; readonly resource: string },
    signal: AbortSignal,
  ): Promise<number | ClassNotFound | undefined> {
    if (schedulePriority === undefined) return undefined;
    const { priorityClassSource, priorityClassName: className = '' } = schedulePriority;
    if (priorityClassSource !== 'PodPriorityClass')
      return (await this.#valueOf(cluster, className, signal)) ?? { className };
    const name = podSpecOf(object, resource)?.['priorityClassName'];
    if (typeof name !== 'string' || name === '' || !this.isHeardOf(cluster, name)) return 0;
    return (await this.#valueOf(cluster, name, signal)) ?? 0;
  }

  /** The watch has told of the class, and not that it went. */
  isHeardOf(cluster: string, name: string): boolean {
    return systemClassOf(name) !== undefined || this.#told(cluster, name) !== undefined;
  }

  #told(cluster: string, name: string) {
    return this.#watches.get(priorityClassesName, cluster, '', name);
  }

  /** Undefined: there is none, also for the server: what is applied together is not to wait for one another's watches. */
  async #valueOf(cluster: string, name: string, signal: AbortSignal): Promise<number | undefined> {
    const system = systemClassOf(name);
    if (system !== undefined) return system;
    const keyOf = (uid = '') => `${cluster}|${name}|${uid}`;
    const told = this.#told(cluster, name);
    const known = told === undefined ? undefined : this.#values.get(keyOf(told.metadata.uid));
    if (known !== undefined) return known;
    try {
      const { metadata, value } = await this.#client.get({ cluster, gvr: priorityClasses, name }, { signal });
      const number = typeof value === 'number' ? value : 0;
      this.#values.set(keyOf(metadata.uid), number);
      return number;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}

const systemClassOf = (name: string): number | undefined =>
  Object.hasOwn(systemClasses, name) ? systemClasses[name] : undefined;
