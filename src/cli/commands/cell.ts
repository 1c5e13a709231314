import { Command } from 'commander';
import { type Cell, cellsGvr, type Taint } from '#api/federation/cell.ts';
import { cellTaints } from '#api/federation/cell-taints.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { retry } from '#apimachinery/lifecycle.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient } from '#client/client.ts';
import { cellTable } from '../cell-table.ts';
import { type ConnectSettings, withFederationClient, withKubeconfig } from '../connect.ts';
import { formatted, listOf, type OutputSettings, withOutput } from '../output.ts';
import { UsageError } from '../run-command.ts';
import { timeoutOption, withConfigFile } from '../settings.ts';

import { joinCommand, unjoinCommand } from './cell-join.ts';
import { waitUntilDrained, whenObjectsLeave } from './drain-progress.ts';

const ownTaints: ReadonlySet<string> = new Set(Object.values(cellTaints));
const taintTriesMax = 20;

export function cellCommand(): Command {
  return new Command('cell')
    .description('register, list, cordon and drain cells')
    .addCommand(listCommand())
    .addCommand(joinCommand())
    .addCommand(taintCommand('cordon', 'cordoned', 'let no new work onto a cell', ['cordon']))
    .addCommand(drainCommand())
    .addCommand(taintCommand('uncordon', 'uncordoned', 'let work onto a cell again', []))
    .addCommand(unjoinCommand());
}

function listCommand(): Command {
  const command = new Command('list')
    .description('list the cells with their health and what ails them')
    .action(async (settings: ConnectSettings & OutputSettings) => {
      await withFederationClient(settings, async (federationClient) => {
        const { items } = await federationClient.list({ cluster: cellsWorkspacePath, gvr: cellsGvr });
        process.stdout.write(await formatted(settings, listOf(items), () => cellTable(items as Cell[])));
      });
    });
  return withConfigFile(withKubeconfig(withOutput(command)));
}

function taintCommand(
  name: string,
  done: string,
  description: string,
  wanted: readonly ('cordon' | 'drain')[],
): Command {
  const command = new Command(name)
    .description(description)
    .argument('<name>', 'name of the cell')
    .action(async (cellName: string, settings: ConnectSettings) => {
      await withFederationClient(settings, async (federationClient) => {
        await setTaints(federationClient, cellName, wanted);
        process.stdout.write(`cell ${cellName} ${done}\n`);
      });
    });
  return withConfigFile(withKubeconfig(command));
}

interface DrainSettings extends ConnectSettings {
  readonly wait?: boolean;
  /** Milliseconds. */
  readonly timeout: number;
}

function drainCommand(): Command {
  const command = new Command('drain')
    .description('let no new work onto a cell, and take away what it has')
    .argument('<name>', 'name of the cell')
    .option('--wait', 'until nothing is left; fails with what is, when the time is over')
    // Longer than the grace period, after which what is not healthy elsewhere leaves all the same.
    .addOption(timeoutOption('how long to wait', '15m'))
    .action(async (name: string, settings: DrainSettings) => {
      await withFederationClient(settings, async (federationClient) => {
        await setTaints(federationClient, name, ['cordon', 'drain']);
        const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name };
        const cell = (await federationClient.get(ref)) as Cell;
        process.stdout.write(`cell ${name} is being drained: ${whenObjectsLeave(cell)}\n`);
        if (settings.wait !== true) return;
        const left = await waitUntilDrained(federationClient, name, {
          timeoutMs: settings.timeout,
          clock: systemClock,
          tell: (text) => process.stdout.write(text),
        });
        if (left.length === 0) return;
        const list = left.map((one) => `  ${one}\n`).join('');
        throw new UsageError(
          `cell ${name} still has, among others:\n${list}cellplane explain tells why each stays`,
        );
      });
    });
  return withConfigFile(withKubeconfig(command));
}

/** Until nobody writes the cell between the look and the write: what its federator tells of it counts too. */
function setTaints(
  federationClient: KubeClient,
  name: string,
  wanted: readonly ('cordon' | 'drain')[],
): Promise<void> {
  return retry(() => setTaintsOnce(federationClient, name, wanted), {
    retryable: (error) => isApiError(error, 'Conflict'),
    attemptsMax: taintTriesMax,
    backoff: { initialMs: 5, maxMs: 200 },
  });
}

async function setTaintsOnce(
  federationClient: KubeClient,
  name: string,
  wanted: readonly ('cordon' | 'drain')[],
): Promise<void> {
  const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name };
  const cell = (await federationClient.get(ref)) as Cell;
  const present = cell.spec?.taints ?? [];
  const timeAdded = nowTime(Date.now());
  const own = wanted.map((one): Taint => {
    const key = cellTaints[one];
    // A drain repeated does not begin anew.
    const before = present.find((taint) => taint.key === key);
    return before ?? { key, effect: one === 'cordon' ? 'NoSchedule' : 'NoExecute', timeAdded };
  });
  const taints = [...present.filter(({ key }) => !ownTaints.has(key)), ...own];
  // Guarded: somebody else's taint must not be lost between our read and our write.
  const { resourceVersion } = cell.metadata;
  await federationClient.patch(ref, {
    type: 'merge',
    body: { metadata: { resourceVersion }, spec: { taints } },
  });
}
