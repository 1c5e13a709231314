import type { JsonObject } from '#apimachinery/json.ts';
import { cloneJson, equalJson } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Strategy } from '#apimachinery/resource-definition.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import { newUid } from '#apimachinery/uid.ts';
import { statusAnnotations } from '../conversion/hpa-conversion.ts';
import { objectIn, objectOf, objectsIn } from '../defaults/defaulting.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import { podQos } from './pod-qos.ts';

/**
 * What each kind fills in or takes back before it is validated (source: PrepareForCreate and PrepareForUpdate of each
 * strategy in Kubernetes' pkg/registry). Status itself is kept apart by the registry (KUBERNETES.md C7).
 */
export type Prepare = Pick<Strategy, 'prepareForCreate' | 'completeNew' | 'renameNew' | 'prepareForUpdate'>;

export const prepares: { readonly [groupResource: string]: Prepare } = {
  namespaces: {
    prepareForCreate: (namespace) => {
      const spec = objectIn(namespace, 'spec');
      const finalizers = textsAt(spec, 'finalizers');
      if (!finalizers.includes('kubernetes')) spec['finalizers'] = [...finalizers, 'kubernetes'];
      namespace['status'] = { phase: 'Active' };
    },
    // Defaulting had no name yet where it was generated (namespaceStrategy.Canonicalize).
    completeNew: ({ metadata }) => {
      metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name ?? '' };
    },
    prepareForUpdate: (namespace, old, subresource) => {
      if (subresource === 'finalize') copyField(namespace, old, 'status');
      if (subresource === 'status') namespace['status'] ??= { phase: 'Active' };
      if (subresource !== '') return;
      copyField(objectIn(namespace, 'spec'), objectAt(old, 'spec'), 'finalizers');
    },
  },
  pods: {
    prepareForCreate: (pod) => {
      const status: JsonObject = { phase: 'Pending', qosClass: podQos(pod) };
      if (objectsAt(pod, 'spec', 'schedulingGates').length > 0) {
        status['conditions'] = [
          {
            type: 'PodScheduled',
            status: 'False',
            lastTransitionTime: nowTime(Date.now()),
            reason: 'SchedulingGated',
            message: 'Scheduling is blocked due to non-empty scheduling gates',
          },
        ];
      }
      pod['status'] = status;
      mergeLabelKeys(pod);
      const spec = objectOf(pod, 'spec');
      const grace = numberAt(spec, 'terminationGracePeriodSeconds');
      if (spec !== undefined && grace !== undefined && grace < 0) spec['terminationGracePeriodSeconds'] = 1;
    },
    prepareForUpdate: (pod, old, subresource) => {
      if (subresource === 'ephemeralcontainers') {
        const containers = valueAt(pod, 'spec', 'ephemeralContainers');
        restore(pod, old);
        const spec = objectIn(pod, 'spec');
        if (containers === undefined) delete spec['ephemeralContainers'];
        else spec['ephemeralContainers'] = containers;
      } else if (subresource === 'resize') {
        const given = objectAt(pod, 'spec') ?? {};
        restore(pod, old);
        takeResources(objectIn(pod, 'spec'), given);
      } else if (subresource === 'status') {
        const status = objectOf(pod, 'status');
        if (status !== undefined && textAt(status, 'qosClass') === '') {
          copyField(status, objectAt(old, 'status'), 'qosClass');
        }
        if (status !== undefined) dropGatedStatus(status, objectAt(old, 'status'));
      }
    },
  },
  nodes: { prepareForCreate: dropKubeletConfig, prepareForUpdate: dropKubeletConfig },
  services: { prepareForUpdate: dropWhatTheTypeNoLongerHas },
  serviceaccounts: { prepareForCreate: keepSecretNames, prepareForUpdate: keepSecretNames },
  limitranges: {
    // The one kind that may be made without any name (limitrangeStrategy.PrepareForCreate).
    prepareForCreate: ({ metadata }) => {
      if (metadata.name === undefined && metadata.generateName === undefined) metadata.name = newUid();
    },
  },
  secrets: {
    prepareForUpdate: (secret, old) => {
      if (textAt(secret, 'type') === '') copyField(secret, old, 'type');
    },
  },
  persistentvolumes: {
    prepareForCreate: (volume) => {
      volume['status'] = { phase: 'Pending', lastPhaseTransitionTime: nowTime(Date.now()) };
    },
    prepareForUpdate: (volume, old, subresource) => {
      if (subresource !== 'status') return;
      // Of a status that says nothing the phase is the default (SetDefaults_PersistentVolume).
      const status = objectIn(volume, 'status');
      status['phase'] ??= 'Pending';
      const before = valueAt(old, 'status', 'lastPhaseTransitionTime');
      // Who tells of another time knows it.
      const isTold = (status['lastPhaseTransitionTime'] ?? before) !== before;
      if (isTold) return;
      const isOther = textAt(status, 'phase') !== textAt(old, 'status', 'phase');
      const time = isOther ? nowTime(Date.now()) : before;
      if (time !== undefined) status['lastPhaseTransitionTime'] = time;
    },
  },
  persistentvolumeclaims: {
    prepareForCreate: (claim) => {
      claim['status'] = { phase: 'Pending' };
      dropForeignSource(claim, undefined);
      normalizeDataSource(objectIn(claim, 'spec'), undefined);
    },
    prepareForUpdate: (claim, old, subresource) => {
      // Of a status that says nothing the phase is the default (SetDefaults_PersistentVolumeClaim).
      if (subresource === 'status') objectIn(claim, 'status')['phase'] ??= 'Pending';
      if (subresource !== '') return;
      dropForeignSource(claim, old);
      normalizeDataSource(objectIn(claim, 'spec'), objectAt(old, 'spec'));
    },
  },
  'daemonsets.apps': {
    prepareForCreate: (set) => setTemplateGeneration(set, Math.max(1, templateGenerationOf(set))),
    prepareForUpdate: (set, old, subresource) => {
      const before = templateGenerationOf(old);
      if (subresource === 'status') {
        if (before > 0) setTemplateGeneration(set, before);
        return;
      }
      const isSame = equalJson(valueAt(set, 'spec', 'template'), valueAt(old, 'spec', 'template'));
      if (!isSame) setTemplateGeneration(set, before + 1);
      else if (before > 0) setTemplateGeneration(set, before);
    },
  },
  'horizontalpodautoscalers.autoscaling': {
    prepareForCreate: (autoscaler) => keepStatusAnnotations(autoscaler, undefined),
    prepareForUpdate: (autoscaler, old, subresource) => {
      if (subresource !== 'status') keepStatusAnnotations(autoscaler, old);
    },
  },
  'jobs.batch': {
    prepareForCreate: generateJobSelector,
    completeNew: takeTemplateLabels,
    renameNew: renameJobLabels,
    prepareForUpdate: takeTemplateLabels,
  },
  'statefulsets.apps': withoutDisabled(['spec.updateStrategy.rollingUpdate.maxUnavailable']),
  'csidrivers.storage.k8s.io': withoutDisabled(['spec.preventPodSchedulingIfMissing']),
  'leases.coordination.k8s.io': withoutDisabled(['spec.strategy', 'spec.preferredHolder']),
  'endpointslices.discovery.k8s.io': {
    prepareForCreate: (slice) => {
      for (const endpoint of objectsIn(slice, 'endpoints')) delete endpoint['deprecatedTopology'];
    },
    prepareForUpdate: (slice, old) => {
      if (equalJson(slice['endpoints'], old['endpoints'])) return;
      for (const endpoint of objectsIn(slice, 'endpoints')) delete endpoint['deprecatedTopology'];
    },
  },
  'certificatesigningrequests.certificates.k8s.io': {
    // Who asks is filled in by admission, from the request's user: here it is only taken from whoever claims it.
    prepareForCreate: (request) => {
      const spec = objectIn(request, 'spec');
      for (const field of ['username', 'uid', 'groups', 'extra']) delete spec[field];
    },
    prepareForUpdate: prepareSigningRequest,
  },
};

