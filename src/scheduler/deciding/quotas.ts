import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import {
  type FederatedResourceQuota,
  federatedResourceQuotasGvr,
  type ResourceAmounts,
  requestedResource,
} from '#api/policy/federated-resource-quota.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { equalJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { ReconcileLoop, type ReconcileResult } from '#client/reconcile.ts';
import { WorkQueue } from '#client/workqueue.ts';
import type { ReplicaRequest } from '../algorithm/capacity.ts';
import type { Target } from '../algorithm/decision.ts';
import { withProblems } from '../bindings/binding.ts';
import { type KeyParts, keyOf, type ProjectObjectKey, splitKey } from '../object-key.ts';
import { type Amounts, add, amountsIn, amountsOf, exceeded, roomWithin, sumOf } from './quota-amounts.ts';

/** A status is written at most once in this time. */
const statusIntervalMs = 1_000;

export interface QuotasOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly owns: (cluster: string) => boolean;
  readonly signal: AbortSignal;
  /** A first quota speaks of a project's namespace, or of all that it has: what is placed there is to be counted. */
  readonly onFirst: (cluster: string, namespace: string | undefined) => void;
  /** A quota that assigns amounts to single cells, or did, came, changed or went. */
  readonly onStatic: (key: ProjectObjectKey) => void;
  /** Room under the quotas of a project's namespace, or of all that it has, may have been freed. */
  readonly onRoom: (cluster: string, namespace: string | undefined) => void;
}

interface Limits {
  readonly name: string;
  readonly overall: Amounts;
  readonly byCell: ReadonlyMap<string, Amounts>;
}

interface Usage {
  readonly byKey: Map<ProjectObjectKey, ReadonlyMap<string, Amounts>>;
  /** Cell → resource → amount. */
  readonly byCell: Map<string, Map<string, number>>;
  readonly overall: Map<string, number>;
}

/**
 * FederatedResourceQuotas (PLACEMENT.md 1): what placed objects of a namespace, or of a project, ask for, over all cells and in
 * each, and whether more fits. What is counted is decisions, so that quotas hold before anything runs. Nothing is kept of
 * namespaces and projects without a quota.
 */
export class Quotas {
  readonly #options: QuotasOptions;
  readonly #informer: Informer;
  /** Place (`<project>|<namespace>`; the namespace is `*` where all are meant) → quota → what it allows. */
  readonly #limits = new Map<string, Map<string, Limits>>();
  /** By quota, as the informer calls it. */
  readonly #places = new Map<string, string>();
  readonly #usage = new Map<string, Usage>();
  /** Quota → what lies where its own should, as it was told last; undefined: nothing. */
  readonly #collisions = new Map<string, string | undefined>();
  readonly #queue: WorkQueue;
  readonly #loop: ReconcileLoop;

