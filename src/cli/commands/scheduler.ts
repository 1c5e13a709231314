import { Command } from 'commander';
import { systemClock } from '#apimachinery/clock.ts';
import { schedulerGroup } from '#apiserver/authz/components.ts';
import type { Logger } from '#client/logger.ts';
import { meteredClient } from '#client/metrics/metered-client.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';
import { RequestMetrics } from '#client/metrics/request-metrics.ts';
import type { WorkSharing } from '#client/queue/work-sharing.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { createScheduler } from '#scheduler/scheduler.ts';
import { defaultConcurrency } from '#scheduler/scheduler-options.ts';
import { confirmMember } from '../confirm-member.ts';
import { connect, withKubeconfig } from '../connect.ts';
import {
  type ControlPlaneSettings,
  controlPlaneConnections,
  controlPlaneLabels,
  withControlPlanes,
} from '../control-planes.ts';
import { createLogger, type LogSettings, withLogging } from '../logging.ts';
import { type MetricsAddress, metricsOption, startMetricsServer } from '../metrics-server.ts';
import { runUntilStopped } from '../run-command.ts';
import { parsePositive, setting, withConfigFile } from '../settings.ts';
import { type SharingSettings, sharingOf, withSharingFlags } from '../sharing-settings.ts';
import { version } from '../version.ts';

interface Settings extends ControlPlaneSettings, LogSettings, SharingSettings {
  readonly concurrency: number;
  readonly metricsAddress?: MetricsAddress | undefined;
}

export function schedulerCommand(): Command {
  const command = new Command('scheduler')
    .description('place the objects of all projects onto cells, and bring their status back')
    .addOption(
      setting('--concurrency <n>', 'objects worked on at once', {
        parse: parsePositive,
        default: defaultConcurrency,
      }),
    )
    .addOption(metricsOption())
    .action(async (settings: Settings) => {
      const logger = createLogger('scheduler', settings);
      const connections = await controlPlaneConnections(settings);
      await runUntilStopped(async () => {
        const parts = await Promise.all(
          connections.map((connection) =>
            startPart(settings, connection, controlPlaneLabels(connection, connections), logger),
          ),
        );
        const metrics =
          settings.metricsAddress === undefined
            ? undefined
            : await startMetricsServer(settings.metricsAddress, {
                *write(text) {
                  for (const part of parts) yield part.write(text);
                },
                // Each control plane fails for itself: one that can be served is enough.
                notReady: () =>
                  parts.some((part) => part.isReady())
                    ? undefined
                    : 'not everything is known and watched yet',
              });
        logger.info({ version, metricsPort: metrics?.port }, 'scheduler runs');
        return {
          async stop() {
            await Promise.all([metrics?.stop(), ...parts.map((part) => part.stop())]);
            logger.info({}, 'scheduler stopped');
          },
        };
      });
    });
  return withConfigFile(withLogging(withSharingFlags(withControlPlanes(withKubeconfig(command)))));
}

interface SchedulerPart {
  write(text: MetricText): void;
  isReady(): boolean;
  stop(): Promise<void>;
}

/** The scheduler of one control plane. It is up as soon as it tries: an API server that is away now is waited for. */
async function startPart(
  settings: Settings,
  connection: ServerConnection,
  labels: { readonly [name: string]: string },
  logger: Logger,
): Promise<SchedulerPart> {
  const requests = new RequestMetrics();
  // One call at a time for each object under way; what is slow then is the server, not the queue for it.
  const limits = { connectionsMax: settings.concurrency };
  const federationClient = connect(connection, 'scheduler', limits, true);
  // A lease is renewed in time however many calls wait.
  const leaseClient = connect(connection, 'scheduler', { connectionsMax: 1 });
  const makeSharing = await sharingOf(settings, { client: leaseClient, clock: systemClock, logger });
  let sharing: WorkSharing | undefined;
  const scheduler = createScheduler({
    client: meteredClient(federationClient, requests),
    clientOf: (store) => meteredClient(connect(connection, 'scheduler', limits, true, store), requests),
    clock: systemClock,
    logger,
    concurrency: settings.concurrency,
    sharing: () => {
      sharing = makeSharing();
      return sharing;
    },
  });
  const stopping = new AbortController();
  // Before it holds a lease or a share of the projects, which nobody else would then place.
  const started = confirmMember(leaseClient, schedulerGroup, {
    signal: stopping.signal,
    onError: (error) =>
      logger.warn({ err: error, ...labels }, 'it is not known yet who we are; asking again'),
  }).then(() => scheduler.start(stopping.signal));
  started.catch((error: unknown) => {
    if (!stopping.signal.aborted) logger.error({ err: error, ...labels }, 'scheduler could not start');
  });
  return {
    write: (text) => {
      const own = text.withLabels(labels);
      own.gauge(
        'cellplane_scheduler_ready',
        '1 while everything is known and watched.',
        scheduler.ready ? 1 : 0,
      );
      own.gauge('cellplane_scheduler_idle', '1 while nothing waits to be worked on.', scheduler.idle ? 1 : 0);
      own.gauge(
        'cellplane_scheduler_share',
        'Share of all projects that this scheduler works on, from 0 to 1.',
        sharing?.share ?? 0,
      );
      for (const { name: queue, size, ready } of scheduler.queueLengths()) {
        own.gauge(
          'cellplane_scheduler_queue_length',
          'Keys that wait, for a worker or for their time, or are worked on.',
          size,
          { queue },
        );
        own.gauge('cellplane_scheduler_queue_ready', 'Keys that wait for a worker.', ready, { queue });
      }
      requests.write(own, 'cellplane_federation', 'the federation API server');
    },
    isReady: () => scheduler.ready,
    async stop() {
      stopping.abort();
      await scheduler.stop();
      await Promise.all([federationClient.close(), leaseClient.close()]);
    },
  };
}