const statusLists = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const;

/**
 * What gates that are off by default hide of a pod's status, unless it is in use: DRANodeAllocatableResources,
 * ImageVolumeWithDigest (dropDisabledPodStatusFields of pkg/api/pod).
 */
function dropGatedStatus(status: JsonObject, old: JsonObject | undefined): void {
  if (objectsAt(old, 'nodeAllocatableResourceClaimStatuses').length === 0)
    delete status['nodeAllocatableResourceClaimStatuses'];
  const mountsOf = (one: JsonObject | undefined) =>
    statusLists.flatMap((list) => objectsAt(one, list).flatMap((each) => objectsAt(each, 'volumeMounts')));
  if (mountsOf(old).some((mount) => mount['volumeStatus'] !== undefined)) return;
  for (const mount of mountsOf(status)) delete mount['volumeStatus'];
}

/** Of a feature that is gone (dropDisabledFields of nodeStrategy). */
function dropKubeletConfig(node: KubeObject): void {
  const status = objectOf(node, 'status');
  if (status !== undefined) delete status['config'];
  const spec = objectOf(node, 'spec');
  if (spec !== undefined) delete spec['configSource'];
}

/** How often a DaemonSet's template changed: a field of old, which lives on in an annotation that nobody else writes. */
const templateGeneration = 'deprecated.daemonset.template.generation';

