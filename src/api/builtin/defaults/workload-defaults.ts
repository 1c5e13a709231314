import type { JsonObject } from '#apimachinery/json.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { defaultCpuUtilization, metricsAnnotation } from '../conversion/hpa-conversion.ts';
import { defaultTemplate } from './core-defaults.ts';
import { defaultTo, defaultZero, objectIn, objectOf, objectsIn } from './defaulting.ts';
import { defaultClaimSpec } from './pod-defaults.ts';

/** Defaults of apps, batch and autoscaling (source: Kubernetes' pkg/apis/{apps,batch,autoscaling}/v*\/defaults.go). In place. */
export const workloadDefaults: {
  readonly [groupResource: string]: (object: KubeObject, version: string) => void;
} = {
  'deployments.apps': (deployment) => {
    const spec = objectIn(deployment, 'spec');
    defaultTo(spec, 'replicas', 1);
    const strategy = objectIn(spec, 'strategy');
    defaultZero(strategy, 'type', 'RollingUpdate');
    if (strategy['type'] === 'RollingUpdate') {
      const rolling = objectIn(strategy, 'rollingUpdate');
      defaultTo(rolling, 'maxUnavailable', '25%');
      defaultTo(rolling, 'maxSurge', '25%');
    }
    defaultTo(spec, 'revisionHistoryLimit', 10);
    defaultTo(spec, 'progressDeadlineSeconds', 600);
    defaultTemplate(objectIn(spec, 'template'));
  },
  'replicasets.apps': (replicaSet) => {
    const spec = objectIn(replicaSet, 'spec');
    defaultTo(spec, 'replicas', 1);
    defaultTemplate(objectIn(spec, 'template'));
  },
  'statefulsets.apps': defaultStatefulSet,
  'daemonsets.apps': (daemonSet) => {
    const spec = objectIn(daemonSet, 'spec');
    const strategy = objectIn(spec, 'updateStrategy');
    defaultZero(strategy, 'type', 'RollingUpdate');
    if (strategy['type'] === 'RollingUpdate') {
      const rolling = objectIn(strategy, 'rollingUpdate');
      defaultTo(rolling, 'maxUnavailable', 1);
      defaultTo(rolling, 'maxSurge', 0);
    }
    defaultTo(spec, 'revisionHistoryLimit', 10);
    defaultTemplate(objectIn(spec, 'template'));
  },
  'jobs.batch': (job) => {
    const spec = objectIn(job, 'spec');
    defaultJobSpec(spec);
    const labels = objectOf(objectOf(objectOf(spec, 'template'), 'metadata'), 'labels');
    if (labels !== undefined && Object.keys(job.metadata.labels ?? {}).length === 0) {
      // The same map, until the job is prepared: what is then added to the template's is the job's, too.
      if (Object.keys(labels).length > 0) job.metadata.labels = labels as { [key: string]: string };
    }
  },
  'cronjobs.batch': (cronJob) => {
    const spec = objectIn(cronJob, 'spec');
    defaultZero(spec, 'concurrencyPolicy', 'Allow');
    defaultTo(spec, 'suspend', false);
    defaultTo(spec, 'successfulJobsHistoryLimit', 3);
    defaultTo(spec, 'failedJobsHistoryLimit', 1);
    // A Job's own defaults wait until one is made of the template; its pods' do not.
    const template = objectIn(spec, 'jobTemplate');
    defaultTo(template, 'metadata', {});
    defaultJobTemplateSpec(objectIn(template, 'spec'));
  },
  'horizontalpodautoscalers.autoscaling': (autoscaler, version) => {
    const spec = objectIn(autoscaler, 'spec');
    defaultTo(spec, 'minReplicas', 1);
    if (version !== 'v2') {
      const metrics = autoscaler.metadata.annotations?.[metricsAnnotation];
      if (metrics === undefined) defaultTo(spec, 'targetCPUUtilizationPercentage', defaultCpuUtilization);
      return;
    }
    if (!Array.isArray(spec['metrics']) || spec['metrics'].length === 0) {
      spec['metrics'] = [
        {
          type: 'Resource',
          resource: {
            name: 'cpu',
            target: { type: 'Utilization', averageUtilization: defaultCpuUtilization },
          },
        },
      ];
    }
    const behavior = objectOf(spec, 'behavior');
    if (behavior === undefined) return;
    behavior['scaleUp'] = scalingRules(behavior['scaleUp'], {
      stabilizationWindowSeconds: 0,
      selectPolicy: 'Max',
      policies: [
        { type: 'Pods', value: 4, periodSeconds: 15 },
        { type: 'Percent', value: 100, periodSeconds: 15 },
      ],
    });
    behavior['scaleDown'] = scalingRules(behavior['scaleDown'], {
      selectPolicy: 'Max',
      policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
    });
  },
};

function scalingRules(given: unknown, defaults: JsonObject): JsonObject {
  return isJsonObject(given) ? { ...defaults, ...given } : defaults;
}

function defaultStatefulSet(statefulSet: KubeObject): void {
  const spec = objectIn(statefulSet, 'spec');
  defaultZero(spec, 'podManagementPolicy', 'OrderedReady');
  const strategy = objectIn(spec, 'updateStrategy');
  if (strategy['type'] === undefined || strategy['type'] === '') {
    strategy['type'] = 'RollingUpdate';
    defaultTo(strategy, 'rollingUpdate', {});
  }
  const rolling = objectOf(strategy, 'rollingUpdate');
  if (strategy['type'] === 'RollingUpdate' && rolling !== undefined) {
    defaultTo(rolling, 'partition', 0);
  }
  const retention = objectIn(spec, 'persistentVolumeClaimRetentionPolicy');
  defaultZero(retention, 'whenDeleted', 'Retain');
  defaultZero(retention, 'whenScaled', 'Retain');
  defaultTo(spec, 'replicas', 1);
  defaultTo(spec, 'revisionHistoryLimit', 10);
  defaultTemplate(objectIn(spec, 'template'));
  for (const claim of objectsIn(spec, 'volumeClaimTemplates')) {
    claim['apiVersion'] = 'v1';
    claim['kind'] = 'PersistentVolumeClaim';
    defaultClaimSpec(objectIn(claim, 'spec'));
    defaultZero(objectIn(claim, 'status'), 'phase', 'Pending');
  }
}

function defaultJobSpec(spec: JsonObject): void {
  if (spec['completions'] === undefined && spec['parallelism'] === undefined) spec['completions'] = 1;
  defaultTo(spec, 'parallelism', 1);
  defaultTo(spec, 'backoffLimit', spec['backoffLimitPerIndex'] === undefined ? 6 : 2_147_483_647);
  defaultTo(spec, 'completionMode', 'NonIndexed');
  defaultTo(spec, 'suspend', false);
  defaultTo(
    spec,
    'podReplacementPolicy',
    spec['podFailurePolicy'] === undefined ? 'TerminatingOrFailed' : 'Failed',
  );
  defaultTo(spec, 'manualSelector', false);
  defaultJobTemplateSpec(spec);
}

function defaultJobTemplateSpec(spec: JsonObject): void {
  for (const rule of objectsIn(objectOf(spec, 'podFailurePolicy'), 'rules')) {
    for (const pattern of objectsIn(rule, 'onPodConditions')) defaultZero(pattern, 'status', 'True');
  }
  defaultTemplate(objectIn(spec, 'template'));
}
