import { Command } from 'commander';
import { logicalClusterName, logicalClustersGvr, pathAnnotation } from '#api/core-kcp/logical-cluster.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { copiesGvr } from '#api/federation/copy.ts';
import { copyAnnotations, copyLabels } from '#api/federation/copy-contract.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { clusterPropagationPoliciesGvr, propagationPoliciesGvr } from '#api/policy/group.ts';
import type { Placement, PropagationSpec } from '#api/policy/placement.ts';
import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { clusterAnnotation } from '#client/informer.ts';
import { type Explanation, explain, type InheritedSource } from '#scheduler/explain.ts';
import { bindingName } from '#scheduler/projection/names.ts';
import { type ConnectSettings, withFederationClient, withKubeconfig } from '../connect.ts';
import { findResource, type NamedResource } from '../resource-argument.ts';
import { UsageError } from '../run-command.ts';
import { withConfigFile } from '../settings.ts';
import { formatTable } from '../table.ts';

interface Settings extends ConnectSettings {
  readonly namespace: string;
  readonly workspace: string;
  readonly output?: 'json';
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
  const projectId = cluster.metadata.annotations?.[clusterAnnotation] ?? '';
  const path = cluster.metadata.annotations?.[pathAnnotation] ?? workspace;
  const names = cells.items.map((cell) => cell.metadata.name ?? '');
  return explain({
    binding,
    cells: cells.items as Cell[],
    copies: (
      await Promise.all(names.map((cell) => copiesIn(federationClient, cell, projectId, resource, namespace)))
    ).flat(),
    project: { id: projectId, path },
    nowMs: Date.now(),
    template: {
      object,
      placement: await readPlacement(federationClient, workspace, binding),
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

async function readPlacement(
  federationClient: KubeClient,
  workspace: string,
  { spec: { policy } }: ResourceBinding,
): Promise<Placement | undefined> {
  if (policy === undefined) return undefined;
  const gvr = policy.kind === 'PropagationPolicy' ? propagationPoliciesGvr : clusterPropagationPoliciesGvr;
  const { namespace, name } = policy;
  try {
    const cluster = policy.workspace ?? workspace;
    const object = await federationClient.get({ cluster, gvr, namespace, name });
    const spec = object['spec'];
    return isJsonObject(spec) ? (spec['placement'] as Placement | undefined) : undefined;
  } catch (error) {
    // Deleted a moment ago: the binding follows; what it says still holds. Or not for this user to read.
    if (isApiError(error, 'NotFound', 'Forbidden')) return undefined;
    throw error;
  }
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
  const crds = {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    resource: 'customresourcedefinitions',
  } as const;
  try {
    await federationClient.get({ cluster: workspace, gvr: crds, name: `${gvr.resource}.${gvr.group}` });
    return true;
  } catch (error) {
    if (isApiError(error, 'NotFound')) return false;
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
  const { scheduled, message, policy, boundBy, cells } = explanation;
  const head = [
    `${argument} in ${settings.workspace}, namespace ${settings.namespace}`,
    `Policy:     ${policy ?? 'none'}`,
    ...(boundBy.length === 0 ? [] : [`Bound by:   ${boundBy.join(', ')}`]),
    `Scheduled:  ${scheduled ? 'yes' : 'no'}${message === '' ? '' : ` (${message})`}`,
  ];
  const rows = cells.map((cell) => [
    cell.cell,
    cell.chosen ? 'yes' : 'no',
    cell.replicas === undefined ? '-' : String(cell.replicas),
    cell.sync,
    cell.health ?? '-',
    cell.reason === undefined ? cell.message : `${cell.reason}: ${cell.message}`,
  ]);
  return `${head.join('\n')}\n\n${formatTable(['CELL', 'CHOSEN', 'REPLICAS', 'SYNC', 'HEALTH', 'WHY'], rows)}\n`;
}
