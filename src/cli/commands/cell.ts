import { Command } from 'commander';
import { conditionOf } from '#api/conditions.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { KubeClient } from '#client/client.ts';
import { KubeconfigError, loadKubeconfig } from '#client/kubeconfig.ts';
import type { ServerConnection } from '#client/remote/connection.ts';
import { type ConnectSettings, connect, withFederationClient, withKubeconfig } from '../connect.ts';
import { ensureCell } from '../demo.ts';
import { UsageError } from '../run-command.ts';
import { withConfigFile } from '../settings.ts';
import { formatTable } from '../table.ts';

/** Taint that keeps new work away from a cordoned cell. */
const cordonTaint = 'federation.cellplane.io/unschedulable';

export function cellCommand(): Command {
  return new Command('cell')
    .description('register, list and cordon cells')
    .addCommand(listCommand())
    .addCommand(joinCommand())
    .addCommand(cordonCommand('cordon', 'let no new work onto a cell', true))
    .addCommand(cordonCommand('uncordon', 'let work onto a cell again', false))
    .addCommand(unjoinCommand());
}

function listCommand(): Command {
  const command = new Command('list')
    .description('list the cells with their health and what ails them')
    .action(async (settings: ConnectSettings) => {
      await withFederationClient(settings, async (federationClient) => {
        const { items } = await federationClient.list({ cluster: cellsWorkspacePath, gvr: cellsGvr });
        const header = ['NAME', 'READY', 'SYNCED', 'FEDERATOR', 'POP', 'REGION', 'OBJECTS', 'LAG', 'MESSAGE'];
        process.stdout.write(
          `${formatTable(
            header,
            items.map((item) => rowOf(item as Cell)),
          )}\n`,
        );
      });
    });
  return withConfigFile(withKubeconfig(command));
}

function rowOf(cell: Cell): string[] {
  const { conditions, objects = {}, syncLag = '', federator = '' } = cell.status ?? {};
  const ready = conditionOf(conditions, 'Ready');
  const synced = conditionOf(conditions, 'Synced');
  const bad = [ready, synced].find((condition) => condition !== undefined && condition.status !== 'True');
  const { synced: done = 0, pending = 0, failed = 0 } = objects;
  return [
    cell.metadata.name ?? '',
    ready?.status ?? 'Unknown',
    synced?.status ?? 'Unknown',
    federator === '' ? '<none>' : federator,
    cell.spec?.pop ?? '',
    cell.spec?.region ?? '',
    `${done} synced, ${pending} pending, ${failed} failed`,
    syncLag,
    bad === undefined ? '' : `${bad.reason ?? ''}: ${bad.message ?? ''}`,
  ];
}

interface JoinSettings extends ConnectSettings {
  readonly edgeKubeconfig: string;
  readonly edgeContext?: string;
  readonly pop: string;
  readonly region: string;
  readonly federator: string;
}

function joinCommand(): Command {
  const command = new Command('join')
    .description('register an edge API server as a cell; its credentials go into a Secret of root:cells')
    .argument('<name>', 'name of the cell')
    .requiredOption('--edge-kubeconfig <file>', 'kubeconfig of the edge API server')
    .option('--edge-context <name>', 'context of that kubeconfig')
    .option('--pop <name>', 'point of presence', '')
    .option('--region <name>', 'region', '')
    .requiredOption('--federator <name>', 'federator that the cell is pinned to')
    .action(async (name: string, settings: JoinSettings) => {
      let edge: ServerConnection;
      try {
        edge = await loadKubeconfig(settings.edgeKubeconfig, settings.edgeContext);
      } catch (error) {
        if (error instanceof KubeconfigError) throw new UsageError(error.message);
        throw error;
      }
      await assertEdgeAnswers(edge);
      await withFederationClient(settings, async (federationClient) => {
        const { pop, region, federator } = settings;
        await ensureCell(federationClient, { name, pop, region, federator }, edge);
        process.stdout.write(`cell ${name} joined: workspace ${cellsWorkspacePath}:${name}\n`);
      });
    });
  return withConfigFile(withKubeconfig(command));
}

/** A wrong address or certificate is told now, not found out later in a condition. */
async function assertEdgeAnswers(edge: ServerConnection): Promise<void> {
  const edgeClient = connect(edge, 'cli');
  try {
    await edgeClient.raw({ cluster: undefined, method: 'GET', path: '/version' }, { timeoutMs: 10_000 });
  } finally {
    await edgeClient.close();
  }
}

function cordonCommand(name: string, description: string, cordoned: boolean): Command {
  const command = new Command(name)
    .description(description)
    .argument('<name>', 'name of the cell')
    .action(async (cellName: string, settings: ConnectSettings) => {
      await withFederationClient(settings, async (federationClient) => {
        await setCordoned(federationClient, cellName, cordoned);
        process.stdout.write(`cell ${cellName} ${name}ed\n`);
      });
    });
  return withConfigFile(withKubeconfig(command));
}

async function setCordoned(federationClient: KubeClient, name: string, cordoned: boolean): Promise<void> {
  const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name };
  const cell = (await federationClient.get(ref)) as Cell;
  const others = (cell.spec?.taints ?? []).filter((taint) => taint.key !== cordonTaint);
  const taints = cordoned ? [...others, { key: cordonTaint, effect: 'NoSchedule' as const }] : others;
  // Guarded: somebody else's taint must not be lost between our read and our write.
  const { resourceVersion } = cell.metadata;
  await federationClient.patch(ref, {
    type: 'merge',
    body: { metadata: { resourceVersion }, spec: { taints } },
  });
}

function unjoinCommand(): Command {
  const command = new Command('unjoin')
    .description('forget a cell; what stands at its edge stays unless its deletionPolicy is Withdraw')
    .argument('<name>', 'name of the cell')
    .action(async (name: string, settings: ConnectSettings) => {
      await withFederationClient(settings, async (federationClient) => {
        await federationClient.delete({ cluster: cellsWorkspacePath, gvr: cellsGvr, name });
        process.stdout.write(`cell ${name} is being removed\n`);
      });
    });
  return withConfigFile(withKubeconfig(command));
}
