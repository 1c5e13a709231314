import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer, TooManyObjects } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { edgeProblemOf, isUnanswered } from '../edge/edge-problem.ts';
import type { NodeKinds } from './node-kinds.ts';
import {
  kindsOfUsable,
  type NodeRoom,
  nodeRoomOf,
  type PodRoom,
  podRoomOf,
  type RoomSums,
  roomSums,
  sameNodeRoom,
  samePodRoom,
} from './room.ts';

/** What is known of an edge's room: sums, or why there are none. Undefined: nothing yet. */
export type Room =
  | ({ readonly state: 'known' } & RoomSums)
  /** There is nothing to sum: what the Cell declares counts. */
  | { readonly state: 'no-nodes' }
  | { readonly state: 'unknown'; readonly reason: string; readonly message: string };

export interface RoomWatchOptions {
  readonly edgeClient: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `room` may be another one. */
  readonly onChange: () => void;
  /** Default 150,000. */
  readonly podsMax?: number | undefined;
}

/** As many as Kubernetes itself is made for in one cluster; more are not counted. */
const podsMax = 150_000;
const nodesMax = 15_000;
/** Pods are a few kilobytes each. */
const pageSize = 250;
/** As of the other watches at an edge (edge/edge-mirror.ts). */
const podsWatchTimeoutSeconds = 300;
/** Kubernetes ends no watch for a right that was taken away: its next one is refused. Nodes are few, and their right is given apart. */
const nodesWatchTimeoutSeconds = 60;
/** Between two tries, at last: rights that a credential lacks are given rarely, and most often with a new one. */
const refusedRetryMaxMs = 5 * 60_000;
const retryMaxMs = 10_000;

/**
 * Watches an edge's nodes and, where there are any, the pods that have not ended, all projects' and everybody else's, and sums
 * what there is and what is taken. Of a pod some 300 bytes are kept. Sums are made when asked for after a change, by going
 * through all pods: a federator asks for them once a second at most.
 */
export class RoomWatch {
  readonly #nodes: Informer;
  readonly #pods: Informer;
  readonly #onChange: () => void;
  #sums: RoomSums | undefined;
  /** Nodes change rarely, and what is free on them often. */
  #kinds: NodeKinds | undefined;
  /** Without a node there is nothing that they could take. */
  #watchesPods = false;
  #isStopped = false;

  constructor(options: RoomWatchOptions) {
    this.#onChange = options.onChange;
    const common = {
      client: options.edgeClient,
      clock: options.clock,
      logger: options.logger,
      pageSize,
      retryMaxMs: (error: unknown) =>
        isApiError(error, 'Forbidden', 'NotFound') || error instanceof TooManyObjects
          ? refusedRetryMaxMs
          : retryMaxMs,
    };
    const collection = (resource: string) => ({
      cluster: undefined,
      gvr: { group: '', version: 'v1', resource },
    });
    this.#nodes = new Informer({
      ...common,
      collection: collection('nodes'),
      objectsMax: nodesMax,
      watchTimeoutSeconds: nodesWatchTimeoutSeconds,
      transform: nodeRoomOf,
    });
    this.#pods = new Informer({
      ...common,
      collection: collection('pods'),
      objectsMax: options.podsMax ?? podsMax,
      watchTimeoutSeconds: podsWatchTimeoutSeconds,
      fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed',
      transform: podRoomOf,
    });
    const changed = () => this.#changed();
    const nodesChanged = () => {
      this.#kinds = undefined;
      changed();
    };
    this.#nodes.addHandler({
      onAdd: nodesChanged,
      onUpdate: (node, old) => {
        if (!sameNodeRoom(node as NodeRoom, old as NodeRoom)) nodesChanged();
      },
      onDelete: nodesChanged,
    });
    this.#pods.addHandler({
      onAdd: changed,
      onUpdate: (pod, old) => {
        if (!samePodRoom(pod as PodRoom, old as PodRoom)) changed();
      },
      onDelete: changed,
    });
  }

  /** Undefined: nothing is known yet. */
  get room(): Room | undefined {
    for (const [informer, resource] of [
      [this.#nodes, 'nodes'],
      [this.#pods, 'pods'],
    ] as const) {
      const error = informer.lastError;
      if (!informer.connected && error instanceof TooManyObjects)
        return {
          state: 'unknown',
          reason: error.name,
          message: `the edge's room is not counted: ${error.message}`,
        };
      // An edge that is away is told as such, and had what it had.
      if (informer.connected || !isApiError(error) || isUnanswered(error)) continue;
      const { reason, message } = edgeProblemOf(error);
      return { state: 'unknown', reason, message: `the edge's ${resource} cannot be watched: ${message}` };
    }
    if (!this.#nodes.hasSynced) return undefined;
    if (this.#nodes.size === 0) return { state: 'no-nodes' };
    if (!this.#pods.hasSynced) return undefined;
    const nodes = () => this.#nodes.values() as Iterable<NodeRoom>;
    this.#kinds ??= kindsOfUsable(nodes());
    this.#sums ??= roomSums(nodes(), this.#pods.values() as Iterable<PodRoom>, this.#kinds);
    return { state: 'known', ...this.#sums };
  }

  start(): void {
    this.#begin(this.#nodes);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#nodes.stop(), this.#pods.stop()]);
  }

  #begin(informer: Informer): void {
    informer.start();
    void this.#tellAttempts(informer);
  }

  #changed(): void {
    this.#sums = undefined;
    if (!this.#watchesPods && this.#nodes.size > 0) {
      this.#watchesPods = true;
      this.#begin(this.#pods);
    }
    if (this.room !== undefined) this.#onChange();
  }

  /** A list that fails is news, and so is one that succeeds; nothing else tells of an empty one. */
  async #tellAttempts(informer: Informer): Promise<void> {
    while (!this.#isStopped) {
      await informer.nextAttempt();
      if (!this.#isStopped) this.#onChange();
    }
  }
}
