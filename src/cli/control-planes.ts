import type { Command } from 'commander';
import type { ServerConnection } from '#client/remote/connection.ts';
import { type ConnectSettings, federationConnection } from './connect.ts';
import { parseList, setting } from './settings.ts';

export interface ControlPlaneSettings extends ConnectSettings {
  readonly alsoKubeconfig?: readonly string[] | undefined;
}

/** Adds `--also-kubeconfig`: one process serves several control planes, each for itself. */
export function withControlPlanes(command: Command): Command {
  return command.addOption(
    setting(
      '--also-kubeconfig <files>',
      'kubeconfigs of further federation API servers that this process serves too, separated by commas',
      { parse: parseList },
    ),
  );
}

/** One connection for each control plane, without any workspace in its URL. Throws UsageError. */
export async function controlPlaneConnections(settings: ControlPlaneSettings): Promise<ServerConnection[]> {
  const { alsoKubeconfig = [], ...first } = settings;
  const connections = [await federationConnection(first)];
  for (const kubeconfig of alsoKubeconfig) connections.push(await federationConnection({ kubeconfig }));
  return connections;
}

/** Told apart in metrics and logs, where there are several. */
export function controlPlaneLabels(
  connection: ServerConnection,
  all: readonly ServerConnection[],
): { readonly [name: string]: string } {
  return all.length === 1 ? {} : { federation: new URL(connection.server).host };
}
