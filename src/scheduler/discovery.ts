import { isApiError } from '#apimachinery/api-error.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';

/** One resource as a workspace serves it. */
export interface DiscoveredResource {
  readonly group: string;
  readonly version: string;
  /** Plural. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly hasStatus: boolean;
  readonly hasScale: boolean;
}

type GroupVersionResources = ReadonlyMap<string, DiscoveredResource>;

/** Entries kept; a group version of one workspace is one entry. */
const cacheEntriesMax = 5_000;

/**
 * Which resource a kind is, by each workspace's own discovery, remembered until the workspace's CRDs change. Bounded: the
 * oldest entries are dropped and asked for again.
 */
export class Discovery {
  readonly #client: KubeClient;
  readonly #cache = new Map<string, Promise<GroupVersionResources>>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** Undefined when the workspace does not serve the kind, or not for reading. */
  async lookup(
    cluster: string,
    apiVersion: string,
    kind: string,
    signal: AbortSignal,
  ): Promise<DiscoveredResource | undefined> {
    const resources = await this.#resources(cluster, apiVersion, signal);
    return resources.get(kind);
  }

  /** To be called when a workspace's CRDs changed. */
  forget(cluster: string): void {
    for (const key of this.#cache.keys()) if (key.startsWith(`${cluster}|`)) this.#cache.delete(key);
  }

  #resources(cluster: string, apiVersion: string, signal: AbortSignal): Promise<GroupVersionResources> {
    const key = `${cluster}|${apiVersion}`;
    let resources = this.#cache.get(key);
    if (resources === undefined) {
      resources = this.#ask(cluster, apiVersion, signal);
      this.#cache.set(key, resources);
      resources.then(
        (found) => {
          // What is not there may come by other ways than a CRD: not remembered.
          if (found.size === 0) this.#cache.delete(key);
        },
        () => this.#cache.delete(key),
      );
      if (this.#cache.size > cacheEntriesMax) {
        for (const oldest of this.#cache.keys()) {
          this.#cache.delete(oldest);
          break;
        }
      }
    }
    return resources;
  }

  async #ask(cluster: string, apiVersion: string, signal: AbortSignal): Promise<GroupVersionResources> {
    const groupVersion = parseApiVersion(apiVersion);
    if (groupVersion === undefined) return new Map();
    const path = groupVersion.group === '' ? `/api/${apiVersion}` : `/apis/${apiVersion}`;
    try {
      const list = await this.#client.raw({ cluster, method: 'GET', path }, { signal });
      return resourcesOf(list, groupVersion.group, groupVersion.version);
    } catch (error) {
      if (isApiError(error, 'NotFound')) return new Map();
      throw error;
    }
  }
}

/** meta/v1 APIResourceList (KUBERNETES.md D1). */
export function resourcesOf(list: JsonValue, group: string, version: string): GroupVersionResources {
  const found = new Map<string, DiscoveredResource>();
  const resources = isJsonObject(list) && Array.isArray(list['resources']) ? list['resources'] : [];
  const names = new Set<string>();
  for (const entry of resources) if (isJsonObject(entry)) names.add(String(entry['name']));
  for (const entry of resources) {
    if (!isJsonObject(entry)) continue;
    const { name, kind, namespaced, verbs } = entry;
    if (typeof name !== 'string' || typeof kind !== 'string' || name.includes('/')) continue;
    if (!Array.isArray(verbs) || !verbs.includes('list') || !verbs.includes('watch')) continue;
    found.set(kind, {
      group,
      version,
      resource: name,
      kind,
      namespaced: namespaced === true,
      hasStatus: names.has(`${name}/status`),
      hasScale: names.has(`${name}/scale`),
    });
  }
  return found;
}
