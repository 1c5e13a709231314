import { Command } from 'commander';
import { systemClock } from '#apimachinery/clock.ts';
import { FederatorProcess } from '#federator/federator.ts';
import { type ConnectSettings, connect, federationConnection, withKubeconfig } from '../connect.ts';
import { createLogger, type LogSettings, withLogging } from '../logging.ts';
import { runUntilStopped } from '../run-command.ts';
import { parseLabels, parsePositive, setting, withConfigFile } from '../settings.ts';
import { version } from '../version.ts';

interface Settings extends ConnectSettings, LogSettings {
  readonly name: string;
  readonly labels?: { [key: string]: string };
  readonly leaseSeconds: number;
  readonly cellConcurrency: number;
}

/** For all its cells together. */
const federationConnectionsMax = 64;

export function federatorCommand(): Command {
  const command = new Command('federator')
    .description('sync the cells assigned to this federator with their edge API servers')
    .addOption(
      setting('--name <name>', 'name of this federator, as cells are pinned to it').makeOptionMandatory(),
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
    .action(async (settings: Settings) => {
      const logger = createLogger(`federator/${settings.name}`, settings);
      const federationClient = connect(await federationConnection(settings), `federator/${settings.name}`, {
        connectionsMax: federationConnectionsMax,
      });
      const federator = new FederatorProcess({
        name: settings.name,
        federationClient,
        connectEdge: (connection, limits) => connect(connection, `federator/${settings.name}`, limits),
        clock: systemClock,
        logger,
        version,
        labels: settings.labels,
        leaseDurationMs: settings.leaseSeconds * 1_000,
        cellLimits: { concurrency: settings.cellConcurrency },
      });
      await runUntilStopped(async () => {
        const stopping = new AbortController();
        // It is up as soon as it tries: an API server that is away now is waited for.
        federator.start(stopping.signal).catch(() => {});
        logger.info({ version }, 'federator runs');
        return {
          async stop() {
            stopping.abort();
            await federator.stop();
            await federationClient.close();
            logger.info({}, 'federator stopped');
          },
        };
      });
    });
  return withConfigFile(withLogging(withKubeconfig(command)));
}
