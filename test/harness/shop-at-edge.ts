import { type Condition, conditionOf } from '#api/conditions.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { Constellation } from './constellation.ts';
import { configMaps, edgeRef, find } from './edge-objects.ts';
import { placeInShop } from './place-in-shop.ts';
import { until } from './until.ts';

type Gvr = ObjectRef['gvr'];
type Selectors = Parameters<typeof placeInShop>[3];

export interface BindingStatus {
  readonly conditions?: Condition[];
  readonly aggregatedStatus?: readonly {
    readonly applied?: boolean;
    readonly appliedMessage?: string;
    readonly health?: string;
  }[];
}

const bindings = { group: 'work.karmada.io', version: 'v1alpha2', resource: 'resourcebindings' } as const;

/** Namespace `shop` of one project, its edge, and what its bindings tell of that. */
export class ShopAtEdge {
  readonly project = 'root:acme:shop';
  readonly constellation: Constellation;
  readonly edge: KubeClient;
  #mapped = '';

  private constructor(constellation: Constellation) {
    this.constellation = constellation;
    this.edge = constellation.edge().client;
  }

  /** Of the kinds that are selected, and of ConfigMaps, everything goes to the edge; definitions of `example.com` may. */
  static async start(...selectors: Selectors): Promise<ShopAtEdge> {
    const constellation = await Constellation.start({ cellSpec: { apis: { groups: ['example.com'] } } });
    const shop = new ShopAtEdge(constellation);
    try {
      await shop.#prepare(selectors);
    } catch (error) {
      await constellation[Symbol.asyncDispose]();
      throw error;
    }
    return shop;
  }

  async #prepare(selectors: Selectors): Promise<void> {
    const { admin } = this.constellation;
    await this.constellation.createProject(this.project);
    const all = [{ apiVersion: 'v1', kind: 'ConfigMap' }, ...selectors];
    await placeInShop(admin, this.project, 'all', all, ['cell-a']);
    await this.put(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'first' } });
    this.#mapped = await until('the namespace is at the edge', async () => {
      const { items } = await this.edge.list({ cluster: undefined, gvr: configMaps });
      return items.find(({ metadata }) => metadata.name === 'first')?.metadata.namespace;
    });
  }

  /** The namespace's name at the edge. */
  get mapped(): string {
    return this.#mapped;
  }

  refOf(gvr: Gvr, name: string): ObjectRef {
    return { cluster: this.project, gvr, namespace: 'shop', name };
  }

  put(gvr: Gvr, object: KubeObject): Promise<KubeObject> {
    const ref = this.refOf(gvr, object.metadata.name ?? '');
    return this.constellation.admin.apply(ref, object, { fieldManager: 'test' });
  }

  atEdge(gvr: Gvr, name: string): Promise<KubeObject | undefined> {
    return find(this.edge, edgeRef(gvr, name, this.#mapped));
  }

  async told(kind: string, name: string): Promise<BindingStatus | undefined> {
    const collection = { cluster: this.project, gvr: bindings, namespace: 'shop' };
    const { items } = await this.constellation.admin.list(collection);
    const found = items.find(({ spec }) => {
      const { resource } = spec as { resource: { kind: string; name: string } };
      return resource.kind === kind && resource.name === name;
    });
    return found?.['status'] as BindingStatus | undefined;
  }

  isRefused(kind: string, name: string, words: RegExp): Promise<unknown> {
    return until(`${kind} ${name} is refused`, async () => {
      const [item] = (await this.told(kind, name))?.aggregatedStatus ?? [];
      return item?.applied === false && words.test(item.appliedMessage ?? '');
    });
  }

  isApplied(kind: string, name: string): Promise<unknown> {
    return until(`${kind} ${name} is applied`, async () => {
      const status = await this.told(kind, name);
      const isFully = conditionOf(status?.conditions, 'FullyApplied')?.status === 'True';
      return isFully && status?.aggregatedStatus?.[0]?.appliedMessage === undefined;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.constellation[Symbol.asyncDispose]();
  }
}
