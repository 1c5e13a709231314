import path from 'node:path';
import { Command } from 'commander';
import { startApiServer } from '../compose.ts';
import { createLogger } from '../logging.ts';
import { runUntilStopped } from '../run-command.ts';
import { storageSettings } from '../storage-settings.ts';
import { type ServerSettings, withServerSettings } from './apiserver.ts';

export function edgeCommand(): Command {
  const command = new Command('edge')
    .description('an edge API server for a point of presence: one workspace, the whole Kubernetes API')
    .action(async (settings: ServerSettings) => {
      const logger = createLogger('edge', settings);
      await runUntilStopped(async () => {
        const server = await startApiServer({
          mode: 'edge',
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
        logger.info({ url: server.url, kubeconfig: server.adminKubeconfig }, 'edge API server is ready');
        return server;
      });
    });
  return withServerSettings(command, { dataDir: '.cellplane/edge', port: 6444 });
}