function templateGenerationOf({ metadata }: KubeObject): number {
  const count = Number(metadata.annotations?.[templateGeneration] ?? 0);
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}

function setTemplateGeneration({ metadata }: KubeObject, generation: number): void {
  metadata.annotations = { ...metadata.annotations, [templateGeneration]: String(generation) };
}

/** A v1 autoscaler's status is partly in annotations, which only who writes its status writes (hpaStrategy). */
function keepStatusAnnotations(autoscaler: KubeObject, old: KubeObject | undefined): void {
  if (autoscaler.apiVersion !== 'autoscaling/v1') return;
  const { metadata } = autoscaler;
  const annotations = { ...metadata.annotations };
  for (const key of statusAnnotations) {
    const before = old?.metadata.annotations?.[key];
    if (before === undefined) delete annotations[key];
    else annotations[key] = before;
  }
  if (Object.keys(annotations).length === 0) delete metadata.annotations;
  else metadata.annotations = annotations;
}

function copyField(into: JsonObject, from: JsonObject | undefined, field: string): void {
  const value = from?.[field];
  if (value === undefined) delete into[field];
  else into[field] = cloneJson(value);
}

/** Makes everything but metadata as it was. */
function restore(object: KubeObject, old: KubeObject): void {
  for (const key in object) if (key !== 'metadata') delete object[key];
  for (const key in old) if (key !== 'metadata') object[key] = cloneJson(old[key]!);
}

/**
 * A resize changes resources and resize policies of containers, and resources of the pod. Containers that come, go or
 * change places are left to validation, which refuses them (dropNonResizeUpdates).
 */
function takeResources(spec: JsonObject, given: JsonObject): void {
  for (const list of ['containers', 'initContainers']) {
    const wanted = objectsAt(given, list);
    const standing = objectsIn(spec, list);
    const isSame = (one: JsonObject, i: number) => textAt(one, 'name') === textAt(standing[i] ?? {}, 'name');
    if (wanted.length !== standing.length || !wanted.every(isSame)) {
      copyField(spec, given, list);
      continue;
    }
    standing.forEach((container, i) => {
      const one = wanted[i] ?? {};
      copyField(container, one, 'resources');
      copyField(container, one, 'resizePolicy');
    });
  }
  copyField(spec, given, 'resources');
}

/** matchLabelKeys become requirements of the selector, with the pod's own values (KEP-3243, KEP-3633). */
function mergeLabelKeys(pod: KubeObject): void {
  const labels = pod.metadata.labels ?? {};
  const affinity = objectAt(pod, 'spec', 'affinity');
  for (const kind of ['podAffinity', 'podAntiAffinity']) {
    const terms = [
      ...objectsAt(affinity, kind, 'requiredDuringSchedulingIgnoredDuringExecution'),
      ...objectsAt(affinity, kind, 'preferredDuringSchedulingIgnoredDuringExecution').map(
        (one) => objectAt(one, 'podAffinityTerm') ?? {},
      ),
    ];
    for (const term of terms) {
      addRequirements(term, 'matchLabelKeys', 'In', labels);
      addRequirements(term, 'mismatchLabelKeys', 'NotIn', labels);
    }
  }
  for (const constraint of objectsAt(pod, 'spec', 'topologySpreadConstraints')) {
    addRequirements(constraint, 'matchLabelKeys', 'In', labels);
  }
}

