import type { Cell } from '#api/federation/cell.ts';
import { type CellScore, cellScoresGvr } from '#api/federation/cell-score.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import {
  type FederatedResourceQuota,
  federatedResourceQuotasGvr,
  projectQuotasNamespace,
} from '#api/policy/federated-resource-quota.ts';
import {
  clusterOverridePoliciesGvr,
  clusterPropagationPoliciesGvr,
  overridePoliciesGvr,
} from '#api/policy/group.ts';
import type { PropagationSpec } from '#api/policy/placement.ts';
import { type SchedulingProfile, schedulingProfilesGvr } from '#api/policy/scheduling-profile.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject, ObjectMeta } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { crdsGvr } from '#scheduler/copies/cell-crds.ts';
import type { ExplainedTemplate, InheritedSource } from '#scheduler/explain/decide-anew.ts';
import type { NamedResource } from '../resource-argument.ts';
import { readCommitments } from './commitments.ts';
import { askEstimators } from './estimators.ts';
import { readInterpretation } from './interpretation.ts';
import { readPeers } from './peers.ts';
import { readMissingPriorityClass } from './priority-class.ts';
import type { Unread } from './unread.ts';

export interface TemplateQuestion {
  readonly workspace: string;
  /** Of the workspace. */
  readonly path: string;
  readonly nowMs: number;
  readonly object: KubeObject;
  /** Undefined where the object only follows others. */
  readonly policy: PropagationSpec | undefined;
  readonly binding: ResourceBinding;
  readonly cells: readonly Cell[];
  /** The metadata of its copies. */
  readonly copies: readonly ObjectMeta[];
}

/** What else than the object a decision about it looks at; what may not be read is said to `unread`. */
export async function readTemplate(
  federationClient: KubeClient,
  question: TemplateQuestion,
  resource: NamedResource,
  unread: Unread,
): Promise<ExplainedTemplate> {
  const { workspace, path, nowMs, copies, object, policy, binding, cells } = question;
  const { namespace } = object.metadata;
  const profile = await readProfile(federationClient, policy?.schedulerName, unread);
  return {
    object,
    policy,
    profile: profile === 'missing' ? undefined : profile,
    isProfileMissing: profile === 'missing',
    missingPriorityClass: await readMissingPriorityClass(
      federationClient,
      workspace,
      policy,
      binding,
      unread,
    ),
    missingOverrides: await readMissingOverrides(federationClient, workspace, namespace, policy, unread),
    peers: await readPeers(federationClient, workspace, object, policy, binding, unread),
    interpretation: await readInterpretation(federationClient, path, resource, unread),
    scores: await readScores(federationClient, unread),
    quotas: namespace === undefined ? [] : await readQuotas(federationClient, workspace, namespace, unread),
    ...(await askEstimators({ cells, policy, profile, binding, copies, nowMs, object }, resource, unread)),
    commitments: await readCommitments(federationClient, question, unread),
    custom: await isCustom(federationClient, workspace, resource),
    scalable: resource.scalable,
    inherited: await readInherited(federationClient, path, unread),
  };
}

/** Undefined when there need be none, or it is not for this user to read. */
async function readProfile(
  federationClient: KubeClient,
  schedulerName: string | undefined,
  unread: Unread,
): Promise<SchedulingProfile | 'missing' | undefined> {
  const isDefault = (schedulerName ?? '') === '' || schedulerName === 'default-scheduler';
  const name = isDefault ? 'default' : (schedulerName as string);
  return unread.or(
    `SchedulingProfile ${name}`,
    async () => {
      try {
        const ref = { cluster: cellsWorkspacePath, gvr: schedulingProfilesGvr, name };
        return (await federationClient.get(ref)) as SchedulingProfile;
      } catch (error) {
        if (!isDefault && isApiError(error, 'NotFound')) return 'missing';
        throw error;
      }
    },
    undefined,
  );
}

function readScores(federationClient: KubeClient, unread: Unread): Promise<CellScore[]> {
  return unread.or('CellScores', async () => {
    const { items } = await federationClient.list({ cluster: cellsWorkspacePath, gvr: cellScoresGvr });
    return items as CellScore[];
  }, []);
}

function readQuotas(
  federationClient: KubeClient,
  workspace: string,
  namespace: string,
  unread: Unread,
): Promise<FederatedResourceQuota[]> {
  return unread.or('FederatedResourceQuotas', async () => {
    const gvr = federatedResourceQuotasGvr;
    const listIn = async (place: string): Promise<FederatedResourceQuota[]> => {
      const { items } = await federationClient.list({ cluster: workspace, gvr, namespace: place });
      return items as FederatedResourceQuota[];
    };
    const own = await listIn(namespace);
    if (namespace === projectQuotasNamespace) return own;
    const ofProject = await unread.or(
      "FederatedResourceQuotas of the project's namespaces together",
      () => listIn(projectQuotasNamespace),
      [],
    );
    return [...own, ...ofProject.filter(({ spec }) => spec.scope === 'Project')];
  }, []);
}

/** Of the override policies that the policy waits for, those that are not there; none where they may not be read. */
async function readMissingOverrides(
  federationClient: KubeClient,
  workspace: string,
  namespace: string | undefined,
  policy: PropagationSpec | undefined,
  unread: Unread,
): Promise<string[]> {
  const missing = new Set(policy?.dependentOverrides);
  if (missing.size === 0) return [];
  return unread.or('override policies', async () => {
    const gvr = clusterOverridePoliciesGvr;
    const lists = [
      await federationClient.list({ cluster: workspace, gvr }),
      ...(namespace === undefined
        ? []
        : [await federationClient.list({ cluster: workspace, gvr: overridePoliciesGvr, namespace })]),
    ];
    for (const { items } of lists) for (const { metadata } of items) missing.delete(metadata.name ?? '');
    return [...missing];
  }, []);
}

/** Policies above the project; those of a workspace that the user may not read are left out. */
async function readInherited(
  federationClient: KubeClient,
  path: string,
  unread: Unread,
): Promise<InheritedSource[]> {
  const segments = path.split(':').slice(0, -1);
  const lists = await Promise.all(
    segments.map((_, depth): Promise<InheritedSource[]> => {
      const workspace = segments.slice(0, depth + 1).join(':');
      return unread.or(`inherited policies of ${workspace}`, async () => {
        const gvr = clusterPropagationPoliciesGvr;
        const { items } = await federationClient.list({ cluster: workspace, gvr });
        return items.map(({ metadata, spec }) => ({
          workspace,
          name: metadata.name ?? '',
          spec: spec as PropagationSpec,
        }));
      }, []);
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
