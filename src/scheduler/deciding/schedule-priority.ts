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

  /** Undefined where the policy gives none. A class that is not there counts as 0. */
  async of(
    cluster: string,
    { schedulePriority }: PropagationSpec,
    object: KubeObject,
    resource: { readonly group: string; readonly resource: string },
    signal: AbortSignal,
  ): Promise<number | undefined> {
    if (schedulePriority === undefined) return undefined;
    const { priorityClassSource, priorityClassName = '' } = schedulePriority;
    if (priorityClassSource !== 'PodPriorityClass') return this.#valueOf(cluster, priorityClassName, signal);
    const name = podSpecOf(object, resource)?.['priorityClassName'];
    return typeof name === 'string' && name !== '' ? this.#valueOf(cluster, name, signal) : 0;
  }

  async #valueOf(cluster: string, name: string, signal: AbortSignal): Promise<number> {
    const system = Object.hasOwn(systemClasses, name) ? systemClasses[name] : undefined;
    if (system !== undefined) return system;
    const told = this.#watches.get(priorityClassesName, cluster, '', name);
    if (told === undefined) return 0;
    const key = `${cluster}|${name}|${told.metadata.uid ?? ''}`;
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    try {
      const { value } = await this.#client.get({ cluster, gvr: priorityClasses, name }, { signal });
      const number = typeof value === 'number' ? value : 0;
      this.#values.set(key, number);
      return number;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return 0;
      throw error;
    }
  }
}