function addRequirements(
  term: JsonObject,
  keysField: string,
  operator: 'In' | 'NotIn',
  labels: { readonly [key: string]: string },
): void {
  const selector = objectOf(term, 'labelSelector');
  if (selector === undefined) return;
  for (const key of textsAt(term, keysField)) {
    const value = labels[key];
    if (value === undefined) continue;
    const requirement: JsonObject = { key, operator, values: [value] };
    const expressions = selector['matchExpressions'];
    if (Array.isArray(expressions)) expressions.push(requirement);
    else selector['matchExpressions'] = [requirement];
  }
}

function keepSecretNames(account: KubeObject): void {
  if (!Array.isArray(account['secrets'])) return;
  account['secrets'] = objectsAt(account, 'secrets').map((secret): JsonObject => {
    const name = textAt(secret, 'name');
    return name === '' ? {} : { name };
  });
}

/** Fields that the new type does not have go, when the user did not touch them (dropTypeDependentFields). */
function dropWhatTheTypeNoLongerHas(service: KubeObject, old: KubeObject, subresource: string): void {
  if (subresource !== '') return;
  const spec = objectIn(service, 'spec');
  const before = objectAt(old, 'spec') ?? {};
  const dropWhen = (field: string, applies: (spec: JsonObject) => boolean) => {
    if (applies(before) && !applies(spec) && equalJson(spec[field], before[field])) delete spec[field];
  };
  const isBalanced = (one: JsonObject) => textAt(one, 'type') === 'LoadBalancer';
  dropWhen('allocateLoadBalancerNodePorts', isBalanced);
  dropWhen('loadBalancerClass', isBalanced);
  dropWhen('externalTrafficPolicy', isExternallyReachable);
  if (!isBalanced(spec) && objectAt(service, 'status', 'loadBalancer') !== undefined) {
    service['status'] = { ...objectAt(service, 'status'), loadBalancer: {} };
  }
}

/** Whether a Service has addresses outside the cluster, so that externalTrafficPolicy means something. */
export function isExternallyReachable(spec: JsonObject): boolean {
  const type = textAt(spec, 'type');
  if (type === 'LoadBalancer' || type === 'NodePort') return true;
  return type === 'ClusterIP' && textsAt(spec, 'externalIPs').length > 0;
}

/**
 * Fields whose feature gate is off by default are dropped, unless the object had one already (dropDisabledFields of the
 * strategies).
 */
function withoutDisabled(paths: readonly string[]): Prepare {
  const dropUnused = (object: KubeObject, old: KubeObject | undefined) => {
    for (const path of paths) {
      const fields = path.split('.');
      const last = fields.pop()!;
      const holderIn = (one: JsonObject | undefined) =>
        fields.reduce<JsonObject | undefined>((at, field) => objectOf(at, field), one);
      const holder = holderIn(object);
      if (holder?.[last] !== undefined && holderIn(old)?.[last] === undefined) delete holder[last];
    }
  };
  return {
    prepareForCreate: (object) => dropUnused(object, undefined),
    prepareForUpdate: (object, old, subresource) => {
      if (subresource === '') dropUnused(object, old);
    },
  };
}

/** A source in another namespace is behind a gate that is off (CrossNamespaceVolumeDataSource). */
function dropForeignSource(claim: KubeObject, old: KubeObject | undefined): void {
  const spec = objectOf(claim, 'spec');
  if (textAt(spec, 'dataSourceRef', 'namespace') === '') return;
  if (objectAt(old, 'spec', 'dataSourceRef') === undefined) delete spec?.['dataSourceRef'];
}

/** dataSource and dataSourceRef say the same; a dataSource that is neither claim nor snapshot is dropped (KEP-1495). */
function normalizeDataSource(spec: JsonObject, old: JsonObject | undefined): void {
  const source = objectOf(spec, 'dataSource');
  const reference = objectOf(spec, 'dataSourceRef');
  const usedBefore =
    old !== undefined && (old['dataSource'] !== undefined || old['dataSourceRef'] !== undefined);
  if (source !== undefined && reference === undefined && !usedBefore) {
    const group = textAt(source, 'apiGroup');
    const kind = textAt(source, 'kind');
    const isClaim = kind === 'PersistentVolumeClaim' && group === '';
    if (!isClaim && !(kind === 'VolumeSnapshot' && group === 'snapshot.storage.k8s.io'))
      delete spec['dataSource'];
  }
  const kept = objectOf(spec, 'dataSource');
  if (kept !== undefined && reference === undefined) spec['dataSourceRef'] = { ...kept };
  else if (kept === undefined && reference !== undefined && textAt(reference, 'namespace') === '') {
    const { namespace: _none, ...local } = reference;
    spec['dataSource'] = local;
  }
}

