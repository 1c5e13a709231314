import { isCrd } from '#api/apiextensions/crd.ts';
import { clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import { logicalClusterName, logicalClustersGvr, pathAnnotation } from '#api/core-kcp/logical-cluster.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import type { PropagationSpec } from '#api/policy/placement.ts';
import { bindingName } from '#api/work/binding-name.ts';
import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import type { ExplainInput } from '#scheduler/explain/explain.ts';
import type { NamedResource } from '../resource-argument.ts';
import { UsageError } from '../run-command.ts';
import { copiesIn, definitionIn } from './copies.ts';
import { readBoundPolicy } from './peers.ts';
import { readTemplate } from './template.ts';
import { Unread } from './unread.ts';
import { readPolicies, withoutBindingText } from './without-binding.ts';

/** What explaining and what-if are asked about. */
export interface ExplainQuestion {
  readonly workspace: string;
  readonly namespace: string;
  readonly nowMs: number;
  readonly whatIf?: ExplainInput['whatIf'];
}

/** Reads everything that a decision about the object is made from, as far as it may be read. Throws UsageError. */
export async function readExplainInput(
  federationClient: KubeClient,
  question: ExplainQuestion,
  resource: NamedResource,
): Promise<ExplainInput> {
  const { workspace, nowMs, whatIf } = question;
  const namespace = resource.namespaced ? question.namespace : undefined;
  const { gvr } = resource;
  const [object, cluster, cells] = await Promise.all([
    readObject(federationClient, workspace, namespace, resource),
    federationClient.get({ cluster: workspace, gvr: logicalClustersGvr, name: logicalClusterName }),
    federationClient.list({ cluster: cellsWorkspacePath, gvr: cellsGvr }),
  ]).catch((error: unknown) => {
    if (!isApiError(error, 'Forbidden')) throw error;
    throw new UsageError(
      `explain looks into the cells, which is for the platform's administrators (${error.message}); in a project ` +
        '`kubectl describe` of the object, and status.decision of its ResourceBinding, tell why it is where it is',
    );
  });
  const binding = await readBinding(federationClient, workspace, namespace, resource, object);
  const unread = new Unread();
  const policy = await readPolicy(federationClient, workspace, binding, unread);
  const projectId = clusterOf(cluster);
  const path = cluster.metadata.annotations?.[pathAnnotation] ?? workspace;
  const names = cells.items.map((cell) => cell.metadata.name ?? '');
  if (policy === 'unknown' && whatIf !== undefined)
    throw new UsageError(
      'the policy that decided is gone, or not for this user to read: no what-if without it',
    );
  const copyLists = await Promise.all(
    names.map((cell) =>
      isCrd(gvr)
        ? definitionIn(federationClient, cell, resource)
        : copiesIn(federationClient, cell, projectId, resource, namespace),
    ),
  );
  const copies = copyLists.flat();
  const template =
    policy === 'unknown'
      ? undefined
      : await readTemplate(
          federationClient,
          {
            workspace,
            path,
            nowMs,
            object,
            policy,
            binding,
            cells: cells.items as Cell[],
            copies: copies.map(({ metadata }) => metadata),
          },
          resource,
          unread,
        );
  return {
    binding,
    cells: cells.items as Cell[],
    copies,
    project: { id: projectId, path },
    nowMs,
    whatIf,
    template,
    unknown: unread.list,
  };
}

async function readObject(
  federationClient: KubeClient,
  workspace: string,
  namespace: string | undefined,
  { gvr, name }: NamedResource,
): Promise<KubeObject> {
  try {
    return await federationClient.get({ cluster: workspace, gvr, namespace, name });
  } catch (error) {
    // Where the workspace is not there, the answer is about that.
    if (namespace === undefined || !isApiError(error, 'NotFound') || error.details?.kind !== gvr.resource)
      throw error;
    throw new UsageError(`${error.message} in namespace ${namespace} of ${workspace}; -n names another`);
  }
}

async function readBinding(
  federationClient: KubeClient,
  workspace: string,
  namespace: string | undefined,
  { gvr, name }: NamedResource,
  object: KubeObject,
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
    const policies = await readPolicies(federationClient, workspace, namespace);
    const why = withoutBindingText(object, workspace, policies);
    throw new UsageError(`${gvr.resource}/${name} has no binding: ${why}`);
  }
}

/** Undefined where the object only follows others; `unknown`: it is not for this user to read, or gone a moment ago. */
async function readPolicy(
  federationClient: KubeClient,
  workspace: string,
  { spec: { policy, activation } }: ResourceBinding,
  unread: Unread,
): Promise<PropagationSpec | 'unknown' | undefined> {
  if (policy === undefined) return undefined;
  // A lazy policy as it is for the object.
  if (activation !== undefined) return activation.policy as PropagationSpec;
  return (await readBoundPolicy(federationClient, workspace, policy, unread)) ?? 'unknown';
}
