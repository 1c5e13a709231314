import { access } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import type { KubeClient } from '#client/client.ts';
import { KubeconfigError, loadKubeconfig, loadKubeconfigs } from '#client/kubeconfig.ts';
import type { ConnectionLimits, ServerConnection } from '#client/remote/connection.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import type { ClientStore } from '#client/store-client.ts';
import { UsageError } from './run-command.ts';
import { setting } from './settings.ts';
import { version } from './version.ts';

export interface ConnectSettings {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

const defaultKubeconfig = '.cellplane/admin.kubeconfig';

export function withKubeconfig(command: Command): Command {
  return command
    .addOption(
      setting(
        '--kubeconfig <file>',
        `kubeconfig of the federation API server (default: $KUBECONFIG, else ${defaultKubeconfig})`,
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
 * Throws UsageError.
 */
export async function federationConnection(settings: ConnectSettings): Promise<ServerConnection> {
  const files = await kubeconfigFiles(settings);
  const connection = await usable(() =>
    settings.context === undefined
      ? loadKubeconfigs(files, 'root').catch(() => loadKubeconfigs(files))
      : loadKubeconfigs(files, settings.context),
  );
  return { ...connection, server: connection.server.replace(/\/clusters\/[^/]*\/?$/, '') };
}

/**
 * The workspace that kubectl would ask with this kubeconfig: the path in the URL of the given, else the current context. Undefined
 * where that names none. Throws UsageError.
 */
export async function currentWorkspace(settings: ConnectSettings): Promise<string | undefined> {
  const files = await kubeconfigFiles(settings);
  const { server } = await usable(() => loadKubeconfigs(files, settings.context));
  return /\/clusters\/([^/]+)\/?$/.exec(server)?.[1];
}

/** What a kubeconfig says that a command was given for another server. Throws UsageError. */
export function kubeconfigConnection(file: string, context?: string): Promise<ServerConnection> {
  return usable(() => loadKubeconfig(file, context));
}

/** `KUBECONFIG` may name several files, of which those that are there count, as for kubectl. Throws UsageError. */
async function kubeconfigFiles({ kubeconfig }: ConnectSettings): Promise<readonly string[]> {
  const named = (process.env['KUBECONFIG'] ?? '').split(path.delimiter).filter((file) => file !== '');
  const wanted = kubeconfig !== undefined ? [kubeconfig] : named.length > 0 ? named : [defaultKubeconfig];
  const there: string[] = [];
  for (const file of wanted) {
    await access(file).then(
      () => there.push(file),
      () => {},
    );
  }
  if (there.length > 0) return there;
  throw new UsageError(`no kubeconfig at ${wanted.join(', ')}; start Cellplane first, or give --kubeconfig`);
}

async function usable(load: () => Promise<ServerConnection>): Promise<ServerConnection> {
  try {
    return await load();
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
  store?: ClientStore,
): KubeClient {
  const userAgent = `cellplane-${component}/${version}`;
  return new RemoteClient(connection, { userAgent, limits, batches: busy, leanMetadata: busy, store });
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
