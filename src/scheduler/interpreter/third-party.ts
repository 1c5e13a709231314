import type { AggregationRule } from '../gather/aggregation-rule.ts';

/**
 * What is known of popular custom kinds, by `<resource>.<group>`: what Karmada brings along for them, as a table
 * (PLACEMENT.md 1, interpreter hooks). Everything is optional: what is not here follows the rules for unknown kinds.
 */
export interface ThirdPartyKind {
  /** Field of `spec` that counts replicas. */
  readonly replicas?: string;
  readonly health?: HealthTable;
  readonly status?: AggregationRule;
}

/** How the status shows that an object is well; the first part that is there decides. */
export interface HealthTable {
  /** Counts of the status that must reach the replicas asked for. */
  readonly atLeastReplicas?: readonly string[];
  /** Pairs of counts: the first must reach the second. */
  readonly reaches?: readonly (readonly [count: string, wanted: string])[];
  /** A dotted path, with what is well and what is not; anything else is not known. */
  readonly phase?: {
    readonly path: string;
    readonly well: readonly string[];
    readonly ill: readonly string[];
  };
  /** A condition whose True is bad news. */
  readonly unless?: string;
}

const rolledOut: HealthTable = { atLeastReplicas: ['updatedReplicas', 'availableReplicas'] };
const jobConditions: ThirdPartyKind = {
  health: { unless: 'Failed' },
  status: { earliest: ['startTime'], latest: ['completionTime'], conditions: true },
};
const fluxSource: ThirdPartyKind = { status: { same: ['artifact', 'url'], conditions: true } };

