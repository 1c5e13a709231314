import { Command, Option } from 'commander';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { type ConnectSettings, withFederationClient, withKubeconfig } from '../connect.ts';
import { formatted, listOf, type OutputSettings, withOutput } from '../output.ts';
import { UsageError } from '../run-command.ts';
import { parseBoolean, parseWorkspacePath, timeoutOption, withConfigFile } from '../settings.ts';
import { formatTable } from '../table.ts';
import { waitUntilReady } from './workspace-ready.ts';

export function workspaceCommand(): Command {
  return new Command('workspace')
    .description('create, list and delete workspaces')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(treeCommand())
    .addCommand(deleteCommand());
}

/** `root:acme:shop` → parent `root:acme`, name `shop`. */
function splitPath(workspacePath: string): { readonly parent: string; readonly name: string } {
  const at = workspacePath.lastIndexOf(':');
  if (at < 0)
    throw new UsageError(`${workspacePath} is below no other workspace; write it like root:acme:shop`);
  return { parent: workspacePath.slice(0, at), name: workspacePath.slice(at + 1) };
}

interface CreateSettings extends ConnectSettings {
  readonly type: string;
  readonly ignoreExisting?: boolean;
  readonly wait: boolean;
  /** Milliseconds. */
  readonly timeout: number;
}

function createCommand(): Command {
  const command = new Command('create')
    .description('create a workspace')
    .argument('<path>', 'path of the new workspace, like root:acme:shop', parseWorkspacePath)
    .option(
      '--type <type>',
      'its type: organization, team, project, universal, or <path>:<name>',
      'universal',
    )
    .option('--ignore-existing', 'succeed when it exists already')
    .addOption(
      new Option('--wait <true|false>', 'until it is ready to be used; fails when the time is over')
        .argParser(parseBoolean)
        .default(true),
    )
    .addOption(timeoutOption('how long to wait', '1m'))
    .action(async (workspacePath: string, settings: CreateSettings) => {
      const { parent, name } = splitPath(workspacePath);
      await withFederationClient(settings, async (federationClient) => {
        const made = await create(federationClient, { parent, name }, settings);
        if (settings.wait) {
          const options = { timeoutMs: settings.timeout, clock: systemClock };
          const why = await waitUntilReady(federationClient, { parent, name }, options).catch((error) => {
            // Who may only make them is not told how they are.
            if (isApiError(error, 'Forbidden')) return undefined;
            throw error;
          });
          if (why !== undefined)
            throw new UsageError(`workspace ${workspacePath} is there, and not ready in time: it ${why}`);
        }
        process.stdout.write(
          made === undefined
            ? `workspace ${workspacePath} exists\n`
            : `workspace ${workspacePath} created: ${textAt(made, 'spec', 'URL')}\n`,
        );
      });
    });
  return withConfigFile(withKubeconfig(command));
}

/** Undefined: it exists, and may. */
async function create(
  federationClient: KubeClient,
  { parent, name }: { readonly parent: string; readonly name: string },
  settings: CreateSettings,
): Promise<KubeObject | undefined> {
  const at = settings.type.lastIndexOf(':');
  const type =
    at < 0
      ? { name: settings.type, path: 'root' }
      : { name: settings.type.slice(at + 1), path: settings.type.slice(0, at) };
  try {
    return await federationClient.create(
      { cluster: parent, gvr: workspacesGvr },
      { apiVersion: 'tenancy.kcp.io/v1alpha1', kind: 'Workspace', metadata: { name }, spec: { type } },
    );
  } catch (error) {
    if (settings.ignoreExisting === true && isApiError(error, 'AlreadyExists')) return undefined;
    throw servesNoWorkspaces(error) ? takesNone(parent) : error;
  }
}

function listCommand(): Command {
  const command = new Command('list')
    .description('list the workspaces below one')
    .argument('[path]', 'the parent', parseWorkspacePath, 'root')
    .action(async (parent: string, settings: ConnectSettings & OutputSettings) => {
      await withFederationClient(settings, async (federationClient) => {
        const children = await childrenOf(federationClient, parent);
        process.stdout.write(await formatted(settings, listOf(children), () => tableOf(children)));
      });
    });
  return withConfigFile(withKubeconfig(withOutput(command)));
}

function tableOf(workspaces: readonly KubeObject[]): string {
  const rows = workspaces.map((workspace) => [
    workspace.metadata.name ?? '',
    textAt(workspace, 'spec', 'type', 'name'),
    textAt(workspace, 'status', 'phase'),
    textAt(workspace, 'spec', 'URL'),
  ]);
  return `${formatTable(['NAME', 'TYPE', 'PHASE', 'URL'], rows)}\n`;
}

function treeCommand(): Command {
  const command = new Command('tree')
    .description('show a workspace and all below it')
    .argument('[path]', 'where to begin', parseWorkspacePath, 'root')
    .action(async (root: string, settings: ConnectSettings) => {
      await withFederationClient(settings, async (federationClient) => {
        const children = await childrenOrNone(federationClient, root);
        process.stdout.write(`${root}\n`);
        await printTree(federationClient, root, children, '');
      });
    });
  return withConfigFile(withKubeconfig(command));
}

async function printTree(
  federationClient: KubeClient,
  parent: string,
  children: readonly KubeObject[],
  indent: string,
): Promise<void> {
  for (const [index, child] of children.entries()) {
    const last = index === children.length - 1;
    const name = child.metadata.name ?? '';
    process.stdout.write(
      `${indent}${last ? '└─' : '├─'} ${name} (${textAt(child, 'spec', 'type', 'name')})\n`,
    );
    const path = `${parent}:${name}`;
    const below = await childrenOrNone(federationClient, path).catch((error: unknown) => {
      // Deleted since it was listed.
      if (isApiError(error, 'NotFound')) return [];
      throw error;
    });
    await printTree(federationClient, path, below, `${indent}${last ? '   ' : '│  '}`);
  }
}

function deleteCommand(): Command {
  const command = new Command('delete')
    .description('delete a workspace with everything in it and below it')
    .argument('<path>', 'path of the workspace', parseWorkspacePath)
    .action(async (workspacePath: string, settings: ConnectSettings) => {
      const { parent, name } = splitPath(workspacePath);
      await withFederationClient(settings, async (federationClient) => {
        await federationClient.delete({ cluster: parent, gvr: workspacesGvr, name });
        process.stdout.write(`workspace ${workspacePath} is being deleted\n`);
      });
    });
  return withConfigFile(withKubeconfig(command));
}

async function childrenOf(federationClient: KubeClient, parent: string): Promise<KubeObject[]> {
  try {
    return (await federationClient.list({ cluster: parent, gvr: workspacesGvr })).items;
  } catch (error) {
    throw servesNoWorkspaces(error) ? takesNone(parent) : error;
  }
}

async function childrenOrNone(federationClient: KubeClient, parent: string): Promise<KubeObject[]> {
  try {
    return await childrenOf(federationClient, parent);
  } catch (error) {
    if (error instanceof UsageError) return [];
    throw error;
  }
}

/** Types that hold no workspaces do not serve the kind: the answer names no object, as that for a missing workspace does. */
function servesNoWorkspaces(error: unknown): boolean {
  return isApiError(error, 'NotFound') && error.details?.name === undefined;
}

function takesNone(workspacePath: string): UsageError {
  return new UsageError(`workspace ${workspacePath} is of a type that holds no workspaces`);
}

function textAt(object: JsonObject, ...path: string[]): string {
  let value: unknown = object;
  for (const key of path) value = isJsonObject(value) ? value[key] : undefined;
  return typeof value === 'string' ? value : '';
}
