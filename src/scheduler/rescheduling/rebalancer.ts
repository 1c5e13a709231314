import { clusterAnnotation } from '#api/core-kcp/cluster-annotation.ts';
import {
  type ObservedWorkload,
  type RebalancedWorkload,
  type WorkloadRebalancer,
  workloadRebalancersGvr,
} from '#api/policy/workload-rebalancer.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { equalJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient } from '#client/client.ts';
import { deleteExactly } from '#client/delete-exactly.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { BindingStore } from '../bindings/binding-store.ts';
import type { Discovery } from '../discovery.ts';
import { type KeyParts, keyOf, type ProjectObjectKey } from '../object-key.ts';

/** Items of one rebalancer that wait for their decisions at once. */
const pendingItemsMax = 500;

export interface RebalancerDependencies {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly discovery: Discovery;
  readonly bindings: BindingStore;
  /** Asks for a decision. */
  readonly wake: (key: ProjectObjectKey) => void;
  /** Asks for a look at a rebalancer. */
  readonly look: (rebalancerKey: string) => void;
}

/**
 * Carries WorkloadRebalancers out (apps.karmada.io/v1alpha1, PLACEMENT.md 1): every object named is decided afresh once, in
 * the same write that records when it was asked for (`spec.rescheduleTriggeredAt` of the binding), so that nothing is lost
 * or done twice by a restart.
 */
export class Rebalancer {
  readonly #on: RebalancerDependencies;
  readonly #informer: Informer;
  /** Object → when a fresh decision was asked for, RFC 3339, and by whom. */
  readonly #asked = new Map<ProjectObjectKey, { at: string; readonly by: Set<string> }>();

