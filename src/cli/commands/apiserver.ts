import path from 'node:path';
import { Command } from 'commander';
import { startApiServer } from '../compose.ts';
import { createLogger, type LogSettings, withLogging } from '../logging.ts';
import { runUntilStopped } from '../run-command.ts';
import { type SecurityFlags, withSecurityFlags } from '../security-settings.ts';
import { parsePort, setting, withConfigFile } from '../settings.ts';
import { type StorageFlags, storageSettings, withStorageFlags } from '../storage-settings.ts';

export interface ServerSettings extends LogSettings, StorageFlags, SecurityFlags {
  readonly dataDir: string;
  readonly bindAddress: string;
  readonly port: number;
  readonly externalHost?: string;
  readonly pkiDir?: string;
  readonly tokenFile?: string;
  readonly auditPolicyFile?: string;
  readonly auditLogPath?: string;
}

/** The settings that `apiserver` and `edge` have in common. */
export function withServerSettings(
  command: Command,
  defaults: { readonly dataDir: string; readonly port: number },
): Command {
  return withConfigFile(
    withLogging(
      withSecurityFlags(withStorageFlags(command, ['level', 'etcd', 'memory']))
        .addOption(setting('--data-dir <folder>', 'where everything is kept', { default: defaults.dataDir }))
        .addOption(setting('--bind-address <address>', 'address to listen on', { default: '127.0.0.1' }))
        .addOption(
          setting('--port <port>', 'port to listen on', { parse: parsePort, default: defaults.port }),
        )
        .addOption(setting('--external-host <host>', 'name or address that clients reach this server by'))
        .addOption(
          setting(
            '--pki-dir <folder>',
            'CA, certificate and keys of the server (default: pki in the data folder)',
          ),
        )
        .addOption(setting('--token-file <file>', 'static tokens: CSV of token,user,uid,"group,…"'))
        .addOption(setting('--audit-policy-file <file>', 'what is audited: a Policy of audit.k8s.io/v1'))
        .addOption(setting('--audit-log-path <file>', 'audit events as JSON lines; - is standard output')),
    ),
  );
}

export function apiserverCommand(): Command {
  const command = new Command('apiserver')
    .description('the federation API server: workspaces, storage and the server’s own controllers')
    .action(async (settings: ServerSettings) => {
      const logger = createLogger('apiserver', settings);
      await runUntilStopped(async () => {
        const server = await startApiServer({
          mode: 'federation',
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
          logger,
        });
        logger.info({ url: server.url, kubeconfig: server.adminKubeconfig }, 'API server is ready');
        return server;
      });
    });
  return withServerSettings(command, { dataDir: '.cellplane/apiserver', port: 6443 });
}
