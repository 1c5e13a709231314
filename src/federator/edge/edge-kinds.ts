import type { Clock } from '#apimachinery/clock.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';

export interface ServedKind {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly hasStatus: boolean;
}

const aggregated =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';

/** Which resources an API server serves, by `group/resource`, in the version that it prefers. */
export class ServedKinds {
  readonly #client: KubeClient;
  readonly #cluster: string | undefined;
  readonly #clock: Clock;
  readonly #refreshMinMs: number;
  #kinds = new Map<string, ServedKind[]>();
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;

  constructor(options: {
    readonly client: KubeClient;
    readonly cluster: string | undefined;
    readonly clock: Clock;
    /** An unknown kind makes discovery be read again, but not more often than this. */
    readonly refreshMinMs?: number | undefined;
  }) {
    this.#client = options.client;
    this.#cluster = options.cluster;
    this.#clock = options.clock;
    this.#refreshMinMs = options.refreshMinMs ?? 500;
  }

  /** The kind in the wanted version, or undefined when it is not served so; asks the server anew before saying no. */
  async find(group: string, version: string, resource: string): Promise<ServedKind | undefined> {
    const known = this.peek(group, version, resource);
    if (known !== undefined) return known;
    await this.refresh();
    return this.peek(group, version, resource);
  }

  peek(group: string, version: string, resource: string): ServedKind | undefined {
    return this.#kinds.get(`${group}/${resource}`)?.find((kind) => kind.version === version);
  }

  /** Reads discovery, unless that was done a moment ago. Concurrent callers share one reading. */
  refresh(): Promise<void> {
    if (this.#refreshing !== undefined) return this.#refreshing;
    if (this.#clock.now() - this.#refreshedAtMs < this.#refreshMinMs) return Promise.resolve();
    this.#refreshing = this.#read().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #read(): Promise<void> {
    const [core, named] = await Promise.all(
      ['/api', '/apis'].map((path) =>
        this.#client.raw({ cluster: this.#cluster, method: 'GET', path, accept: aggregated }),
      ),
    );
    const kinds = new Map<string, ServedKind[]>();
    for (const answer of [core, named]) {
      for (const kind of kindsOf(answer)) {
        const key = `${kind.group}/${kind.resource}`;
        kinds.set(key, [...(kinds.get(key) ?? []), kind]);
      }
    }
    this.#kinds = kinds;
    this.#refreshedAtMs = this.#clock.now();
  }
}

function arrayAt(value: JsonValue | undefined, key: string): JsonValue[] {
  const list = isJsonObject(value) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
}

function textAt(value: JsonValue | undefined, key: string): string {
  const text = isJsonObject(value) ? value[key] : undefined;
  return typeof text === 'string' ? text : '';
}

/** Reads an APIGroupDiscoveryList (KUBERNETES.md D2). */
function* kindsOf(answer: JsonValue | undefined): Generator<ServedKind> {
  for (const group of arrayAt(answer, 'items')) {
    const groupName = isJsonObject(group) ? textAt(group['metadata'], 'name') : '';
    for (const version of arrayAt(group, 'versions')) {
      for (const resource of arrayAt(version, 'resources')) {
        yield {
          group: groupName,
          version: textAt(version, 'version'),
          resource: textAt(resource, 'resource'),
          kind: isJsonObject(resource) ? textAt(resource['responseKind'], 'kind') : '',
          namespaced: textAt(resource, 'scope') === 'Namespaced',
          hasStatus: arrayAt(resource, 'subresources').some((one) => textAt(one, 'subresource') === 'status'),
        };
      }
    }
  }
}
