import { clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import { logicalClusterName, logicalClustersGvr } from '#api/core-kcp/logical-cluster.ts';
import { copyAnnotations, syncAnnotations } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { objectOf } from '#apiserver/registry/stored-object.ts';
import type { KubeClient } from '#client/client.ts';
import { parseObjectKey } from '#storage/keys.ts';
import type { KeyValue, StorageEvent } from '#storage/storage.ts';
import { loadKinds, readContent } from '../chaos/kinds.ts';
import type { SimulatedServer } from './world/server.ts';

/** Under this name the changes that were judged are counted, as faults are. */
export const stagedChange = 'change rolled out';

export interface RolloutWitnessOptions {
  readonly federation: Pick<SimulatedServer, 'observe' | 'backUp'> & {
    readonly admin: Pick<KubeClient, 'get'>;
  };
  /** In the order of the waves, one a wave. */
  readonly cells: readonly string[];
  /** Namespace of projects whose policies roll out in these waves. */
  readonly namespace: string;
}

interface Copy {
  readonly originUid: string;
  readonly stamp: number;
  readonly isWithdrawn: boolean;
  /** The newest stamp with which it was seen to be as decided, and healthy. */
  readonly healthyStamp: number;
  /** With which it came: a cell that joins a wave that was let on before has what is new at once. */
  readonly firstStamp: number;
}

/**
 * Sees every change of a copy in the moment in which it is committed: what changed reaches a cell only when the cells of the
 * waves before have it, as far as the binding names them, and were healthy with it (docs/policies.md, Rollouts).
 */
export class RolloutWitness {
  readonly violations: string[] = [];
  /** How many changes it has judged. */
  judged = 0;
  readonly #options: RolloutWitnessOptions;
  /** Id of a cell's workspace → the cell. */
  readonly #cells = new Map<string, string>();
  /** By origin, then by cell. */
  readonly #copies = new Map<string, Map<string, Copy>>();
  /** By origin: cells that are to have it and are not being left. */
  readonly #staying = new Map<string, ReadonlySet<string>>();

  constructor(options: RolloutWitnessOptions) {
    this.#options = options;
  }

  /** Once cells have their workspaces. */
  async start(): Promise<void> {
    const { federation } = this.#options;
    await this.findCells();
    await federation.observe({
      event: (event) => this.#event(event),
      restored: (backup) => this.#learn(backup),
    });
    this.#learn(await federation.backUp());
  }

  /** A cell has another workspace. */
  async findCells(): Promise<void> {
    const { federation, cells } = this.#options;
    this.#cells.clear();
    for (const cell of cells) {
      const workspace = await federation.admin.get({
        cluster: `${cellsWorkspacePath}:${cell}`,
        gvr: logicalClustersGvr,
        name: logicalClusterName,
      });
      this.#cells.set(clusterOf(workspace), cell);
    }
  }

  #learn(items: readonly KeyValue[]): void {
    this.#copies.clear();
    this.#staying.clear();
    for (const item of items) this.#put(item, false);
  }

  #event({ type, key, value, revision }: StorageEvent): void {
    if (type === 'put' && value !== undefined) {
      this.#put({ key, value, revision }, true);
      return;
    }
    const cell = this.#cells.get(key.split('/')[3] ?? '');
    if (cell === undefined || key.split('/').length !== 6) return;
    const { resource, namespace, name } = parseObjectKey(key);
    for (const [origin, copies] of this.#copies) {
      if (copies.has(cell) && origin.endsWith(` ${resource} ${namespace}/${name}`)) copies.delete(cell);
    }
  }

  #put(item: KeyValue, isJudged: boolean): void {
    if (item.key.split('/').length !== 6) return;
    const { group, resource, namespace, name } = parseObjectKey(item.key);
    if (group === resourceBindingsGvr.group && resource === resourceBindingsGvr.resource) {
      if (namespace === this.#options.namespace) this.#bind(objectOf(item) as ResourceBinding);
      return;
    }
    const cell = this.#cells.get(item.key.split('/')[3] ?? '');
    const kind = loadKinds.find(({ gvr }) => gvr.group === group && gvr.resource === resource);
    if (cell === undefined || kind === undefined) return;
    const object = objectOf(item);
    const { annotations = {}, deletionTimestamp } = object.metadata;
    if (annotations[copyAnnotations.originNamespace] !== this.#options.namespace) return;
    const originUid = annotations[copyAnnotations.originUid] ?? '';
    const origin = `${originUid} ${resource} ${namespace}/${name}`;
    const copies = this.#copies.get(origin) ?? new Map<string, Copy>();
    this.#copies.set(origin, copies);
    const before = copies.get(cell);
    const { stamp } = readContent(kind, object);
    const healthyBefore = before?.healthyStamp ?? 0;
    const now: Copy = {
      originUid,
      stamp,
      isWithdrawn: deletionTimestamp !== undefined,
      healthyStamp: isHealthy(object) ? Math.max(stamp, healthyBefore) : healthyBefore,
      firstStamp: before?.firstStamp ?? stamp,
    };
    if (isJudged && before !== undefined && !before.isWithdrawn && stamp > before.stamp)
      this.#judge(origin, cell, stamp, copies);
    copies.set(cell, now);
  }

  #bind({ metadata, spec }: ResourceBinding): void {
    const leaving = new Set((spec.gracefulEvictionTasks ?? []).map(({ fromCluster }) => fromCluster));
    const staying = (spec.clusters ?? []).map(({ name }) => name).filter((name) => !leaving.has(name));
    const uid = spec.resource.uid ?? metadata.name ?? '';
    this.#staying.set(uid, new Set(staying));
  }

  #judge(origin: string, cell: string, stamp: number, copies: ReadonlyMap<string, Copy>): void {
    const { cells } = this.#options;
    const originUid = origin.slice(0, origin.indexOf(' '));
    for (const earlier of cells.slice(0, cells.indexOf(cell))) {
      const copy = copies.get(earlier);
      if (copy === undefined || copy.isWithdrawn) continue;
      if (this.#staying.get(originUid)?.has(earlier) !== true) continue;
      this.judged++;
      if (copy.stamp < stamp) {
        this.violations.push(`${origin}: ${cell} got ${stamp} while ${earlier} had ${copy.stamp}`);
      } else if (copy.healthyStamp < stamp && copy.firstStamp < stamp) {
        this.violations.push(`${origin}: ${cell} got ${stamp}, with which ${earlier} was never healthy`);
      }
    }
  }
}

function isHealthy(object: KubeObject): boolean {
  const { annotations = {}, generation = 1 } = object.metadata;
  const hash = annotations[copyAnnotations.contentHash];
  if (hash === undefined || annotations[syncAnnotations.syncedHash] !== hash) return false;
  if (object.kind !== 'Deployment') return true;
  const { replicas = 0 } = object['spec'] as { replicas?: number };
  const { observedGeneration = 0, availableReplicas = 0 } = (object['status'] ?? {}) as {
    observedGeneration?: number;
    availableReplicas?: number;
  };
  return observedGeneration >= generation && availableReplicas >= replicas;
}
