import path from 'node:path';
import { Command } from 'commander';
import { letObjectsBeBornYoung } from './collector.ts';
import { startApiServer } from './compose.ts';
import { createLogger, type LogSettings, withLogging } from './logging.ts';
import { runUntilStopped } from './run-command.ts';
import { type SecurityFlags, withSecurityFlags } from './security-settings.ts';
import { parseDurationMs, parsePort, setting, withConfigFile } from './settings.ts';
import { type StorageFlags, storageSettings, withStorageFlags } from './storage-settings.ts';

interface ServerSettings extends LogSettings, StorageFlags, SecurityFlags {
  readonly dataDir: string;
  readonly bindAddress: string;
  readonly port: number;
  readonly externalHost?: string;
  readonly pkiDir?: string;
  readonly tokenFile?: string;
  readonly auditPolicyFile?: string;
  readonly auditLogPath?: string;
  readonly auditWebhookConfigFile?: string;
  readonly shutdownDelayDuration: number;
}

/** A command that runs an API server, as which kind of it `mode` says; all have the same settings. */
export function serverCommand({
  name,
  description,
  mode,
  dataDir,
  port,
}: {
  readonly name: string;
  readonly description: string;
  readonly mode: 'federation' | 'edge';
  /** Defaults. */
  readonly dataDir: string;
  readonly port: number;
}): Command {
  const command = new Command(name)
    .description(description)
    .action((settings: ServerSettings) => serve(name, mode, settings));
  return withConfigFile(
    withLogging(
      withSecurityFlags(withStorageFlags(command, ['level', 'etcd', 'memory']))
        .addOption(setting('--data-dir <folder>', 'where everything is kept', { default: dataDir }))
        .addOption(setting('--bind-address <address>', 'address to listen on', { default: '127.0.0.1' }))
        .addOption(setting('--port <port>', 'port to listen on', { parse: parsePort, default: port }))
        .addOption(setting('--external-host <host>', 'name or address that clients reach this server by'))
        .addOption(
          setting(
            '--pki-dir <folder>',
            'CA, certificate and keys of the server (default: pki in the data folder)',
          ),
        )
        .addOption(setting('--token-file <file>', 'static tokens: CSV of token,user,uid,"group,…"'))
        .addOption(setting('--audit-policy-file <file>', 'what is audited: a Policy of audit.k8s.io/v1'))
        .addOption(
          setting(
            '--audit-webhook-config-file <file>',
            'kubeconfig of a webhook that audit events are posted to',
          ),
        )
        .addOption(setting('--audit-log-path <file>', 'audit events as JSON lines; - is standard output'))
        .addOption(
          setting(
            '--shutdown-delay-duration <duration>',
            'how long requests are still served after SIGTERM, while /readyz fails already: as long as a load balancer ' +
              'takes to notice, such as 20s',
            { parse: parseDurationMs, default: 0 },
          ),
        ),
    ),
  );
}

async function serve(name: string, mode: 'federation' | 'edge', settings: ServerSettings): Promise<void> {
  letObjectsBeBornYoung();
  const logger = createLogger(name, settings);
  await runUntilStopped(async () => {
    const server = await startApiServer({
      mode,
      dataDirectory: path.resolve(settings.dataDir),
      bindAddress: settings.bindAddress,
      port: settings.port,
      externalHost: settings.externalHost,
      storage: storageSettings(settings),
      pkiDirectory: settings.pkiDir === undefined ? undefined : path.resolve(settings.pkiDir),
      tokenFile: settings.tokenFile,
      security: settings,
      auditPolicyFile: settings.auditPolicyFile,
      auditLogPath: settings.auditLogPath,
      auditWebhookConfigFile: settings.auditWebhookConfigFile,
      shutdownDelayMs: settings.shutdownDelayDuration,
      logger,
    });
    logger.info({ url: server.url, kubeconfig: server.adminKubeconfig }, 'API server is ready');
    return {
      port: server.port,
      stop: async () => {
        await server.stop();
        logger.info({}, 'API server stopped');
      },
    };
  });
}