  constructor(dependencies: RebalancerDependencies) {
    this.#on = dependencies;
    const { client, clock, logger, look } = dependencies;
    this.#informer = new Informer({
      client,
      clock,
      logger,
      collection: { cluster: '*', gvr: workloadRebalancersGvr },
    });
    this.#informer.addHandler({
      onAdd: (object) => look(keyOfRebalancer(object)),
      onUpdate: (object) => look(keyOfRebalancer(object)),
      onDelete: (old) => this.#withdraw(keyOfRebalancer(old)),
    });
  }

  get connected(): boolean {
    return this.#informer.connected;
  }

  async start(): Promise<void> {
    this.#informer.start();
    await this.#informer.synced;
  }

  stop(): Promise<void> {
    return this.#informer.stop();
  }

  /** When a fresh decision was asked for that the binding does not record yet; undefined when none was. */
  askedAt(key: ProjectObjectKey, recordedAt: string | undefined): string | undefined {
    const asked = this.#asked.get(key);
    return asked !== undefined && isLater(asked.at, recordedAt) ? asked.at : undefined;
  }

  /** The binding is stored: those that asked for the decision may tell so. */
  decided(key: ProjectObjectKey, recordedAt: string | undefined): void {
    const asked = this.#asked.get(key);
    if (asked === undefined || isLater(asked.at, recordedAt)) return;
    this.#asked.delete(key);
    for (const one of asked.by) this.#on.look(one);
  }

  /** Asks for a look at every rebalancer of these projects. */
  lookAtAll(owns: (cluster: string) => boolean): void {
    for (const rebalancer of this.#informer.values()) {
      const key = keyOfRebalancer(rebalancer);
      if (owns(clusterOfRebalancer(key))) this.#on.look(key);
    }
  }

  async reconcile(rebalancerKey: string, signal: AbortSignal): Promise<ReconcileResult> {
    const rebalancer = this.#informer.get(rebalancerKey) as WorkloadRebalancer | undefined;
    if (rebalancer === undefined || rebalancer.metadata.deletionTimestamp !== undefined) return undefined;
    const { metadata, spec, status } = rebalancer;
    if (status?.finishTime !== undefined && status.observedGeneration === metadata.generation) {
      return this.#expire(rebalancer, signal);
    }
    const known = new Map((status?.observedWorkloads ?? []).map((one) => [identityOf(one.workload), one]));
    const observed: ObservedWorkload[] = [];
    let pending = 0;
    for (const workload of spec.workloads) {
      const before = known.get(identityOf(workload));
      if (before?.result !== undefined) observed.push(before);
      else if (pending >= pendingItemsMax) observed.push({ workload });
      else {
        const now = await this.#observe(rebalancerKey, rebalancer, workload, signal);
        if (now.result === undefined) pending++;
        observed.push(now);
      }
    }
    const done = observed.every(({ result }) => result !== undefined);
    const next: WorkloadRebalancer['status'] = {
      ...status,
      observedWorkloads: observed,
      ...(done
        ? { finishTime: nowTime(this.#on.clock.now()), observedGeneration: metadata.generation ?? 0 }
        : {}),
    };
    if (!equalJson(next, status)) await this.#writeStatus(rebalancer, next, signal);
    return undefined;
  }

  async #observe(
    rebalancerKey: string,
    { metadata }: WorkloadRebalancer,
    workload: RebalancedWorkload,
    signal: AbortSignal,
  ): Promise<ObservedWorkload> {
    const { apiVersion, kind, namespace = '', name } = workload;
    const cluster = metadata.annotations?.[clusterAnnotation] ?? '';
    const resource = await this.#on.discovery.lookup(cluster, apiVersion, kind, signal);
    if (resource === undefined) return { workload, result: 'Failed', reason: 'ReferencedKindNotServed' };
    const parts: KeyParts = {
      group: resource.group,
      resource: resource.resource,
      cluster,
      namespace: resource.namespaced ? namespace : '',
      name,
    };
    const binding = await this.#on.bindings.read(parts, signal);
    if (binding === undefined) return { workload, result: 'Failed', reason: 'ReferencedBindingNotFound' };
    const at = metadata.creationTimestamp ?? '';
    if (!isLater(at, binding.spec.rescheduleTriggeredAt)) return { workload, result: 'Successful' };
    this.#ask(keyOf(parts), at, rebalancerKey);
    return { workload };
  }

  #ask(key: ProjectObjectKey, at: string, rebalancerKey: string): void {
    const asked = this.#asked.get(key);
    if (asked === undefined) this.#asked.set(key, { at, by: new Set([rebalancerKey]) });
    else {
      if (isLater(at, asked.at)) asked.at = at;
      asked.by.add(rebalancerKey);
    }
    this.#on.wake(key);
  }

  /** What nobody asks for any more is not done afresh, unless it is already. */
  #withdraw(rebalancerKey: string): void {
    for (const [key, { by }] of this.#asked) {
      by.delete(rebalancerKey);
      if (by.size === 0) this.#asked.delete(key);
    }
  }

  /** An object that is gone or let go of is decided no more. */
  forget(key: ProjectObjectKey): void {
    const asked = this.#asked.get(key);
    this.#asked.delete(key);
    for (const one of asked?.by ?? []) this.#on.look(one);
  }

  async #expire(
    { metadata, spec, status }: WorkloadRebalancer,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const ttl = spec.ttlSecondsAfterFinished;
    if (ttl === undefined) return undefined;
    const leftMs = Date.parse(status?.finishTime ?? '') + ttl * 1_000 - this.#on.clock.now();
    if (leftMs > 0) return { requeueAfterMs: leftMs };
    await deleteExactly(this.#on.client, refOf(metadata), metadata.uid, signal);
    return undefined;
  }

  async #writeStatus(
    rebalancer: WorkloadRebalancer,
    status: NonNullable<WorkloadRebalancer['status']>,
    signal: AbortSignal,
  ): Promise<void> {
    const { metadata } = rebalancer;
    const options = { subresource: 'status', signal };
    await this.#on.client.update(refOf(metadata), { ...rebalancer, status }, options);
  }
}

function refOf({ annotations, name = '' }: KubeObject['metadata']) {
  return { cluster: annotations?.[clusterAnnotation] ?? '', gvr: workloadRebalancersGvr, name };
}

/** The same text as the informer's own key. */
function keyOfRebalancer({ metadata }: KubeObject): string {
  return `${metadata.annotations?.[clusterAnnotation] ?? ''}|/${metadata.name ?? ''}`;
}

/** Of a key that `look` is called with: the project's logical-cluster id. */
export function clusterOfRebalancer(rebalancerKey: string): string {
  return rebalancerKey.slice(0, rebalancerKey.indexOf('|'));
}

function identityOf({ apiVersion, kind, namespace = '', name }: RebalancedWorkload): string {
  return `${apiVersion} ${kind} ${namespace}/${name}`;
}

/** RFC 3339 in UTC without fractions, as the server writes it, orders as text. */
function isLater(at: string, than: string | undefined): boolean {
  return at !== '' && (than === undefined || at > than);
}
