import { copyLabels } from '#api/federation/copy-contract.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { entryOf, objectOf } from '#apiserver/registry/stored-object.ts';
import { parseObjectKey } from '#storage/keys.ts';
import type { KeyValue, StorageEvent } from '#storage/storage.ts';
import { loadKinds } from '../chaos/kinds.ts';
import type { SimulatedServer } from './world/server.ts';

interface Asked {
  readonly uid: string | undefined;
  /** What it asked for, one after the other. */
  readonly replicas: (number | undefined)[];
  /** Which of these the last decision is known to be no older than. */
  decidedBy: number;
}

/**
 * Sees every decision on a workload in the moment in which it is committed: by the replicas that it is about, none is written over one
 * that rests on a newer state of its object, whoever was stopped between his reading and his writing. The first state that fits is taken
 * for the one, so that nothing is held against anybody that may have been right. What comes where a decision was taken back is written
 * over nothing: it may be old, and is looked at for having come.
 */
export class DecisionWitness {
  readonly violations: string[] = [];
  /** By `<workspace's id> <namespace>/<name>`. */
  readonly #asked = new Map<string, Asked>();
  /** By key of the binding: its workload. */
  readonly #decided = new Map<string, string>();

  async start(federation: Pick<SimulatedServer, 'observe' | 'backUp'>): Promise<void> {
    await federation.observe({
      event: ({ type, key, value, revision }) => {
        if (type === 'put' && value !== undefined) this.#put({ key, value, revision });
        else this.#delete(key);
      },
      restored: (backup) => this.#learn(backup),
    });
    this.#learn(await federation.backUp());
  }

  /** Decisions that the store held before rest on what is not known. */
  #learn(items: readonly KeyValue[]): void {
    this.#asked.clear();
    this.#decided.clear();
    for (const item of items) if (isWorkload(item.key)) this.#put(item);
  }

  #delete(key: StorageEvent['key']): void {
    if (isWorkload(key)) this.#asked.delete(placeOf(key));
    const decided = this.#asked.get(this.#decided.get(key) ?? '');
    if (decided !== undefined) decided.decidedBy = 0;
    this.#decided.delete(key);
  }

  #put(item: KeyValue): void {
    if (isWorkload(item.key)) this.#workload(placeOf(item.key), objectOf(entryOf(item)));
    else if (isBinding(item.key)) this.#binding(item.key, objectOf(entryOf(item)) as ResourceBinding);
  }

  #workload(place: string, object: KubeObject): void {
    const { uid, labels = {} } = object.metadata;
    if (labels[copyLabels.originCluster] !== undefined) return;
    const { replicas } = object['spec'] as { readonly replicas?: number };
    const known = this.#asked.get(place);
    if (known === undefined || known.uid !== uid)
      this.#asked.set(place, { uid, replicas: [replicas], decidedBy: 0 });
    else if (known.replicas.at(-1) !== replicas) known.replicas.push(replicas);
  }

  #binding(key: string, { spec }: ResourceBinding): void {
    const { resource, replicas } = spec;
    const { clusterId } = parseObjectKey(key);
    const place = `${clusterId} ${resource.namespace ?? ''}/${resource.name}`;
    const asked = this.#asked.get(place);
    if (!workloadKinds.has(resource.kind) || asked === undefined || asked.uid !== resource.uid) return;
    this.#decided.set(key, place);
    const at = asked.replicas.indexOf(replicas, asked.decidedBy);
    if (at >= 0) {
      asked.decidedBy = at;
      return;
    }
    // What was written by hand, or before all that is known.
    if (!asked.replicas.includes(replicas)) return;
    this.violations.push(
      `${key}: decided for ${replicas} replicas, after a decision for ${asked.replicas[asked.decidedBy]} that came later`,
    );
  }
}

const workloads = loadKinds.filter(({ scalable }) => scalable);
const workloadKinds: ReadonlySet<string> = new Set(workloads.map(({ kind }) => kind));
const workloadResources: ReadonlySet<string> = new Set(workloads.map(({ gvr }) => gvr.resource));

function isWorkload(key: string): boolean {
  return key.split('/').length === 6 && workloadResources.has(parseObjectKey(key).resource);
}

function isBinding(key: string): boolean {
  return key.split('/').length === 6 && parseObjectKey(key).resource === 'resourcebindings';
}

function placeOf(key: string): string {
  const { clusterId, namespace, name } = parseObjectKey(key);
  return `${clusterId} ${namespace}/${name}`;
}