const table: { readonly [resource: string]: ThirdPartyKind | undefined } = {
  'rollouts.argoproj.io': {
    replicas: 'replicas',
    health: {
      phase: { path: 'phase', well: ['Healthy', 'Paused'], ill: ['Degraded', 'Progressing'] },
      ...rolledOut,
    },
    status: {
      sum: ['replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas', 'HPAReplicas'],
      same: ['currentPodHash', 'stableRS', 'selector'],
      worst: { field: 'phase', order: ['Degraded', 'Progressing', 'Paused', 'Healthy'] },
      conditions: true,
    },
  },
  'workflows.argoproj.io': {
    health: {
      phase: { path: 'phase', well: ['Pending', 'Running', 'Succeeded'], ill: ['Failed', 'Error'] },
    },
    status: {
      worst: { field: 'phase', order: ['Error', 'Failed', 'Pending', 'Running', 'Succeeded'] },
      earliest: ['startedAt'],
      latest: ['finishedAt'],
      conditions: true,
    },
  },
  'clonesets.apps.kruise.io': {
    replicas: 'replicas',
    health: rolledOut,
    status: {
      sum: [
        'replicas',
        'readyReplicas',
        'availableReplicas',
        'updatedReplicas',
        'updatedReadyReplicas',
        'expectedUpdatedReplicas',
      ],
      same: ['updateRevision', 'currentRevision', 'labelSelector'],
      conditions: true,
    },
  },
  'statefulsets.apps.kruise.io': {
    replicas: 'replicas',
    health: { atLeastReplicas: ['updatedReplicas', 'readyReplicas'] },
    status: {
      sum: [
        'replicas',
        'readyReplicas',
        'availableReplicas',
        'currentReplicas',
        'updatedReplicas',
        'updatedReadyReplicas',
        'updatedAvailableReplicas',
      ],
      same: ['currentRevision', 'updateRevision', 'labelSelector'],
      conditions: true,
    },
  },
  'daemonsets.apps.kruise.io': {
    health: {
      reaches: [
        ['updatedNumberScheduled', 'desiredNumberScheduled'],
        ['numberAvailable', 'desiredNumberScheduled'],
      ],
    },
    status: {
      sum: [
        'currentNumberScheduled',
        'numberMisscheduled',
        'desiredNumberScheduled',
        'numberReady',
        'updatedNumberScheduled',
        'numberAvailable',
        'numberUnavailable',
      ],
      same: ['daemonSetHash'],
      conditions: true,
    },
  },
  'uniteddeployments.apps.kruise.io': {
    replicas: 'replicas',
    health: { atLeastReplicas: ['updatedReadyReplicas', 'readyReplicas'] },
    status: {
      sum: ['replicas', 'readyReplicas', 'updatedReplicas', 'updatedReadyReplicas'],
      same: ['currentRevision', 'labelSelector'],
      conditions: true,
    },
  },
  'broadcastjobs.apps.kruise.io': {
    health: { phase: { path: 'phase', well: ['running', 'completed'], ill: ['failed', 'paused'] } },
    status: {
      sum: ['active', 'succeeded', 'failed', 'desired'],
      worst: { field: 'phase', order: ['failed', 'paused', 'running', 'completed'] },
      earliest: ['startTime'],
      latest: ['completionTime'],
      conditions: true,
    },
  },
  'advancedcronjobs.apps.kruise.io': {
    health: {},
    status: { same: ['type'], latest: ['lastScheduleTime'] },
  },
  'sidecarsets.apps.kruise.io': {
    health: { reaches: [['updatedReadyPods', 'matchedPods']] },
    status: { sum: ['matchedPods', 'updatedPods', 'readyPods', 'updatedReadyPods'] },
  },
  'flinkdeployments.flink.apache.org': {
    health: {
      phase: {
        path: 'jobStatus.state',
        well: ['RUNNING', 'FINISHED'],
        ill: ['FAILED', 'FAILING', 'CANCELED', 'SUSPENDED', 'RESTARTING'],
      },
    },
    status: {
      same: [
        'clusterInfo',
        'error',
        'jobManagerDeploymentStatus',
        'jobStatus',
        'lifecycleState',
        'reconciliationStatus',
        'taskManager',
      ],
    },
  },
  'helmreleases.helm.toolkit.fluxcd.io': {
    status: { same: ['lastAppliedRevision', 'lastAttemptedRevision', 'helmChart'], conditions: true },
  },
  'kustomizations.kustomize.toolkit.fluxcd.io': {
    status: { same: ['lastAppliedRevision', 'lastAttemptedRevision', 'inventory'], conditions: true },
  },
  'gitrepositories.source.toolkit.fluxcd.io': fluxSource,
  'helmrepositories.source.toolkit.fluxcd.io': fluxSource,
  'helmcharts.source.toolkit.fluxcd.io': fluxSource,
  'ocirepositories.source.toolkit.fluxcd.io': fluxSource,
  'buckets.source.toolkit.fluxcd.io': fluxSource,
  'certificates.cert-manager.io': {
    status: {
      earliest: ['notAfter', 'renewalTime'],
      latest: ['notBefore', 'lastFailureTime'],
      same: ['revision'],
      conditions: true,
    },
  },
  'sparkapplications.sparkoperator.k8s.io': {
    health: {
      phase: {
        path: 'applicationState.state',
        well: ['RUNNING', 'COMPLETED', 'SUCCEEDING'],
        ill: ['FAILED', 'SUBMISSION_FAILED', 'FAILING', 'PENDING_RERUN', 'INVALIDATING'],
      },
    },
  },
  'rayclusters.ray.io': {
    health: { phase: { path: 'state', well: ['ready', 'suspended'], ill: ['failed', 'unhealthy'] } },
    status: {
      sum: [
        'desiredWorkerReplicas',
        'availableWorkerReplicas',
        'readyWorkerReplicas',
        'minWorkerReplicas',
        'maxWorkerReplicas',
      ],
      worst: { field: 'state', order: ['failed', 'unhealthy', 'suspended', 'ready'] },
      conditions: true,
    },
  },
  'rayjobs.ray.io': {
    health: {
      phase: {
        path: 'jobDeploymentStatus',
        well: ['Initializing', 'Running', 'Complete', 'Suspended'],
        ill: ['Failed', 'Retrying'],
      },
    },
    status: {
      worst: {
        field: 'jobStatus',
        order: ['FAILED', 'STOPPED', 'PENDING', 'RUNNING', 'SUCCEEDED'],
      },
      earliest: ['startTime'],
      latest: ['endTime'],
    },
  },
  'tfjobs.kubeflow.org': jobConditions,
  'pytorchjobs.kubeflow.org': jobConditions,
  'mpijobs.kubeflow.org': jobConditions,
  'xgboostjobs.kubeflow.org': jobConditions,
  'paddlejobs.kubeflow.org': jobConditions,
  'notebooks.kubeflow.org': { status: { sum: ['readyReplicas'], conditions: true } },
  'jobs.batch.volcano.sh': {
    health: {
      phase: {
        path: 'state.phase',
        well: ['Pending', 'Running', 'Completing', 'Completed'],
        ill: ['Failed', 'Aborting', 'Aborted', 'Terminating', 'Terminated', 'Restarting'],
      },
    },
    status: {
      sum: ['pending', 'running', 'succeeded', 'failed', 'terminating', 'unknown', 'minAvailable'],
      conditions: true,
    },
  },
};

