import { access } from 'node:fs/promises';
import type { Command } from 'commander';
import type { KubeClient } from '#client/client.ts';
import { KubeconfigError, loadKubeconfig } from '#client/kubeconfig.ts';
import type { ConnectionLimits, ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { UsageError } from './run-command.ts';
import { setting } from './settings.ts';
import { version } from './version.ts';

export interface ConnectSettings {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

export function withKubeconfig(command: Command): Command {
  return command
    .addOption(
      setting(
        '--kubeconfig <file>',
        'kubeconfig of the federation API server (default: $KUBECONFIG, else .cellplane/admin.kubeconfig)',
      ),
    )
    .addOption(
      setting(
        '--context <name>',
        'context of the kubeconfig (default: root if there is one, else the current)',
      ),
    );
}

/**
 * The federation server that a command talks to, without any workspace in its URL: commands name workspaces themselves.
 */
export async function federationConnection(settings: ConnectSettings): Promise<ServerConnection> {
  const file = settings.kubeconfig ?? process.env['KUBECONFIG'] ?? '.cellplane/admin.kubeconfig';
  try {
    await access(file);
  } catch {
    throw new UsageError(`no kubeconfig at ${file}; start Cellplane first, or give --kubeconfig`);
  }
  try {
    const connection =
      settings.context === undefined
        ? await loadKubeconfig(file, 'root').catch(() => loadKubeconfig(file))
        : await loadKubeconfig(file, settings.context);
    return { ...connection, server: connection.server.replace(/\/clusters\/[^/]*\/?$/, '') };
  } catch (error) {
    if (error instanceof KubeconfigError) throw new UsageError(error.message);
    throw error;
  }
}

/** `busy`: for what makes many calls to a federation API server at once, and reads no managedFields in metadata alone. */
export function connect(
  connection: ServerConnection,
  component: string,
  limits?: Partial<ConnectionLimits>,
  busy = false,
): KubeClient {
  const userAgent = `cellplane-${component}/${version}`;
  return new RemoteClient(connection, { userAgent, limits, batches: busy, leanMetadata: busy });
}

/** Runs a short command with a client that is closed at the end, whatever happens. */
export async function withFederationClient<T>(
  settings: ConnectSettings,
  run: (federationClient: KubeClient) => Promise<T>,
): Promise<T> {
  const federationClient = connect(await federationConnection(settings), 'cli');
  try {
    return await run(federationClient);
  } finally {
    await federationClient.close();
  }
}
