import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { sleep } from '#apimachinery/clock.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from './client.ts';
import type { Logger } from './logger.ts';

export interface LeaseOptions {
  readonly client: KubeClient;
  /** A `leases.coordination.k8s.io` object. */
  readonly lease: ObjectRef;
  readonly identity: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a lease that is not renewed still counts. Whole seconds on the wire. */
  readonly durationMs: number;
  /** How often the holder renews; well below durationMs. */
  readonly renewIntervalMs: number;
  readonly labels?: { readonly [key: string]: string } | undefined;
  /** The server has done a look that it was asked for, after one or more that it did not. */
  readonly onAnsweredAgain?: (() => void) | undefined;
}

/** Of each request with which a lease is given up. */
const giveUpTimeoutMs = 5_000;
const giveUpTriesMax = 3;

/**
 * Holds one coordination/v1 Lease, as client-go's leader election does: taken when absent, expired or given up, renewed
 * by compare-and-swap, given up at stop. Expiry is judged by the time that *we* have seen the same record, never by
 * comparing clocks of two machines, nor by one that is set.
 */
export class LeaseHolder {
  readonly #options: LeaseOptions;
  readonly #stopping = new AbortController();
  readonly #listeners = new Set<(held: boolean) => void>();
  #held = false;
  #renewedAtMs = 0;
  #observed: { record: string; sinceMs: number } | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** True while the lease is ours and was renewed within its duration by our own clock. */
  get held(): boolean {
    return this.#held && this.#options.clock.monotonic() - this.#renewedAtMs < this.#options.durationMs;
  }

  /** Told of every change from held to lost and back, late ones too: a lease renewed after its time was lost. Returns how to unsubscribe. */
  onChange(listener: (held: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Idempotent; gives the lease up if it is ours, so that the next holder need not wait. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#running = undefined;
    if (!this.#held) return;
    this.#set(undefined);
    try {
      for (let tries = 1; tries <= giveUpTriesMax; tries++) if (await this.#giveUp()) return;
    } catch (error) {
      this.#options.logger.debug({ err: error, lease: this.#options.lease.name }, 'lease was not given up');
    }
  }

  /** False when somebody wrote it meanwhile: a renewal of our own that `stop` cut off may have come through all the same. */
  async #giveUp(): Promise<boolean> {
    const { client, lease, identity } = this.#options;
    const present = await client.get(lease, { timeoutMs: giveUpTimeoutMs });
    if (specOf(present)['holderIdentity'] !== identity) return true;
    present['spec'] = { ...specOf(present), holderIdentity: '', leaseDurationSeconds: 1 };
    try {
      await client.update(lease, present, { timeoutMs: giveUpTimeoutMs });
      return true;
    } catch (error) {
      if (isApiError(error, 'Conflict')) return false;
      throw error;
    }
  }

  async #run(): Promise<void> {
    const { clock, renewIntervalMs, logger, lease, onAnsweredAgain } = this.#options;
    const signal = this.#stopping.signal;
    let hasFailed = false;
    while (!signal.aborted) {
      try {
        this.#set(await this.#tryHold(signal));
        if (hasFailed) onAnsweredAgain?.();
        hasFailed = false;
      } catch (error) {
        if (signal.aborted) return;
        hasFailed = true;
        logger.debug({ err: error, lease: lease.name }, 'lease could not be renewed');
        if (this.#held && !this.held) this.#set(undefined);
      }
      await sleep(clock, renewIntervalMs, signal).catch(() => {});
    }
  }

  /** `renewedAtMs`: undefined when it is not ours. */
  #set(renewedAtMs: number | undefined): void {
    const isOurs = renewedAtMs !== undefined;
    // Renewed too late: who asked meanwhile was told that it is not ours, and has to hear that it is again.
    if (isOurs && this.#held && !this.held) this.#tell(false);
    if (isOurs) this.#renewedAtMs = renewedAtMs;
    if (isOurs !== this.#held) this.#tell(isOurs);
  }

  #tell(held: boolean): void {
    this.#held = held;
    for (const listener of this.#listeners) listener(held);
  }

  /** When it was last asked for, by our clock: others count from no earlier on. Undefined when it is another's. */
  async #tryHold(signal: AbortSignal): Promise<number | undefined> {
    const { client, lease, identity, clock, durationMs } = this.#options;
    const timeoutMs = Math.max(1_000, Math.floor(durationMs / 2));
    let present: KubeObject;
    try {
      present = await client.get(lease, { signal, timeoutMs });
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
      return this.#create(signal, timeoutMs);
    }
    const spec = specOf(present);
    const holder = spec['holderIdentity'];
    if (holder !== identity && holder !== undefined && holder !== '') {
      const record = `${String(holder)} ${String(spec['renewTime'])} ${String(spec['leaseTransitions'])}`;
      if (this.#observed?.record !== record) this.#observed = { record, sinceMs: clock.monotonic() };
      const theirsMs = Number(spec['leaseDurationSeconds'] ?? 0) * 1_000;
      if (clock.monotonic() - this.#observed.sinceMs < theirsMs) return undefined;
    }
    const askedMs = clock.monotonic();
    const now = microTime(clock.now());
    const taken = holder !== identity;
    present['spec'] = {
      ...spec,
      holderIdentity: identity,
      leaseDurationSeconds: Math.max(1, Math.round(durationMs / 1_000)),
      renewTime: now,
      ...(taken ? { acquireTime: now, leaseTransitions: Number(spec['leaseTransitions'] ?? 0) + 1 } : {}),
    };
    try {
      await client.update(lease, present, { signal, timeoutMs });
      return askedMs;
    } catch (error) {
      if (isApiError(error, 'Conflict', 'NotFound')) return undefined;
      throw error;
    }
  }

  async #create(signal: AbortSignal, timeoutMs: number): Promise<number | undefined> {
    const { client, lease, identity, clock, durationMs, labels } = this.#options;
    const askedMs = clock.monotonic();
    const now = microTime(clock.now());
    try {
      await client.create(
        lease,
        {
          apiVersion: 'coordination.k8s.io/v1',
          kind: 'Lease',
          metadata: {
            name: lease.name,
            ...(lease.namespace === undefined ? {} : { namespace: lease.namespace }),
            ...(labels === undefined ? {} : { labels: { ...labels } }),
          },
          spec: {
            holderIdentity: identity,
            leaseDurationSeconds: Math.max(1, Math.round(durationMs / 1_000)),
            acquireTime: now,
            renewTime: now,
            leaseTransitions: 0,
          },
        },
        { signal, timeoutMs },
      );
      return askedMs;
    } catch (error) {
      if (isApiError(error, 'AlreadyExists')) return undefined;
      throw error;
    }
  }
}

function specOf(lease: KubeObject): JsonObject {
  return isJsonObject(lease['spec']) ? lease['spec'] : {};
}

/** meta/v1 MicroTime. */
function microTime(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/Z$/, '000Z');
}