export function thirdPartyKind(resource: string): ThirdPartyKind | undefined {
  return Object.hasOwn(table, resource) ? table[resource] : undefined;
}

/** Where custom kinds hold a pod's spec, by `<resource>.<group>`. */
export const thirdPartyPodSpecs: { readonly [resource: string]: string } = {
  'rollouts.argoproj.io': 'spec.template.spec',
  'clonesets.apps.kruise.io': 'spec.template.spec',
  'statefulsets.apps.kruise.io': 'spec.template.spec',
  'daemonsets.apps.kruise.io': 'spec.template.spec',
  'broadcastjobs.apps.kruise.io': 'spec.template.spec',
  'notebooks.kubeflow.org': 'spec.template.spec',
  'flinkdeployments.flink.apache.org': 'spec.podTemplate.spec',
};

/** Where custom kinds name Secrets, ConfigMaps and ServiceAccounts of their namespace that they need. */
export const thirdPartyNeeds: {
  readonly [resource: string]: readonly (readonly [
    path: string,
    resource: 'secrets' | 'configmaps' | 'serviceaccounts',
  ])[];
} = {
  'workflows.argoproj.io': [['spec.serviceAccountName', 'serviceaccounts']],
  'flinkdeployments.flink.apache.org': [['spec.serviceAccount', 'serviceaccounts']],
  'sparkapplications.sparkoperator.k8s.io': [
    ['spec.driver.serviceAccount', 'serviceaccounts'],
    ['spec.driver.secrets[].name', 'secrets'],
    ['spec.driver.configMaps[].name', 'configmaps'],
    ['spec.executor.secrets[].name', 'secrets'],
    ['spec.executor.configMaps[].name', 'configmaps'],
  ],
  'helmreleases.helm.toolkit.fluxcd.io': [
    ['spec.kubeConfig.secretRef.name', 'secrets'],
    ['spec.serviceAccountName', 'serviceaccounts'],
  ],
  'kustomizations.kustomize.toolkit.fluxcd.io': [
    ['spec.decryption.secretRef.name', 'secrets'],
    ['spec.kubeConfig.secretRef.name', 'secrets'],
    ['spec.serviceAccountName', 'serviceaccounts'],
  ],
  'gitrepositories.source.toolkit.fluxcd.io': [['spec.secretRef.name', 'secrets']],
  'helmrepositories.source.toolkit.fluxcd.io': [['spec.secretRef.name', 'secrets']],
  'ocirepositories.source.toolkit.fluxcd.io': [
    ['spec.secretRef.name', 'secrets'],
    ['spec.serviceAccountName', 'serviceaccounts'],
  ],
  'buckets.source.toolkit.fluxcd.io': [['spec.secretRef.name', 'secrets']],
  'issuers.cert-manager.io': [
    ['spec.ca.secretName', 'secrets'],
    ['spec.vault.auth.tokenSecretRef.name', 'secrets'],
    ['spec.acme.externalAccountBinding.keySecretRef.name', 'secrets'],
  ],
};
