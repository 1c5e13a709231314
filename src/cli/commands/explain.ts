import { Command } from 'commander';
import { isCrd } from '#api/apiextensions/crd.ts';
import { logicalClusterName, logicalClustersGvr, pathAnnotation } from '#api/core-kcp/logical-cluster.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { type CellScore, cellScoresGvr } from '#api/federation/cell-score.ts';
import { copiesGvr } from '#api/federation/copy.ts';
import { copyAnnotations, copyLabels } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import {
  type FederatedResourceQuota,
  federatedResourceQuotasGvr,
} from '#api/policy/federated-resource-quota.ts';
import { clusterPropagationPoliciesGvr, propagationPoliciesGvr } from '#api/policy/group.ts';
import type { Placement, PropagationSpec } from '#api/policy/placement.ts';
import { type SchedulingProfile, schedulingProfilesGvr } from '#api/policy/scheduling-profile.ts';
import { bindingName } from '#api/work/binding-name.ts';
import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { clusterAnnotation } from '#client/informer.ts';
import { silentLogger } from '#client/logger.ts';
import { crdsGvr } from '#scheduler/cell-crds.ts';
import { cellInfoOf } from '#scheduler/cells/cell-info.ts';
import { estimatedCells, questionOf } from '#scheduler/cells/estimate-question.ts';
import { Estimators } from '#scheduler/cells/estimators.ts';
import {
  type ExplainInput,
  type Explanation,
  explain,
  type InheritedSource,
  type WhatIf,
} from '#scheduler/explain.ts';
import { replicasOf, requestOf } from '#scheduler/projection/replicas.ts';
import { type CellAssumption, parseAssumption } from '#scheduler/what-if.ts';
import { type ConnectSettings, withFederationClient, withKubeconfig } from '../connect.ts';
import { findResource, type NamedResource } from '../resource-argument.ts';
import { UsageError } from '../run-command.ts';
import { withConfigFile } from '../settings.ts';
import { formatTable } from '../table.ts';

