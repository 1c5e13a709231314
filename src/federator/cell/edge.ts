import type { Cell } from '#api/federation/cell.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { DeletionEvidence } from '../downsync/decide.ts';
import { Downsync, type DownsyncOutcome } from '../downsync/downsync.ts';
import type { ServedKind, ServedKinds } from '../edge/edge-kinds.ts';
import { EdgeMirror } from '../edge/edge-mirror.ts';
import type { EdgeObject } from '../edge/edge-object.ts';
import { Upsync } from '../upsync/upsync.ts';
import type { CopyKey, CopyPlace } from './copy-keys.ts';
import type { SyncTally } from './sync-tally.ts';

export interface EdgeOptions {
  readonly edgeClient: KubeClient;
  readonly federationClient: KubeClient;
  readonly kinds: ServedKinds;
  readonly cellWorkspace: string;
  readonly cell: () => Cell;
  readonly controlPlaneId: string;
  readonly incarnationId: () => string;
  readonly tally: SyncTally;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timeoutMs: number;
  readonly onChange: (kind: ServedKind, object: EdgeObject, gone: boolean) => void;
}

export interface SyncItem {
  readonly key: CopyKey;
  readonly place: CopyPlace;
  /** Metadata of the copy; undefined when there is none. */
  readonly copy: KubeObject | undefined;
  readonly absence: DeletionEvidence;
}

/** One connection to a cell's edge and what is remembered over it; replaced whole when credentials change. */
export class Edge {
  readonly client: KubeClient;
  readonly #kinds: ServedKinds;
  readonly #mirror: EdgeMirror;
  readonly #downsync: Downsync;
  readonly #upsync: Upsync;

  constructor(options: EdgeOptions) {
    this.client = options.edgeClient;
    this.#kinds = options.kinds;
    const upsync = new Upsync({ ...options, mirror: () => this.#mirror });
    this.#upsync = upsync;
    this.#mirror = new EdgeMirror({
      edgeClient: options.edgeClient,
      controlPlaneId: options.controlPlaneId,
      clock: options.clock,
      logger: options.logger,
      onChange: options.onChange,
      writtenStatusHash: (kind, object) => upsync.writtenHash(kind, object),
    });
    this.#downsync = new Downsync({ ...options, mirror: this.#mirror });
  }

  /** Brings the edge object to what its copy says, then the copy's status to what the edge says. */
  async sync(item: SyncItem, signal: AbortSignal): Promise<DownsyncOutcome> {
    const { group, version, resource } = item.place;
    const kind = await this.#kinds.find(group, version, resource);
    if (kind === undefined) {
      if (item.copy === undefined || item.copy.metadata.deletionTimestamp !== undefined) {
        return this.#downsync.releaseUnserved(item, signal);
      }
      throw new ApiError(
        'NotFound',
        `the edge does not serve ${resource} in ${group === '' ? version : `${group}/${version}`} (APINotServed)`,
      );
    }
    await this.#mirror.ensure(kind);
    const outcome = await this.#downsync.sync(kind, item, signal);
    if (outcome === 'present') await this.#upsync.sync(kind, item, signal);
    else this.#upsync.forget(item.key);
    return outcome;
  }

  /** True while every watch on the edge stands. */
  get connected(): boolean {
    return this.#mirror.connected;
  }

  async close(): Promise<void> {
    await this.#mirror.stop();
    await this.client.close();
  }
}
