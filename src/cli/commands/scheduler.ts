import { Command } from 'commander';
import { systemClock } from '#apimachinery/clock.ts';
import { createScheduler } from '#scheduler/scheduler.ts';
import { type ConnectSettings, connect, federationConnection, withKubeconfig } from '../connect.ts';
import { createLogger, type LogSettings, withLogging } from '../logging.ts';
import { runUntilStopped } from '../run-command.ts';
import { parsePositive, setting, withConfigFile } from '../settings.ts';
import { type SharingSettings, sharingOf, withSharingFlags } from '../sharing-settings.ts';
import { version } from '../version.ts';

interface Settings extends ConnectSettings, LogSettings, SharingSettings {
  readonly concurrency: number;
}

export function schedulerCommand(): Command {
  const command = new Command('scheduler')
    .description('place the objects of all projects onto cells, and bring their status back')
    .addOption(
      setting('--concurrency <n>', 'objects worked on at once', { parse: parsePositive, default: 64 }),
    )
    .action(async (settings: Settings) => {
      const logger = createLogger('scheduler', settings);
      // One call at a time for each object under way; what is slow then is the server, not the queue for it.
      const connection = await federationConnection(settings);
      const federationClient = connect(connection, 'scheduler', { connectionsMax: settings.concurrency });
      // A lease is renewed in time however many calls wait.
      const leaseClient = connect(connection, 'scheduler', { connectionsMax: 1 });
      const sharing = await sharingOf(settings, { client: leaseClient, clock: systemClock, logger });
      const scheduler = createScheduler({
        client: federationClient,
        clock: systemClock,
        logger,
        concurrency: settings.concurrency,
        sharing,
      });
      await runUntilStopped(async () => {
        const stopping = new AbortController();
        // It is up as soon as it tries: an API server that is away now is waited for.
        scheduler.start(stopping.signal).catch((error: unknown) => {
          if (!stopping.signal.aborted) logger.error({ err: error }, 'scheduler could not start');
        });
        logger.info({ version }, 'scheduler runs');
        return {
          async stop() {
            stopping.abort();
            await scheduler.stop();
            await Promise.all([federationClient.close(), leaseClient.close()]);
            logger.info({}, 'scheduler stopped');
          },
        };
      });
    });
  return withConfigFile(withLogging(withSharingFlags(withKubeconfig(command))));
}
