import { Command } from 'commander';
import { systemClock } from '#apimachinery/clock.ts';
import { dns1123Subdomain } from '#apimachinery/names.ts';
import type { Logger } from '#client/logger.ts';
import { meteredClient } from '#client/metrics/metered-client.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';
import { RequestMetrics } from '#client/metrics/request-metrics.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { FederatorProcess } from '#federator/federator.ts';
import { collectAllRarely } from '../collector.ts';
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
import { parseLabels, parseName, parsePositive, setting, withConfigFile } from '../settings.ts';
import { version } from '../version.ts';

interface Settings extends ControlPlaneSettings, LogSettings {
  readonly name: string;
  readonly labels?: { [key: string]: string };
  readonly leaseSeconds: number;
  readonly cellConcurrency: number;
  readonly metricsAddress?: MetricsAddress | undefined;
}

/** For all its cells together. */
const federationConnectionsMax = 64;

export function federatorCommand(): Command {
  const command = new Command('federator')
    .description('sync the cells assigned to this federator with their edge API servers')
    .addOption(
      setting('--name <name>', 'name of this federator, as cells are pinned to it', {
        parse: parseName(dns1123Subdomain),
      }).makeOptionMandatory(),
    )
    .addOption(
      setting('--labels <labels>', 'labels of the Federator object, key=value,…', { parse: parseLabels }),
    )
    .addOption(
      setting('--lease-seconds <n>', 'how long its cells wait before another takes over', {
        parse: parsePositive,
        default: 10,
      }),
    )
    .addOption(
      setting('--cell-concurrency <n>', 'objects of one cell worked on at once', {
        parse: parsePositive,
        default: 32,
      }),
    )
    .addOption(metricsOption())
    .action(async (settings: Settings) => {
      collectAllRarely();
      const logger = createLogger(`federator/${settings.name}`, settings);
      const connections = await controlPlaneConnections(settings);
      await runUntilStopped(async () => {
        const parts = connections.map((connection) => {
          const labels = controlPlaneLabels(connection, connections);
          return startPart(settings, connection, labels, logger);
        });
        const metrics =
          settings.metricsAddress === undefined
            ? undefined
            : await startMetricsServer(settings.metricsAddress, {
                *write(text) {
                  for (const part of parts) yield* part.write(text);
                },
                // Each control plane fails for itself: one that can be served is enough.
                notReady: () => {
                  const reasons = parts.map((part) => part.notReady());
                  return reasons.includes(undefined) ? undefined : reasons[0];
                },
              });
        logger.info({ version, metricsPort: metrics?.port }, 'federator runs');
        return {
          async stop() {
            await Promise.all([metrics?.stop(), ...parts.map((part) => part.stop())]);
            logger.info({}, 'federator stopped');
          },
        };
      });
    });
  return withConfigFile(withLogging(withControlPlanes(withKubeconfig(command))));
}

interface FederatorPart {
  write(text: MetricText): Iterable<void>;
  notReady(): string | undefined;
  stop(): Promise<void>;
}

/** The federator of one control plane. It is up as soon as it tries: an API server that is away now is waited for. */
function startPart(
  settings: Settings,
  connection: ServerConnection,
  labels: { readonly [name: string]: string },
  logger: Logger,
): FederatorPart {
  const component = `federator/${settings.name}`;
  const requests = new RequestMetrics();
  // What became of the copies of many cells goes up together.
  const limits = { connectionsMax: federationConnectionsMax };
  const federationClient = connect(connection, component, limits, true);
  const federator = new FederatorProcess({
    name: settings.name,
    federationClient: meteredClient(federationClient, requests),
    connectEdge: (edge, edgeLimits) => connect(edge, component, edgeLimits),
    clock: systemClock,
    logger,
    version,
    labels: settings.labels,
    leaseDurationMs: settings.leaseSeconds * 1_000,
    cellLimits: { concurrency: settings.cellConcurrency },
  });
  const stopping = new AbortController();
  federator.start(stopping.signal).catch(() => {});
  return {
    *write(text) {
      const own = text.withLabels(labels);
      yield* federator.writeMetrics(own);
      requests.write(own, 'cellplane_federation', 'the federation API server');
    },
    notReady: () => federator.notReady,
    async stop() {
      stopping.abort();
      await federator.stop();
      await federationClient.close();
    },
  };
}
