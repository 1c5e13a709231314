import type { Clock } from '#apimachinery/clock.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import { LeaseHolder } from '#client/lease.ts';
import type { Logger } from '#client/logger.ts';
import { LeaderSharing } from '#client/queue/leader-sharing.ts';
import type { WorkSharing } from '#client/queue/work-sharing.ts';

/** Whose holder places the objects of a control plane, while other schedulers stand by. */
export const schedulerLease: ObjectRef = {
  cluster: 'root',
  gvr: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
  namespace: 'kube-system',
  name: 'cellplane-scheduler',
};

const leaseDurationMs = 10_000;
const renewalsPerDuration = 5;

/** Work behind that lease: what a scheduler has without Redis. */
export function leaderSharing(options: {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly identity: string;
  /** Whole seconds. Default: 10,000. */
  readonly durationMs?: number | undefined;
}): WorkSharing {
  const { client, clock, logger, identity, durationMs = leaseDurationMs } = options;
  const lease = new LeaseHolder({
    client,
    lease: schedulerLease,
    identity,
    clock,
    logger,
    durationMs,
    renewIntervalMs: durationMs / renewalsPerDuration,
  });
  return new LeaderSharing(lease, clock);
}
