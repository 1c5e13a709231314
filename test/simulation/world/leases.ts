import { leaderSharing, schedulerLease } from '#cli/scheduler-lease.ts';
import type { KubeClient } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { WorkSharing } from '#client/queue/work-sharing.ts';
import type { Random } from '../../harness/random.ts';
import type { Plane } from './plane.ts';
import type { SimulatedProcess } from './process.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Most are short, so that many a pause outlives them; the others are as the program's. */
const durations = { 3000: 3, 10000: 1 } as const;
const renewalsPerDuration = 5;
/** A look and a write each. */
const requestsPerRenewal = 2;
/** Of people at a lease. */
const meddlingTimeoutMs = 2_000;
/** What was given up may be done by so much later, by a server that was paused. */
const meddlingLateMsMax = 20_000;
const stranger = 'somebody else';

interface Member {
  readonly process: SimulatedProcess;
  readonly server: Plane;
  readonly sharing: WorkSharing;
  /** Of the server's store, when it was gained last. */
  incarnationId: string | undefined;
}

/** The line over which a scheduler renews its leases, beside the one for all else. */
export function leaseLine(scheduler: string): string {
  return `${scheduler} lease`;
}

/** By what schedulers lead and stand by, as `cellplane scheduler` does without Redis; sees that no two of them lead at once. */
export class SchedulerLeases {
  readonly durationMs: number;
  readonly violations: string[] = [];
  readonly #time: VirtualTime;
  /** A scheduler that is started again is the holder that it was, as with `--lease-identity`. */
  readonly #keepsIdentity: boolean;
  readonly #members: Member[] = [];
  /** By server: until then people's hands may have made two of them believe that they lead. */
  readonly #meddledUntilMs = new Map<string, number>();

  constructor(time: VirtualTime, random: Random) {
    this.#time = time;
    this.durationMs = Number(random.weighted(durations as { readonly [durationMs: string]: number }));
    this.#keepsIdentity = random.next() < 0.5;
  }

  sharingOf(process: SimulatedProcess, server: Plane, client: KubeClient, logger: Logger): WorkSharing {
    const { durationMs } = this;
    const identity = this.#keepsIdentity ? process.name : `${process.name}-${this.#members.length}`;
    const sharing = leaderSharing({ client, clock: process.clock, logger, identity, durationMs });
    const member: Member = { process, server, sharing, incarnationId: undefined };
    this.#members.push(member);
    return {
      isDivided: sharing.isDivided,
      get share() {
        return sharing.share;
      },
      owns: sharing.owns,
      queue: (ownerOf) => sharing.queue(ownerOf),
      start: (scope, listener) =>
        sharing.start(scope, {
          gained: (owns) => {
            this.#gained(member);
            listener.gained(owns);
          },
          lost: (owns) => listener.lost(owns),
        }),
      stop: () => sharing.stop(),
    };
  }

  /** Of the schedulers that work for the server now, by their own clocks. */
  leadersAt({ name }: Plane): string[] {
    return this.#members
      .filter(({ process, server, sharing }) => process.isAlive && server.name === name && sharing.share > 0)
      .map(({ process }) => process.name);
  }

  /** What keeping the leases of so many schedulers costs in a time, at most. */
  requestsMax(schedulers: number, forMs: number): number {
    return (schedulers * requestsPerRenewal * renewalsPerDuration * forMs) / this.durationMs;
  }

  /** Somebody deletes the lease, or writes himself in as its holder. Returns whether that was done. */
  async meddle(people: KubeClient, { name }: Plane, how: 'delete' | 'take'): Promise<boolean> {
    const options = { timeoutMs: meddlingTimeoutMs };
    const spec = { holderIdentity: stranger, leaseDurationSeconds: 2 };
    // Whether it was done is not known, where it was not answered.
    const asked =
      how === 'delete'
        ? people.delete(schedulerLease, options)
        : people.patch(schedulerLease, { type: 'merge', body: { spec } }, options);
    const isDone = await asked.then(
      () => true,
      () => false,
    );
    this.#meddledUntilMs.set(name, this.#time.nowMs + meddlingLateMsMax + this.durationMs);
    return isDone;
  }

  #gained(member: Member): void {
    const { process, server } = member;
    member.incarnationId = server.incarnationId;
    if ((this.#meddledUntilMs.get(server.name) ?? 0) > this.#time.nowMs) return;
    for (const other of this.#members) {
      if (other === member || other.server !== server || !other.process.isAlive) continue;
      // A store that was put back knows another holder than the one whom it told.
      if (other.sharing.share === 0 || other.incarnationId !== server.incarnationId) continue;
      this.violations.push(
        `${process.name} leads at ${server.name} from ${Math.round(this.#time.nowMs)} ms on, and so does ${other.process.name}`,
      );
    }
  }
}