interface Settings extends ConnectSettings {
  readonly namespace: string;
  readonly workspace: string;
  readonly output?: 'json';
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
    .requiredOption('--workspace <path>', 'the project workspace, like root:acme:shop')
    .option('-o, --output <format>', 'json instead of a table')
    .option(
      '--with <change>',
      'what would be decided if: cell/<name>=down (up, cordoned, drained, gone), cell/<name>.labels.<key>=<value>, cell/<name>.region=<name>; may be repeated',
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option('--replicas <n>', 'what would be decided with so many replicas', parseCount)
    .action(async (argument: string, settings: Settings) => {
      if (settings.output !== undefined && settings.output !== 'json') {
        throw new UsageError(`--output ${String(settings.output)}: only json is known`);
      }
      await withFederationClient(settings, async (federationClient) => {
        const resource = await findResource(federationClient, settings.workspace, argument);
        const explanation = await gather(federationClient, settings, resource);
        process.stdout.write(
          settings.output === 'json'
            ? `${JSON.stringify(explanation, null, 2)}\n`
            : render(argument, settings, explanation),
        );
      });
    });
  return withConfigFile(withKubeconfig(command));
}

async function gather(
  federationClient: KubeClient,
  settings: Settings,
  resource: NamedResource,
): Promise<Explanation> {
  const { workspace } = settings;
  const namespace = resource.namespaced ? settings.namespace : undefined;
  const { gvr, name } = resource;
  const [object, cluster, cells] = await Promise.all([
    federationClient.get({ cluster: workspace, gvr, namespace, name }),
    federationClient.get({ cluster: workspace, gvr: logicalClustersGvr, name: logicalClusterName }),
    federationClient.list({ cluster: cellsWorkspacePath, gvr: cellsGvr }),
  ]);
  const binding = await readBinding(federationClient, workspace, namespace, resource);
  const policy = await readPolicy(federationClient, workspace, binding);
  const projectId = cluster.metadata.annotations?.[clusterAnnotation] ?? '';
  const path = cluster.metadata.annotations?.[pathAnnotation] ?? workspace;
  const whatIf = settings.with.length > 0 || settings.replicas !== undefined;
  const names = cells.items.map((cell) => cell.metadata.name ?? '');
  return explained({
    binding,
    cells: cells.items as Cell[],
    copies: (
      await Promise.all(
        names.map((cell) =>
          isCrd(resource.gvr)
            ? definitionIn(federationClient, cell, resource)
            : copiesIn(federationClient, cell, projectId, resource, namespace),
        ),
      )
    ).flat(),
    project: { id: projectId, path },
    nowMs: Date.now(),
    whatIf: whatIf
      ? { assumptions: settings.with.map(readAssumption), replicas: settings.replicas }
      : undefined,
    template: {
      object,
      placement: policy?.placement,
      profile: await readProfile(federationClient, policy?.schedulerName),
      scores: await readScores(federationClient),
      quotas: namespace === undefined ? [] : await readQuotas(federationClient, workspace, namespace),
      estimates: await askEstimators(cells.items as Cell[], policy?.placement, object, resource),
      custom: await isCustom(federationClient, workspace, resource),
      scalable: resource.scalable,
      inherited: await readInherited(federationClient, path),
    },
  });
}

async function readBinding(
  federationClient: KubeClient,
  workspace: string,
  namespace: string | undefined,
  { gvr, name }: NamedResource,
): Promise<ResourceBinding> {
  const ref = {
    cluster: workspace,
    gvr: namespace === undefined ? clusterResourceBindingsGvr : resourceBindingsGvr,
    namespace,
    name: bindingName(gvr.group, gvr.resource, name),
  };
  try {
    return (await federationClient.get(ref)) as ResourceBinding;
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
    throw new UsageError(
      `${gvr.resource}/${name} has no binding: no policy in ${workspace} selects it (or the scheduler has not seen it yet)`,
    );
  }
}

async function readPolicy(
  federationClient: KubeClient,
  workspace: string,
  { spec: { policy, activation } }: ResourceBinding,
): Promise<PropagationSpec | undefined> {
  if (policy === undefined) return undefined;
  // A lazy policy as it is for the object.
  if (activation !== undefined) return activation.policy as PropagationSpec;
  const gvr = policy.kind === 'PropagationPolicy' ? propagationPoliciesGvr : clusterPropagationPoliciesGvr;
  const { namespace, name } = policy;
  try {
    const cluster = policy.workspace ?? workspace;
    const object = await federationClient.get({ cluster, gvr, namespace, name });
    const spec = object['spec'];
    return isJsonObject(spec) ? (spec as PropagationSpec) : undefined;
  } catch (error) {
    // Deleted a moment ago: the binding follows; what it says still holds. Or not for this user to read.
    if (isApiError(error, 'NotFound', 'Forbidden')) return undefined;
    throw error;
  }
}

function explained(input: ExplainInput): Explanation {
  try {
    return explain(input);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--with ${error.message}`);
    throw error;
  }
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0) throw new UsageError(`--replicas ${text}: it must be a count`);
  return count;
}

function readAssumption(text: string): CellAssumption {
  try {
    return parseAssumption(text);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--with ${error.message}`);
    throw error;
  }
}

/** Undefined when there is none, or it is not for this user to read. */
async function readProfile(
  federationClient: KubeClient,
  schedulerName = '',
): Promise<SchedulingProfile | undefined> {
  const isDefault = schedulerName === '' || schedulerName === 'default-scheduler';
  try {
    return (await federationClient.get({
      cluster: cellsWorkspacePath,
      gvr: schedulingProfilesGvr,
      name: isDefault ? 'default' : schedulerName,
    })) as SchedulingProfile;
  } catch (error) {
    if (isApiError(error, 'NotFound', 'Forbidden')) return undefined;
    throw error;
  }
}

async function readScores(federationClient: KubeClient): Promise<CellScore[]> {
  try {
    const { items } = await federationClient.list({ cluster: cellsWorkspacePath, gvr: cellScoresGvr });
    return items as CellScore[];
  } catch (error) {
    if (isApiError(error, 'NotFound', 'Forbidden')) return [];
    throw error;
  }
}

/** Of the namespace; none when they are not for this user to read. */
async function readQuotas(
  federationClient: KubeClient,
  workspace: string,
  namespace: string,
): Promise<FederatedResourceQuota[]> {
  try {
    const { items } = await federationClient.list({
      cluster: workspace,
      gvr: federatedResourceQuotasGvr,
      namespace,
    });
    return items as FederatedResourceQuota[];
  } catch (error) {
    if (isApiError(error, 'NotFound', 'Forbidden')) return [];
    throw error;
  }
}

