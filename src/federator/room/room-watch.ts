import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeClient } from '#client/client.ts';
import { Informer } from '#client/informer.ts';
import type { Logger } from '#client/logger.ts';
import { edgeProblemOf, isUnanswered } from '../edge/edge-problem.ts';
import {
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
}

/** Pods are a few kilobytes each. */
const pageSize = 250;
/** As of the other watches at an edge (edge/edge-mirror.ts). */
const watchTimeoutSeconds = 300;

/**
 * Watches an edge's nodes and the pods that have not ended, all projects' and everybody else's, and sums what there is and
 * what is taken. Of a pod some 300 bytes are kept. Sums are made when asked for after a change, by going through all pods: a
 * federator asks for them once a second at most.
 */
export class RoomWatch {
  readonly #nodes: Informer;
  readonly #pods: Informer;
  readonly #onChange: () => void;
  #sums: RoomSums | undefined;
  #isStopped = false;

  constructor(options: RoomWatchOptions) {
    this.#onChange = options.onChange;
    const common = {
      client: options.edgeClient,
      clock: options.clock,
      logger: options.logger,
      pageSize,
      watchTimeoutSeconds,
    };
    const collection = (resource: string) => ({
      cluster: undefined,
      gvr: { group: '', version: 'v1', resource },
    });
    this.#nodes = new Informer({ ...common, collection: collection('nodes'), transform: nodeRoomOf });
    this.#pods = new Informer({
      ...common,
      collection: collection('pods'),
      fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed',
      transform: podRoomOf,
    });
    const changed = () => this.#changed();
    this.#nodes.addHandler({
      onAdd: changed,
      onUpdate: (node, old) => {
        if (!sameNodeRoom(node as NodeRoom, old as NodeRoom)) changed();
      },
      onDelete: changed,
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
      // An edge that is away is told as such, and had what it had.
      if (informer.connected || !isApiError(error) || isUnanswered(error)) continue;
      const { reason, message } = edgeProblemOf(error);
      return { state: 'unknown', reason, message: `the edge's ${resource} cannot be watched: ${message}` };
    }
    if (!this.#nodes.hasSynced || !this.#pods.hasSynced) return undefined;
    if (this.#nodes.size === 0) return { state: 'no-nodes' };
    this.#sums ??= roomSums(
      this.#nodes.values() as Iterable<NodeRoom>,
      this.#pods.values() as Iterable<PodRoom>,
    );
    return { state: 'known', ...this.#sums };
  }

  start(): void {
    for (const informer of [this.#nodes, this.#pods]) {
      informer.start();
      void this.#tellAttempts(informer);
    }
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#nodes.stop(), this.#pods.stop()]);
  }

  #changed(): void {
    this.#sums = undefined;
    if (this.#nodes.hasSynced && this.#pods.hasSynced) this.#onChange();
  }

  /** A list that fails is news, and so is the one that succeeds at last; nothing else tells of an empty one. */
  async #tellAttempts(informer: Informer): Promise<void> {
    while (!this.#isStopped && !informer.hasSynced) {
      await informer.nextAttempt();
      if (!this.#isStopped) this.#onChange();
    }
  }
}
