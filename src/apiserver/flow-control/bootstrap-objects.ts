import {
  mandatoryFlowSchemaSpecs,
  mandatoryPriorityLevelSpecs,
} from '#api/builtin/mandatory-flow-control.ts';
import { textAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { federatorGroup, schedulerGroup } from '../authz/components.ts';
import { allAuthenticated, allUnauthenticated } from '../request/user.ts';

/**
 * The objects of API Priority and Fairness that every workspace has without storing them (KUBERNETES.md O2): those that
 * Kubernetes insists on, those that it suggests, and one level for our own processes. Figures as kube-apiserver 1.36
 * ships them.
 */
export const flowControlGroup = 'flowcontrol.apiserver.k8s.io';
export const catchAllName = 'catch-all';
export const exemptName = 'exempt';

const apiVersion = `${flowControlGroup}/v1`;
/** What the scheduler and the federators ask is never behind what tenants ask. */
export const federationLevel = 'federation';

interface Queuing {
  readonly queues: number;
  readonly handSize: number;
  readonly queueLengthLimit: number;
}

export const bootstrapPriorityLevels: readonly KubeObject[] = [
  ...Object.entries(mandatoryPriorityLevelSpecs).map(([name, spec]) => levelOf(name, spec)),
  // The scheduler fills its connections: what waits here is bounded by it, and each of its users is a flow.
  limitedLevel(federationLevel, 60, 50, { queues: 64, handSize: 6, queueLengthLimit: 500 }),
  limitedLevel('global-default', 20, 50, { queues: 128, handSize: 6, queueLengthLimit: 50 }),
  limitedLevel('leader-election', 10, 0, { queues: 16, handSize: 4, queueLengthLimit: 50 }),
  limitedLevel('node-high', 40, 25, { queues: 64, handSize: 6, queueLengthLimit: 50 }),
  limitedLevel('system', 30, 33, { queues: 64, handSize: 6, queueLengthLimit: 50 }),
  limitedLevel('workload-high', 40, 50, { queues: 128, handSize: 6, queueLengthLimit: 50 }),
  limitedLevel('workload-low', 100, 90, { queues: 128, handSize: 6, queueLengthLimit: 50 }),
];

const everything: JsonObject = {
  resourceRules: [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] },
  ],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};
const leases: JsonObject = {
  resourceRules: [
    {
      verbs: ['get', 'create', 'update'],
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      namespaces: ['*'],
    },
  ],
};

const anySystemAccount: JsonObject = {
  kind: 'ServiceAccount',
  serviceAccount: { namespace: 'kube-system', name: '*' },
};

export const bootstrapFlowSchemas: readonly KubeObject[] = [
  ...Object.entries(mandatoryFlowSchemaSpecs).map(([name, spec]) => schemaOf(name, spec)),
  flowSchema('probes', exemptName, 2, undefined, groups(allUnauthenticated, allAuthenticated), {
    nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
  }),
  flowSchema(
    'system-leader-election',
    'leader-election',
    100,
    'ByUser',
    [...users('system:kube-controller-manager', 'system:kube-scheduler'), anySystemAccount],
    leases,
  ),
  flowSchema(
    federationLevel,
    federationLevel,
    300,
    'ByUser',
    groups(schedulerGroup, federatorGroup),
    everything,
  ),
  flowSchema('system-node-high', 'node-high', 400, 'ByUser', groups('system:nodes'), {
    resourceRules: [
      {
        verbs: ['*'],
        apiGroups: [''],
        resources: ['nodes', 'nodes/status'],
        clusterScope: true,
        namespaces: ['*'],
      },
      { verbs: ['*'], apiGroups: ['coordination.k8s.io'], resources: ['leases'], namespaces: ['*'] },
    ],
  }),
  flowSchema('system-nodes', 'system', 500, 'ByUser', groups('system:nodes'), everything),
  flowSchema(
    'kube-controller-manager',
    'workload-high',
    800,
    'ByNamespace',
    users('system:kube-controller-manager'),
    everything,
  ),
  flowSchema(
    'kube-scheduler',
    'workload-high',
    800,
    'ByNamespace',
    users('system:kube-scheduler'),
    everything,
  ),
  flowSchema(
    'kube-system-service-accounts',
    'workload-high',
    900,
    'ByNamespace',
    [anySystemAccount],
    everything,
  ),
  flowSchema(
    'service-accounts',
    'workload-low',
    9_000,
    'ByUser',
    groups('system:serviceaccounts'),
    everything,
  ),
  flowSchema(
    'global-default',
    'global-default',
    9_900,
    'ByUser',
    groups(allUnauthenticated, allAuthenticated),
    everything,
  ),
];

function metadataOf(name: string): KubeObject['metadata'] {
  return { name, generation: 1, annotations: { 'apf.kubernetes.io/autoupdate-spec': 'true' } };
}

function levelOf(name: string, spec: JsonObject): KubeObject {
  return { apiVersion, kind: 'PriorityLevelConfiguration', metadata: metadataOf(name), spec };
}

function limitedLevel(
  name: string,
  nominalConcurrencyShares: number,
  lendablePercent: number,
  queuing: Queuing,
): KubeObject {
  const limitResponse = { type: 'Queue', queuing: { ...queuing } };
  return levelOf(name, {
    type: 'Limited',
    limited: { nominalConcurrencyShares, limitResponse, lendablePercent },
  });
}

function groups(...names: string[]): JsonObject[] {
  return names.map((name) => ({ kind: 'Group', group: { name } }));
}

function users(...names: string[]): JsonObject[] {
  return names.map((name) => ({ kind: 'User', user: { name } }));
}

function flowSchema(
  name: string,
  level: string,
  matchingPrecedence: number,
  distinguisher: 'ByUser' | 'ByNamespace' | undefined,
  subjects: JsonObject[],
  rules: JsonObject,
): KubeObject {
  return schemaOf(name, {
    matchingPrecedence,
    priorityLevelConfiguration: { name: level },
    ...(distinguisher === undefined ? {} : { distinguisherMethod: { type: distinguisher } }),
    rules: [{ subjects, ...rules }],
  });
}

function schemaOf(name: string, spec: JsonObject): KubeObject {
  const level = textAt(spec, 'priorityLevelConfiguration', 'name');
  const condition = { ...danglingCondition(level, true), lastTransitionTime: '2026-01-01T00:00:00Z' };
  return {
    apiVersion,
    kind: 'FlowSchema',
    metadata: metadataOf(name),
    spec,
    status: { conditions: [condition] },
  };
}

/** The condition of a FlowSchema that tells whether the level that it names exists; without the time of its change. */
export function danglingCondition(level: string, isFound: boolean): JsonObject {
  const text = `This FlowSchema references the PriorityLevelConfiguration object named "${level}"`;
  return {
    type: 'Dangling',
    status: isFound ? 'False' : 'True',
    reason: isFound ? 'Found' : 'NotFound',
    message: isFound ? `${text} and it exists` : `${text} but there is no such object`,
  };
}
