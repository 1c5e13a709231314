import { Command } from 'commander';
import { type ExplainInput, type Explanation, explain, type WhatIf } from '#scheduler/explain/explain.ts';
import { type CellAssumption, parseAssumption } from '#scheduler/explain/what-if.ts';
import { type ConnectSettings, currentWorkspace, withFederationClient, withKubeconfig } from '../connect.ts';
import { readExplainInput } from '../explain/input.ts';
import { formatted, type OutputSettings, withOutput } from '../output.ts';
import { findResource } from '../resource-argument.ts';
import { UsageError } from '../run-command.ts';
import { parseCount, parseWorkspacePath, withConfigFile } from '../settings.ts';
import { formatTable } from '../table.ts';

interface Settings extends ConnectSettings, OutputSettings {
  readonly namespace: string;
  readonly workspace?: string;
  readonly with: readonly string[];
  readonly replicas?: number;
}

export function explainCommand(): Command {
  const command = new Command('explain')
    .description(
      'tell, cell by cell, why an object is placed there or not, with how many replicas, and how far its sync is',
    )
    .argument('<type/name>', 'the object, like deployment/web')
    .option('-n, --namespace <name>', 'its namespace', 'default')
    .option(
      '--workspace <path>',
      'the project workspace, like root:acme:shop (default: that of the kubeconfig’s context)',
      parseWorkspacePath,
    )
    .option(
      '--with <change>',
      'what would be decided if: cell/<name>=down (up, cordoned, drained, gone), cell/<name>.labels.<key>=<value>, cell/<name>.region=<name>; may be repeated',
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option('--replicas <n>', 'what would be decided with so many replicas', parseCount)
    .action(async (argument: string, settings: Settings) => {
      await withFederationClient(settings, async (federationClient) => {
        const { namespace, replicas, workspace = await workspaceOf(settings) } = settings;
        const resource = await findResource(federationClient, workspace, argument);
        const assumptions = settings.with.map(readAssumption);
        const whatIf =
          assumptions.length > 0 || replicas !== undefined ? { assumptions, replicas } : undefined;
        const question = { workspace, namespace, nowMs: Date.now(), whatIf };
        const explanation = explained(await readExplainInput(federationClient, question, resource));
        process.stdout.write(
          await formatted(settings, explanation, () =>
            render(argument, { workspace, namespace }, explanation),
          ),
        );
      });
    });
  return withConfigFile(withKubeconfig(withOutput(command)));
}

function explained(input: ExplainInput): Explanation {
  try {
    return explain(input);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--with ${error.message}`);
    throw error;
  }
}

function readAssumption(text: string): CellAssumption {
  try {
    return parseAssumption(text);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--with ${error.message}`);
    throw error;
  }
}

async function workspaceOf(settings: Settings): Promise<string> {
  const workspace = await currentWorkspace(settings);
  if (workspace !== undefined) return workspace;
  throw new UsageError('the kubeconfig’s context names no workspace: give --workspace, like root:acme:shop');
}

function render(
  argument: string,
  at: { readonly workspace: string; readonly namespace: string },
  explanation: Explanation,
): string {
  const { scheduled, message, policy, affinity, boundBy, quotaRoom, rollout, cells, unknown } = explanation;
  const head = [
    `${argument} in ${at.workspace}, namespace ${at.namespace}`,
    `Policy:     ${policy ?? 'none'}`,
    ...(affinity === undefined ? [] : [`Affinity:   ${affinity} is in use`]),
    ...(boundBy.length === 0 ? [] : [`Bound by:   ${boundBy.join(', ')}`]),
    `Scheduled:  ${scheduled ? 'yes' : 'no'}${message === '' ? '' : ` (${message})`}`,
    ...(quotaRoom === undefined
      ? []
      : [`Quota:      room for ${quotaRoom} more ${quotaRoom === 1 ? 'replica' : 'replicas'}`]),
    ...(rollout === undefined ? [] : [`Rollout:    ${rolloutText(rollout)}`]),
    ...unknown.map((what) => `Unknown:    ${what}`),
  ];
  const rows = cells.map((cell) => [
    cell.cell,
    cell.chosen ? 'yes' : 'no',
    cell.replicas === undefined ? '-' : String(cell.replicas),
    cell.sync,
    cell.health ?? '-',
    cell.room === undefined ? '-' : `${cell.room}${cell.roomBy === undefined ? '' : ` (${cell.roomBy})`}`,
    Object.entries(cell.scores ?? {})
      .map(([score, points]) => `${score}=${points}`)
      .join(',') || '-',
    cell.reason === undefined ? cell.message : `${cell.reason}: ${cell.message}`,
  ]);
  const header = ['CELL', 'CHOSEN', 'REPLICAS', 'SYNC', 'HEALTH', 'ROOM', 'SCORES', 'WHY'];
  const table = `${head.join('\n')}\n\n${formatTable(header, rows)}\n`;
  return explanation.whatIf === undefined ? table : `${table}\n${renderWhatIf(explanation.whatIf)}`;
}

/** `AwaitingApproval, wave 2 of 3 (few), 4 of 9 cells, since 2026-01-01T00:00:00Z: …`. */
function rolloutText({
  phase,
  wave,
  waveName,
  waves,
  updated,
  cells,
  since,
  message,
}: NonNullable<Explanation['rollout']>): string {
  const parts: string[] = [phase];
  if (phase !== 'Complete')
    parts.push(`wave ${wave + 1} of ${waves}${waveName === undefined ? '' : ` (${waveName})`}`);
  if (updated !== undefined && cells !== undefined) parts.push(`${updated} of ${cells} cells`);
  if (since !== '') parts.push(`since ${since}`);
  return `${parts.join(', ')}${message === undefined ? '' : `: ${message}`}`;
}

function renderWhatIf({ assumptions, scheduled, message, cells }: WhatIf): string {
  const told = (share: number | boolean): string =>
    typeof share === 'number' ? String(share) : share ? 'yes' : '-';
  const rows = cells.map(({ cell, now, would, reason }) => [cell, told(now), told(would), reason ?? '']);
  return `If ${assumptions.join(', ')}:
Scheduled:  ${scheduled ? 'yes' : 'no'} (${message})

${formatTable(['CELL', 'NOW', 'THEN', 'WHY'], rows)}
`;
}