const jobNameLabels = ['job-name', 'batch.kubernetes.io/job-name'];
const controllerUidLabels = ['controller-uid', 'batch.kubernetes.io/controller-uid'];

/** Pods of a Job are told apart by its uid, unless the user selects by hand (generateSelector). */
function generateJobSelector(job: KubeObject): void {
  const spec = objectIn(job, 'spec');
  const isShared = unshareLabels(job);
  if (spec['manualSelector'] === true) return;
  const uid = job.metadata.uid ?? '';
  const labels = objectIn(objectIn(objectIn(spec, 'template'), 'metadata'), 'labels');
  for (const label of jobNameLabels) labels[label] ??= job.metadata.name ?? '';
  for (const label of controllerUidLabels) labels[label] ??= uid;
  const matchLabels = objectIn(objectIn(spec, 'selector'), 'matchLabels');
  matchLabels['batch.kubernetes.io/controller-uid'] ??= uid;
  // In Kubernetes they are one map, where defaulting gave the Job those of its template.
  if (isShared) job.metadata.labels = { ...(labels as { [key: string]: string }) };
}

function renameJobLabels(job: KubeObject, former: string): void {
  const ofPods = objectAt(job, 'spec', 'template', 'metadata', 'labels');
  for (const labels of [job.metadata.labels, ofPods] as (JsonObject | undefined)[]) {
    for (const label of jobNameLabels)
      if (labels?.[label] === former) labels[label] = job.metadata.name ?? '';
  }
}

/** A Job that defaulting gave its template's labels gets labels of its own. Returns whether it had them so. */
function unshareLabels(job: KubeObject): boolean {
  const { labels } = job.metadata;
  if (labels === undefined || labels !== objectAt(job, 'spec', 'template', 'metadata')?.['labels'])
    return false;
  job.metadata.labels = { ...labels };
  return true;
}

/**
 * A Job without labels has its template's, also those that were generated, and whoever took its own away (SetDefaults_Job, when
 * it is read): nobody looks at them when it is made.
 */
function takeTemplateLabels(job: KubeObject): void {
  if (unshareLabels(job) || Object.keys(job.metadata.labels ?? {}).length > 0) return;
  const labels = objectAt(job, 'spec', 'template', 'metadata', 'labels');
  if (labels !== undefined) job.metadata.labels = { ...(labels as { [key: string]: string }) };
}

/** `/approval` writes conditions, `/status` all but the approval's conditions; the spec never changes. */
function prepareSigningRequest(request: KubeObject, old: KubeObject, subresource: string): void {
  copyField(request, old, 'spec');
  if (subresource === '') {
    copyField(request, old, 'status');
    return;
  }
  const conditions = objectsIn(objectOf(request, 'status'), 'conditions');
  const before = objectsAt(old, 'status', 'conditions');
  if (subresource === 'approval') {
    const wanted = valueAt(request, 'status', 'conditions');
    copyField(request, old, 'status');
    const status = objectIn(request, 'status');
    if (wanted === undefined) delete status['conditions'];
    else status['conditions'] = wanted;
  } else {
    for (const type of ['Approved', 'Denied']) preserveConditions(conditions, before, type);
  }
  const now = nowTime(Date.now());
  for (const condition of conditions) {
    condition['lastUpdateTime'] ??= now;
    if (condition['lastTransitionTime'] !== undefined) continue;
    const same = before.find(
      (one) => one['type'] === condition['type'] && one['status'] === condition['status'],
    );
    condition['lastTransitionTime'] = same?.['lastTransitionTime'] ?? now;
  }
}

function preserveConditions(conditions: JsonObject[], before: readonly JsonObject[], type: string): void {
  const now = conditions.filter((one) => one['type'] === type);
  const then = before.filter((one) => one['type'] === type);
  if (now.length !== then.length) return; // validation refuses
  now.forEach((condition, i) => {
    for (const key in condition) delete condition[key];
    Object.assign(condition, cloneJson(then[i]!));
  });
}
