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
import {
  clusterOverridePoliciesGvr,
  clusterPropagationPoliciesGvr,
  overridePoliciesGvr,
} from '#api/policy/group.ts';
import type { Placement, PropagationSpec } from '#api/policy/placement.ts';
import {
  interpreterCustomizationsGvr,
  type ResourceInterpreterCustomization,
} from '#api/policy/resource-interpreter-customization.ts';
import { type SchedulingProfile, schedulingProfilesGvr } from '#api/policy/scheduling-profile.ts';
import { bindingName } from '#api/work/binding-name.ts';
import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { systemClock } from '#apimachinery/clock.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { clusterAnnotation } from '#client/informer.ts';
import { silentLogger } from '#client/logger.ts';
import { crdsGvr } from '#scheduler/cell-crds.ts';
import { cellInfoOf } from '#scheduler/cells/cell-info.ts';
import { estimatedCells, questionOf } from '#scheduler/cells/estimate-question.ts';
import { Estimators } from '#scheduler/cells/estimators.ts';
import type { ExplainedTemplate, InheritedSource } from '#scheduler/decide-anew.ts';
import type { ExplainInput } from '#scheduler/explain.ts';
import { Interpretation } from '#scheduler/interpreter/interpretation.ts';
import { replicasOf, requestOf } from '#scheduler/projection/replicas.ts';
import type { NamedResource } from '../resource-argument.ts';
import { UsageError } from '../run-command.ts';
import { readBoundPolicy, readPeers } from './explain-peers.ts';

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
  const names = cells.items.map((cell) => cell.metadata.name ?? '');
  if (policy === 'unknown' && whatIf !== undefined)
    throw new UsageError(
      'the policy that decided is gone, or not for this user to read: no what-if without it',
    );
  return {
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
    nowMs,
    whatIf,
    template:
      policy === 'unknown'
        ? undefined
        : await readTemplate(
            federationClient,
            { object, policy, binding, path, cells: cells.items as Cell[] },
            question,
            resource,
          ),
  };
}

interface Read {
  readonly object: KubeObject;
  readonly policy: PropagationSpec | undefined;
  readonly binding: ResourceBinding;
  readonly path: string;
  readonly cells: readonly Cell[];
}

async function readTemplate(
  federationClient: KubeClient,
  { object, policy, binding, path, cells }: Read,
  { workspace }: ExplainQuestion,
  resource: NamedResource,
): Promise<ExplainedTemplate> {
  const { namespace } = object.metadata;
  const profile = await readProfile(federationClient, policy?.schedulerName);
  return {
    object,
    policy,
    profile: profile === 'missing' ? undefined : profile,
    isProfileMissing: profile === 'missing',
    missingOverrides: await readMissingOverrides(federationClient, workspace, namespace, policy),
    peers: await readPeers(federationClient, workspace, object, policy, binding),
    interpretation: await readInterpretation(federationClient, path, resource),
    scores: await readScores(federationClient),
    quotas: namespace === undefined ? [] : await readQuotas(federationClient, workspace, namespace),
    estimates: await askEstimators(cells, policy?.placement, object, resource),
    custom: await isCustom(federationClient, workspace, resource),
    scalable: resource.scalable,
    inherited: await readInherited(federationClient, path),
  };
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

/** Undefined where the object only follows others; `unknown`: it is not for this user to read, or gone a moment ago. */
async function readPolicy(
  federationClient: KubeClient,
  workspace: string,
  { spec: { policy, activation } }: ResourceBinding,
): Promise<PropagationSpec | 'unknown' | undefined> {
  if (policy === undefined) return undefined;
  // A lazy policy as it is for the object.
  if (activation !== undefined) return activation.policy as PropagationSpec;
  return (await readBoundPolicy(federationClient, workspace, policy)) ?? 'unknown';
}

/** Undefined when there need be none, or it is not for this user to read. */
async function readProfile(
  federationClient: KubeClient,
  schedulerName = '',
): Promise<SchedulingProfile | 'missing' | undefined> {
  const isDefault = schedulerName === '' || schedulerName === 'default-scheduler';
  try {
    return (await federationClient.get({
      cluster: cellsWorkspacePath,
      gvr: schedulingProfilesGvr,
      name: isDefault ? 'default' : schedulerName,
    })) as SchedulingProfile;
  } catch (error) {
    if (!isDefault && isApiError(error, 'NotFound')) return 'missing';
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

/** Of the override policies that the policy waits for, those that are not there; none where they may not be read. */
async function readMissingOverrides(
  federationClient: KubeClient,
  workspace: string,
  namespace: string | undefined,
  policy: PropagationSpec | undefined,
): Promise<string[]> {
  const missing = new Set(policy?.dependentOverrides);
  if (missing.size === 0) return [];
  try {
    const gvr = clusterOverridePoliciesGvr;
    const lists = [
      await federationClient.list({ cluster: workspace, gvr }),
      ...(namespace === undefined
        ? []
        : [await federationClient.list({ cluster: workspace, gvr: overridePoliciesGvr, namespace })]),
    ];
    for (const { items } of lists) for (const { metadata } of items) missing.delete(metadata.name ?? '');
    return [...missing];
  } catch (error) {
    if (isApiError(error, 'NotFound', 'Forbidden')) return [];
    throw error;
  }
}

/** The project's own before those above it, the nearest first, as the scheduler takes them. */
async function readInterpretation(
  federationClient: KubeClient,
  path: string,
  { gvr: { group }, kind }: NamedResource,
): Promise<Interpretation | undefined> {
  for (let workspace = path; workspace !== ''; workspace = parentOf(workspace)) {
    try {
      const { items } = await federationClient.list({
        cluster: workspace,
        gvr: interpreterCustomizationsGvr,
      });
      const found = (items as ResourceInterpreterCustomization[])
        .filter(({ spec: { target } }) => {
          return target.kind === kind && parseApiVersion(target.apiVersion)?.group === group;
        })
        .sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))[0];
      if (found !== undefined) return new Interpretation(found);
    } catch (error) {
      if (!isApiError(error, 'NotFound', 'Forbidden')) throw error;
    }
  }
  return undefined;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf(':')));
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
