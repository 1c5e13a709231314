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
import { clusterAnnotation, Informer } from '#client/informer.ts';
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
  /** A first quota speaks of a project's namespace: what is placed there is to be counted. */
  readonly onFirst: (cluster: string, namespace: string) => void;
  /** A quota that assigns amounts to single cells, or did, came, changed or went. */
  readonly onStatic: (key: ProjectObjectKey) => void;
  /** Room under the quotas of a project's namespace may have been freed. */
  readonly onRoom: (cluster: string, namespace: string) => void;
}

interface Limits {
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
 * FederatedResourceQuotas (PLACEMENT.md 1): what placed objects of a namespace ask for, over all cells and in each, and whether
 * more fits. What is counted is decisions, so that quotas hold before anything runs. Nothing is kept of namespaces
 * without a quota.
 */
export class Quotas {
  readonly #options: QuotasOptions;
  readonly #informer: Informer;
  readonly #limits = new Map<string, Map<string, Limits>>();
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
    if (!this.#limits.get(`${cluster}|${namespace}`)?.has(name)) return;
    this.#collisions.set(key, message);
    this.#queue.add(key);
  }

  /** Asks for a look at all quotas that assign something to single cells. */
  lookAtAll(): void {
    for (const [place, quotas] of this.#limits) {
      for (const [name, { byCell }] of quotas)
        if (byCell.size > 0) this.#options.onStatic(staticKey(place, name));
    }
  }

  /** Asks for a look at all quotas that assign something to the cell. */
  lookAtCell(cell: string): void {
    for (const [place, quotas] of this.#limits) {
      for (const [name, { byCell }] of quotas)
        if (byCell.has(cell)) this.#options.onStatic(staticKey(place, name));
    }
  }

  /** Whether a quota speaks of the namespace. */
  limits({ cluster, namespace }: { readonly cluster: string; readonly namespace: string }): boolean {
    return this.#limits.has(`${cluster}|${namespace}`);
  }

  /** Files what a decision takes. */
  use(key: ProjectObjectKey, targets: readonly Target[], request: ReplicaRequest): void {
    const place = placeOf(key);
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
    const { cluster, namespace } = splitKey(key);
    if (freed && !covers(after, before)) this.#options.onRoom(cluster, namespace);
  }

  /** Why these targets would take too much; undefined when they do not, or take no more than they did. */
  refusal(key: ProjectObjectKey, targets: readonly Target[], request: ReplicaRequest): string | undefined {
    const place = placeOf(key);
    const quotas = this.#limits.get(place);
    if (quotas === undefined) return undefined;
    const usage = this.#usage.get(place);
    const before = usage?.byKey.get(key);
    const after = amountsOf(targets, request);
    const beforeSum = sumOf(before);
    const afterSum = sumOf(after);
    for (const [name, { overall, byCell }] of quotas) {
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
    const place = placeOf(key);
    let room = Number.POSITIVE_INFINITY;
    for (const { byCell } of this.#limits.get(place)?.values() ?? []) {
      const used = this.#usage.get(place)?.byCell.get(cell);
      room = Math.min(room, roomWithin(byCell.get(cell), used, request));
    }
    return room;
  }

  #put(quota: FederatedResourceQuota): void {
    const { cluster, namespace, name } = partsOf(quota);
    const place = `${cluster}|${namespace}`;
    const limits: Limits = {
      overall: amountsIn(quota.spec.overall),
      byCell: new Map(
        (quota.spec.staticAssignments ?? []).map(({ clusterName, hard }) => [clusterName, amountsIn(hard)]),
      ),
    };
    let ofPlace = this.#limits.get(place);
    if (ofPlace === undefined) {
      ofPlace = new Map();
      this.#limits.set(place, ofPlace);
      this.#options.onFirst(cluster, namespace);
    }
    const before = ofPlace.get(name);
    ofPlace.set(name, limits);
    if (limits.byCell.size > 0 || (before?.byCell.size ?? 0) > 0)
      this.#options.onStatic(staticKey(place, name));
    this.#queue.add(`${cluster}|${namespace}/${name}`);
    if (before !== undefined) this.#options.onRoom(cluster, namespace);
  }

  #remove(quota: KubeObject): void {
    const { cluster, namespace, name } = partsOf(quota);
    const place = `${cluster}|${namespace}`;
    const ofPlace = this.#limits.get(place);
    if ((ofPlace?.get(name)?.byCell.size ?? 0) > 0) this.#options.onStatic(staticKey(place, name));
    ofPlace?.delete(name);
    this.#collisions.delete(`${place}/${name}`);
    if (ofPlace?.size === 0) {
      this.#limits.delete(place);
      this.#usage.delete(place);
    }
    this.#options.onRoom(cluster, namespace);
  }

  #lookAtQuotas(place: string): void {
    for (const name of this.#limits.get(place)?.keys() ?? [])
      this.#queue.addAfter(`${place}/${name}`, statusIntervalMs);
  }

  async #writeStatus(key: string): Promise<ReconcileResult> {
    const quota = this.#informer.get(key) as FederatedResourceQuota | undefined;
    if (quota === undefined || quota.metadata.deletionTimestamp !== undefined) return undefined;
    const { cluster, namespace, name } = partsOf(quota);
    if (!this.#options.owns(cluster)) return undefined;
    const usage = this.#usage.get(`${cluster}|${namespace}`);
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

function staticKey(place: string, name: string): ProjectObjectKey {
  const [cluster = '', namespace = ''] = place.split('|');
  const { group, resource } = federatedResourceQuotasGvr;
  return keyOf({ group, resource, cluster, namespace, name });
}

function placeOf(key: ProjectObjectKey): string {
  const { cluster, namespace } = splitKey(key);
  return `${cluster}|${namespace}`;
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
