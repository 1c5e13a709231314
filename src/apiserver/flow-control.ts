import type { KubeObject } from '#apimachinery/object.ts';
import { sharedUid } from './registry/shared-objects.ts';
import { allAuthenticated, allUnauthenticated, systemMasters, type UserInfo } from './request/user.ts';

/**
 * The mandatory objects of API Priority and Fairness (KUBERNETES.md O2, N6) as every workspace has them without storing
 * them: administrators are exempt, everyone else is in the one level whose seats the workspaces share.
 */
export const flowControlGroup = 'flowcontrol.apiserver.k8s.io';
const apiVersion = `${flowControlGroup}/v1`;
const catchAll = 'catch-all';
const exempt = 'exempt';

export const mandatoryPriorityLevels: readonly KubeObject[] = [
  {
    apiVersion,
    kind: 'PriorityLevelConfiguration',
    metadata: metadataOf(catchAll),
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: 5,
        limitResponse: { type: 'Reject' },
        lendablePercent: 0,
      },
    },
  },
  {
    apiVersion,
    kind: 'PriorityLevelConfiguration',
    metadata: metadataOf(exempt),
    spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  },
];

export const mandatoryFlowSchemas: readonly KubeObject[] = [
  flowSchema(catchAll, 10_000, [allAuthenticated, allUnauthenticated]),
  flowSchema(exempt, 1, [systemMasters]),
];

/** Which flow schema and priority level a request falls under, by uid. */
export interface Flow {
  readonly schemaUid: string;
  readonly levelUid: string;
}

const exemptFlow = flowNamed(exempt);
const catchAllFlow = flowNamed(catchAll);

export function flowOf(user: UserInfo): Flow {
  return user.groups.includes(systemMasters) ? exemptFlow : catchAllFlow;
}

function flowNamed(name: string): Flow {
  const uidOf = (resource: string) => sharedUid({ group: flowControlGroup, resource }, '', name);
  return { schemaUid: uidOf('flowschemas'), levelUid: uidOf('prioritylevelconfigurations') };
}

function metadataOf(name: string): KubeObject['metadata'] {
  return { name, generation: 1, annotations: { 'apf.kubernetes.io/autoupdate-spec': 'true' } };
}

function flowSchema(name: string, matchingPrecedence: number, groups: readonly string[]): KubeObject {
  return {
    apiVersion,
    kind: 'FlowSchema',
    metadata: metadataOf(name),
    spec: {
      matchingPrecedence,
      priorityLevelConfiguration: { name },
      ...(name === catchAll ? { distinguisherMethod: { type: 'ByUser' } } : {}),
      rules: [
        {
          subjects: groups.map((group) => ({ kind: 'Group', group: { name: group } })),
          resourceRules: [
            { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] },
          ],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        },
      ],
    },
    status: {
      conditions: [
        {
          type: 'Dangling',
          status: 'False',
          lastTransitionTime: '2026-01-01T00:00:00Z',
          reason: 'Found',
          message: `This FlowSchema references the PriorityLevelConfiguration object named "${name}" and it exists`,
        },
      ],
    },
  };
}