/** As the scheduler asks them, each with its own timeout, and yet from here: one that only the scheduler reaches says nothing. */
async function askEstimators(
  cells: readonly Cell[],
  placement: Placement | undefined,
  object: KubeObject,
  { gvr: { group, resource }, scalable }: NamedResource,
): Promise<ReadonlyMap<string, number | string>> {
  const kind = { group, resource, scalable };
  const infos = cells.map((cell) => cellInfoOf(cell, true));
  const asked = replicasOf(object, kind) === undefined ? [] : estimatedCells(infos, placement);
  const told = new Map<string, number | string>();
  if (asked.length === 0) return told;
  const onFailure = (cell: string, error: unknown): void => {
    told.set(cell, error instanceof Error ? error.message : String(error));
  };
  const estimators = new Estimators(systemClock, silentLogger, onFailure);
  try {
    const question = questionOf(object, kind, requestOf(object, kind));
    const estimates = await estimators.ask(asked, question, new AbortController().signal);
    for (const [cell, replicas] of estimates) told.set(cell, replicas);
  } finally {
    await estimators.close();
  }
  return told;
}

/** Policies above the project; those of a workspace that the user may not read are left out. */
async function readInherited(federationClient: KubeClient, path: string): Promise<InheritedSource[]> {
  const segments = path.split(':').slice(0, -1);
  const lists = await Promise.all(
    segments.map(async (_, depth): Promise<InheritedSource[]> => {
      const workspace = segments.slice(0, depth + 1).join(':');
      try {
        const { items } = await federationClient.list({
          cluster: workspace,
          gvr: clusterPropagationPoliciesGvr,
        });
        return items.map(({ metadata, spec }) => ({
          workspace,
          name: metadata.name ?? '',
          spec: spec as PropagationSpec,
        }));
      } catch (error) {
        if (isApiError(error, 'NotFound', 'Forbidden')) return [];
        throw error;
      }
    }),
  );
  return lists.flat();
}

async function isCustom(
  federationClient: KubeClient,
  workspace: string,
  { gvr }: NamedResource,
): Promise<boolean> {
  try {
    await federationClient.get({ cluster: workspace, gvr: crdsGvr, name: `${gvr.resource}.${gvr.group}` });
    return true;
  } catch (error) {
    if (isApiError(error, 'NotFound')) return false;
    throw error;
  }
}

/** The cell's definition of the name, as far as there is one: it belongs to the cell. */
async function definitionIn(
  federationClient: KubeClient,
  cell: string,
  { gvr, name }: NamedResource,
): Promise<{ readonly cell: string; readonly metadata: ObjectMeta }[]> {
  const ref = { cluster: `${cellsWorkspacePath}:${cell}`, gvr, name };
  try {
    const { metadata } = await federationClient.get(ref, { metadataOnly: true });
    return [{ cell, metadata }];
  } catch (error) {
    if (isApiError(error, 'NotFound', 'ServiceUnavailable')) return [];
    throw error;
  }
}

async function copiesIn(
  federationClient: KubeClient,
  cell: string,
  projectId: string,
  { gvr, name }: NamedResource,
  namespace: string | undefined,
): Promise<{ readonly cell: string; readonly metadata: ObjectMeta }[]> {
  const collection = { cluster: `${cellsWorkspacePath}:${cell}`, gvr: copiesGvr };
  let items: KubeObject[];
  try {
    ({ items } = await federationClient.list(collection, {
      labelSelector: `${copyLabels.originCluster}=${projectId}`,
    }));
  } catch (error) {
    // A Cell whose workspace is not made yet holds nothing.
    if (isApiError(error, 'NotFound', 'ServiceUnavailable')) return [];
    throw error;
  }
  const wanted = { group: gvr.group, resource: gvr.resource, namespace: namespace ?? '', name };
  return items
    .filter(({ metadata: { annotations = {} } }) => {
      const at = (key: string) => annotations[key] ?? '';
      return (
        at(copyAnnotations.originGroup) === wanted.group &&
        at(copyAnnotations.originResource) === wanted.resource &&
        at(copyAnnotations.originNamespace) === wanted.namespace &&
        at(copyAnnotations.originName) === wanted.name
      );
    })
    .map(({ metadata }) => ({ cell, metadata }));
}

function render(argument: string, settings: Settings, explanation: Explanation): string {
  const { scheduled, message, policy, boundBy, quotaRoom, rollout, cells } = explanation;
  const head = [
    `${argument} in ${settings.workspace}, namespace ${settings.namespace}`,
    `Policy:     ${policy ?? 'none'}`,
    ...(boundBy.length === 0 ? [] : [`Bound by:   ${boundBy.join(', ')}`]),
    `Scheduled:  ${scheduled ? 'yes' : 'no'}${message === '' ? '' : ` (${message})`}`,
    ...(quotaRoom === undefined ? [] : [`Quota:      room for ${quotaRoom} more replicas`]),
    ...(rollout === undefined ? [] : [`Rollout:    ${rolloutText(rollout)}`]),
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