  constructor(options: QuotasOptions) {
    this.#options = options;
    const { client, clock, logger } = options;
    this.#informer = new Informer({
      client,
      clock,
      logger,
      collection: { cluster: '*', gvr: federatedResourceQuotasGvr },
    });
    this.#informer.addHandler({
      onAdd: (object) => this.#put(object as FederatedResourceQuota),
      onUpdate: (object) => this.#put(object as FederatedResourceQuota),
      onDelete: (old) => this.#remove(old),
    });
    this.#queue = new WorkQueue({ clock });
    this.#loop = new ReconcileLoop({
      name: 'quotas',
      queue: this.#queue,
      reconcile: (key) => this.#writeStatus(key),
      concurrency: 2,
      logger,
    });
  }

  get connected(): boolean {
    return this.#informer.connected;
  }

  async start(): Promise<void> {
    this.#informer.start();
    await this.#informer.synced;
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    this.#queue.close();
    await this.#informer.stop();
  }

  /** As the watch tells it. */
  told({ cluster, namespace, name }: KeyParts): FederatedResourceQuota | undefined {
    return this.#informer.get(`${cluster}|${namespace}/${name}`) as FederatedResourceQuota | undefined;
  }

  /** What lies at the edges where the quota's own should; undefined: nothing. Told in its status. */
  collides({ cluster, namespace, name }: KeyParts, message: string | undefined): void {
    const key = `${cluster}|${namespace}/${name}`;
    if (!this.#places.has(key)) return;
    this.#collisions.set(key, message);
    this.#queue.add(key);
  }

  /** Asks for a look at all quotas that assign something to single cells. */
  lookAtAll(): void {
    for (const quotas of this.#limits.values()) {
      for (const [key, { byCell }] of quotas) if (byCell.size > 0) this.#options.onStatic(staticKey(key));
    }
  }

  /** Asks for a look at all quotas that assign something to the cell. */
  lookAtCell(cell: string): void {
    for (const quotas of this.#limits.values()) {
      for (const [key, { byCell }] of quotas) if (byCell.has(cell)) this.#options.onStatic(staticKey(key));
    }
  }

  /** Of what a quota speaks that counts the namespace's objects: of that, or of all that the project has. */
  limits({ cluster, namespace }: Place): 'namespace' | 'project' | undefined {
    if (this.#limits.has(`${cluster}|*`)) return 'project';
    return this.#limits.has(`${cluster}|${namespace}`) ? 'namespace' : undefined;
  }

  /** Files what a decision takes. */
  use(key: ProjectObjectKey, targets: readonly Target[], request: ReplicaRequest): void {
    for (const place of placesOf(key)) this.#useIn(place, key, targets, request);
  }

  #useIn(place: string, key: ProjectObjectKey, targets: readonly Target[], request: ReplicaRequest): void {
    if (!this.#limits.has(place)) return;
    let usage = this.#usage.get(place);
    if (usage === undefined) {
      if (targets.length === 0) return;
      usage = { byKey: new Map(), byCell: new Map(), overall: new Map() };
      this.#usage.set(place, usage);
    }
    const before = usage.byKey.get(key);
    const after = amountsOf(targets, request);
    const freed = before !== undefined && change(usage, before, -1);
    if (after.size === 0) usage.byKey.delete(key);
    else {
      usage.byKey.set(key, after);
      change(usage, after, 1);
    }
    if (usage.byKey.size === 0) this.#usage.delete(place);
    this.#lookAtQuotas(place);
    if (freed && !covers(after, before)) this.#tellRoom(place);
  }

  /** Why these targets would take too much; undefined when they do not, or take no more than they did. */
  refusal(key: ProjectObjectKey, targets: readonly Target[], request: ReplicaRequest): string | undefined {
    for (const place of placesOf(key)) {
      const refusal = this.#refusalIn(place, key, targets, request);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #refusalIn(
    place: string,
    key: ProjectObjectKey,
    targets: readonly Target[],
    request: ReplicaRequest,
  ): string | undefined {
    const quotas = this.#limits.get(place);
    if (quotas === undefined) return undefined;
    const usage = this.#usage.get(place);
    const before = usage?.byKey.get(key);
    const after = amountsOf(targets, request);
    const beforeSum = sumOf(before);
    const afterSum = sumOf(after);
    for (const { name, overall, byCell } of quotas.values()) {
      const over = exceeded(overall, usage?.overall, beforeSum, afterSum);
      if (over !== undefined) return `FederatedResourceQuota ${name}: ${over}`;
      for (const [cell, hard] of byCell) {
        const inCell = exceeded(hard, usage?.byCell.get(cell), before?.get(cell), after.get(cell));
        if (inCell !== undefined) return `FederatedResourceQuota ${name}, cell ${cell}: ${inCell}`;
      }
    }
    return undefined;
  }

  /** Further replicas that the quotas for one cell leave room for; Infinity without any. */
  roomIn(key: ProjectObjectKey, cell: string, request: ReplicaRequest): number {
    let room = Number.POSITIVE_INFINITY;
    for (const place of placesOf(key)) {
      for (const { byCell } of this.#limits.get(place)?.values() ?? []) {
        const used = this.#usage.get(place)?.byCell.get(cell);
        room = Math.min(room, roomWithin(byCell.get(cell), used, request));
      }
    }
    return room;
  }

  #put(quota: FederatedResourceQuota): void {
    const { cluster, namespace, name } = partsOf(quota);
    const key = `${cluster}|${namespace}/${name}`;
    const place = quota.spec.scope === 'Project' ? `${cluster}|*` : `${cluster}|${namespace}`;
    const formerPlace = this.#places.get(key);
    if (formerPlace !== undefined && formerPlace !== place) this.#forget(key, formerPlace);
    this.#places.set(key, place);
    const limits: Limits = {
      name,
      overall: amountsIn(quota.spec.overall),
      byCell: new Map(
        (quota.spec.staticAssignments ?? []).map(({ clusterName, hard }) => [clusterName, amountsIn(hard)]),
      ),
    };
    let ofPlace = this.#limits.get(place);
    if (ofPlace === undefined) {
      ofPlace = new Map();
      this.#limits.set(place, ofPlace);
      this.#options.onFirst(cluster, namespaceOf(place));
    }
    const before = ofPlace.get(key);
    ofPlace.set(key, limits);
    if (limits.byCell.size > 0 || (before?.byCell.size ?? 0) > 0) this.#options.onStatic(staticKey(key));
    this.#queue.add(key);
    if (before !== undefined) this.#tellRoom(place);
  }

  #remove(quota: KubeObject): void {
    const { cluster, namespace, name } = partsOf(quota);
    const key = `${cluster}|${namespace}/${name}`;
    const place = this.#places.get(key);
    this.#collisions.delete(key);
    this.#places.delete(key);
    if (place !== undefined) this.#forget(key, place);
  }

  #forget(key: string, place: string): void {
    const ofPlace = this.#limits.get(place);
    if ((ofPlace?.get(key)?.byCell.size ?? 0) > 0) this.#options.onStatic(staticKey(key));
    ofPlace?.delete(key);
    if (ofPlace?.size === 0) {
      this.#limits.delete(place);
      this.#usage.delete(place);
    }
    this.#tellRoom(place);
  }

  #tellRoom(place: string): void {
    const [cluster = ''] = place.split('|');
    this.#options.onRoom(cluster, namespaceOf(place));
  }

  #lookAtQuotas(place: string): void {
    for (const key of this.#limits.get(place)?.keys() ?? []) this.#queue.addAfter(key, statusIntervalMs);
  }

  async #writeStatus(key: string): Promise<ReconcileResult> {
    const quota = this.#informer.get(key) as FederatedResourceQuota | undefined;
    if (quota === undefined || quota.metadata.deletionTimestamp !== undefined) return undefined;
    const { cluster, namespace, name } = partsOf(quota);
    if (!this.#options.owns(cluster)) return undefined;
    const usage = this.#usage.get(this.#places.get(key) ?? '');
    const status: NonNullable<FederatedResourceQuota['status']> = {
      overall: quota.spec.overall ?? {},
      overallUsed: usedOf(quota.spec.overall, usage?.overall),
    };
    if (quota.spec.staticAssignments !== undefined) {
      status.aggregatedStatus = quota.spec.staticAssignments.map(({ clusterName, hard }) => ({
        clusterName,
        hard,
        used: usedOf(hard, usage?.byCell.get(clusterName)),
      }));
    }
    const { conditions } = quota.status ?? {};
    const told = this.#collisions.has(key)
      ? withProblems(
          conditions,
          { nameCollision: this.#collisions.get(key) },
          nowTime(this.#options.clock.now()),
        )
      : (conditions ?? []);
    if (told.length > 0) status.conditions = told;
    if (equalJson(status, quota.status)) return undefined;
    try {
      await this.#options.client.update(
        { cluster, gvr: federatedResourceQuotasGvr, namespace, name },
        { ...quota, status },
        { subresource: 'status', signal: this.#options.signal },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
    return undefined;
  }
}

interface Place {
  readonly cluster: string;
  readonly namespace: string;
}

/** Of a quota as the informer calls it: `<project>|<namespace>/<name>`. */
function staticKey(quotaKey: string): ProjectObjectKey {
  const [, cluster = '', namespace = '', name = ''] = /^([^|]*)\|([^/]*)\/(.*)$/.exec(quotaKey) ?? [];
  const { group, resource } = federatedResourceQuotasGvr;
  return keyOf({ group, resource, cluster, namespace, name });
}

/** Whose quotas count an object: its namespace's, and the project's. */
function placesOf(key: ProjectObjectKey): [string, string] {
  const { cluster, namespace } = splitKey(key);
  return [`${cluster}|${namespace}`, `${cluster}|*`];
}

/** Undefined: all. */
function namespaceOf(place: string): string | undefined {
  const namespace = place.slice(place.indexOf('|') + 1);
  return namespace === '*' ? undefined : namespace;
}

function partsOf({ metadata }: KubeObject) {
  const { annotations, namespace = '', name = '' } = metadata;
  return { cluster: annotations?.[clusterAnnotation] ?? '', namespace, name };
}

/** Returns whether anything changed. */
function change(usage: Usage, amounts: ReadonlyMap<string, Amounts>, sign: 1 | -1): boolean {
  for (const [cell, ofCell] of amounts) {
    let used = usage.byCell.get(cell);
    if (used === undefined) {
      used = new Map();
      usage.byCell.set(cell, used);
    }
    for (const [resource, amount] of ofCell) {
      add(used, resource, sign * amount);
      add(usage.overall, resource, sign * amount);
    }
    if (used.size === 0) usage.byCell.delete(cell);
  }
  return amounts.size > 0;
}

function covers(
  after: ReadonlyMap<string, Amounts>,
  before: ReadonlyMap<string, Amounts> | undefined,
): boolean {
  for (const [cell, amounts] of before ?? [])
    for (const [resource, amount] of amounts)
      if ((after.get(cell)?.get(resource) ?? 0) < amount) return false;
  return true;
}

/** In the units of the quota's own names. */
function usedOf(limits: ResourceAmounts | undefined, used: Amounts | undefined): ResourceAmounts {
  const amounts: ResourceAmounts = {};
  for (const name of Object.keys(limits ?? {})) {
    const resource = requestedResource(name);
    if (resource === undefined) continue; // the edge alone counts it
    const amount = used?.get(resource) ?? 0;
    amounts[name] = Number.isInteger(amount) ? String(amount) : `${Math.ceil(amount * 1_000 - 1e-6)}m`;
  }
  return amounts;
}
