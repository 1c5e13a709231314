import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Column } from '#apimachinery/resource-definition.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import {
  age,
  column,
  createdAt,
  formatLabels,
  formatSelector,
  listWithMore,
  name,
  nameColumn,
  selectorText,
  textColumn,
  textOr,
  wideColumn,
} from './column.ts';
import { loadBalancerAddresses } from './core-columns.ts';
import { ageOf, humanDuration } from './human-duration.ts';

const countOf = (title: string, ...path: string[]): Column =>
  column(title, (object) => objectsAt(object, ...path).length, 'integer');

const booleanOr = (title: string, otherwise: boolean, ...path: string[]): Column =>
  column(title, (object) => booleanAt(object, ...path) ?? otherwise, 'boolean');

const withDefaultMark = (...annotations: string[]): Column =>
  nameColumn((object) =>
    annotations.some((one) => object.metadata.annotations?.[one] === 'true')
      ? `${object.metadata.name} (default)`
      : (object.metadata.name ?? ''),
  );

const roleBindingColumns: readonly Column[] = [
  name,
  column('Role', (object) => `${textAt(object, 'roleRef', 'kind')}/${textAt(object, 'roleRef', 'name')}`),
  age,
  wideColumn('Users', (object) => subjects(object, 'User')),
  wideColumn('Groups', (object) => subjects(object, 'Group')),
  wideColumn('ServiceAccounts', (object) => subjects(object, 'ServiceAccount')),
];

const policyColumns = (counted: string, field: string): readonly Column[] => [
  name,
  countOf(counted, 'spec', field),
  column('ParamKind', (object) => {
    const kind = objectAt(object, 'spec', 'paramKind');
    return kind === undefined ? '<unset>' : `${textAt(kind, 'apiVersion')}/${textAt(kind, 'kind')}`;
  }),
  age,
];

const policyBindingColumns: readonly Column[] = [
  name,
  textColumn('PolicyName', 'spec', 'policyName'),
  column('ParamRef', (object) => {
    const ref = objectAt(object, 'spec', 'paramRef');
    if (ref === undefined) return '<unset>';
    const refName = textAt(ref, 'name');
    if (refName !== '') return `${textOr(textAt(ref, 'namespace'), '*')}/${refName}`;
    const selector = objectAt(ref, 'selector');
    return selector === undefined ? '<unset>' : selectorText(selector);
  }),
  age,
];

const webhookColumns: readonly Column[] = [name, countOf('Webhooks', 'webhooks'), age];

/** Columns of all further groups (source: Kubernetes' pkg/printers/internalversion/printers.go). */
export const otherColumns: { readonly [groupResource: string]: readonly Column[] } = {
  'ingresses.networking.k8s.io': [
    name,
    column('Class', (object) => textOr(textAt(object, 'spec', 'ingressClassName'), '<none>')),
    column('Hosts', ingressHosts),
    column('Address', loadBalancerAddresses),
    column('Ports', (object) => (objectsAt(object, 'spec', 'tls').length > 0 ? '80, 443' : '80')),
    age,
  ],
  'ingressclasses.networking.k8s.io': [
    withDefaultMark('ingressclass.kubernetes.io/is-default-class'),
    textColumn('Controller', 'spec', 'controller'),
    column('Parameters', (object) => {
      const parameters = objectAt(object, 'spec', 'parameters');
      if (parameters === undefined) return '<none>';
      const group = valueAt(parameters, 'apiGroup');
      const kind = textAt(parameters, 'kind');
      return `${typeof group === 'string' ? `${kind}.${group}` : kind}/${textAt(parameters, 'name')}`;
    }),
    age,
  ],
  'networkpolicies.networking.k8s.io': [
    name,
    column('Pod-Selector', (object) => formatSelector(objectAt(object, 'spec', 'podSelector'))),
    age,
  ],
  'servicecidrs.networking.k8s.io': [
    name,
    column('CIDRs', (object) => textsAt(object, 'spec', 'cidrs').join(',')),
    age,
  ],
  'ipaddresses.networking.k8s.io': [name, column('ParentRef', parentRef)],
  'endpointslices.discovery.k8s.io': [
    name,
    textColumn('AddressType', 'addressType'),
    column('Ports', (object) =>
      listWithMore(
        objectsAt(object, 'ports').map((port) =>
          String(numberAt(port, 'port') ?? valueAt(port, 'name') ?? '*'),
        ),
        3,
      ),
    ),
    column('Endpoints', (object) =>
      listWithMore(
        objectsAt(object, 'endpoints').flatMap((endpoint) => [...textsAt(endpoint, 'addresses')]),
        3,
      ),
    ),
    age,
  ],
  'rolebindings.rbac.authorization.k8s.io': roleBindingColumns,
  'clusterrolebindings.rbac.authorization.k8s.io': roleBindingColumns,
  'certificatesigningrequests.certificates.k8s.io': [
    name,
    age,
    column('SignerName', (object) => textOr(textAt(object, 'spec', 'signerName'), '<none>')),
    textColumn('Requestor', 'spec', 'username'),
    column('RequestedDuration', (object) => {
      const seconds = numberAt(object, 'spec', 'expirationSeconds');
      return seconds === undefined ? '<none>' : humanDuration(seconds * 1000);
    }),
    column('Condition', csrCondition),
  ],
  'clustertrustbundles.certificates.k8s.io': [
    name,
    column('SignerName', (object) => textOr(textAt(object, 'spec', 'signerName'), '<none>')),
  ],
  'podcertificaterequests.certificates.k8s.io': [
    name,
    textColumn('PodName', 'spec', 'podName'),
    textColumn('ServiceAccountName', 'spec', 'serviceAccountName'),
    textColumn('NodeName', 'spec', 'nodeName'),
    textColumn('SignerName', 'spec', 'signerName'),
    column('State', (object) => lastConditionOf(object, ['Issued', 'Denied', 'Failed']) ?? 'Pending'),
    wideColumn('UnverifiedUserAnnotations', (object) =>
      formatLabels(valueAt(object, 'spec', 'unverifiedUserAnnotations')),
    ),
  ],
  'leases.coordination.k8s.io': [name, textColumn('Holder', 'spec', 'holderIdentity'), age],
  'leasecandidates.coordination.k8s.io': [
    name,
    textColumn('LeaseName', 'spec', 'leaseName'),
    textColumn('BinaryVersion', 'spec', 'binaryVersion'),
    textColumn('EmulationVersion', 'spec', 'emulationVersion'),
    age,
  ],
  'storageclasses.storage.k8s.io': [
    withDefaultMark(
      'storageclass.kubernetes.io/is-default-class',
      'storageclass.beta.kubernetes.io/is-default-class',
    ),
    textColumn('Provisioner', 'provisioner'),
    column('ReclaimPolicy', (object) => textOr(textAt(object, 'reclaimPolicy'), 'Delete')),
    column('VolumeBindingMode', (object) => textOr(textAt(object, 'volumeBindingMode'), 'Immediate')),
    column('AllowVolumeExpansion', (object) => booleanAt(object, 'allowVolumeExpansion') ?? false),
    age,
  ],
  'volumeattributesclasses.storage.k8s.io': [name, textColumn('DriverName', 'driverName'), age],
  'volumeattachments.storage.k8s.io': [
    name,
    { ...textColumn('Attacher', 'spec', 'attacher'), format: 'name' },
    textColumn('PV', 'spec', 'source', 'persistentVolumeName'),
    textColumn('Node', 'spec', 'nodeName'),
    booleanOr('Attached', false, 'status', 'attached'),
    age,
  ],
  'csinodes.storage.k8s.io': [name, countOf('Drivers', 'spec', 'drivers'), age],
  'csidrivers.storage.k8s.io': [
    name,
    booleanOr('AttachRequired', true, 'spec', 'attachRequired'),
    booleanOr('PodInfoOnMount', false, 'spec', 'podInfoOnMount'),
    booleanOr('StorageCapacity', false, 'spec', 'storageCapacity'),
    column('TokenRequests', (object) =>
      valueAt(object, 'spec', 'tokenRequests') === undefined
        ? '<unset>'
        : objectsAt(object, 'spec', 'tokenRequests')
            .map((one) => textAt(one, 'audience'))
            .join(','),
    ),
    booleanOr('RequiresRepublish', false, 'spec', 'requiresRepublish'),
    column('Modes', (object) => textOr(textsAt(object, 'spec', 'volumeLifecycleModes').join(','), '<none>')),
    age,
  ],
  'csistoragecapacities.storage.k8s.io': [name, createdAt],
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': webhookColumns,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': webhookColumns,
  'validatingadmissionpolicies.admissionregistration.k8s.io': policyColumns('Validations', 'validations'),
  'mutatingadmissionpolicies.admissionregistration.k8s.io': policyColumns('Mutations', 'mutations'),
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': policyBindingColumns,
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': policyBindingColumns,
  'flowschemas.flowcontrol.apiserver.k8s.io': [
    name,
    textColumn('PriorityLevel', 'spec', 'priorityLevelConfiguration', 'name'),
    column('MatchingPrecedence', (object) => numberAt(object, 'spec', 'matchingPrecedence') ?? 0),
    column('DistinguisherMethod', (object) =>
      textOr(textAt(object, 'spec', 'distinguisherMethod', 'type'), '<none>'),
    ),
    age,
    column('MissingPL', (object) =>
      textOr(
        textAt(
          objectsAt(object, 'status', 'conditions').find((one) => one['type'] === 'Dangling'),
          'status',
        ),
        '?',
      ),
    ),
  ],
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': [
    name,
    textColumn('Type', 'spec', 'type'),
    column('NominalConcurrencyShares', (object) =>
      limited(valueAt(object, 'spec', 'limited', 'nominalConcurrencyShares')),
    ),
    ...(['Queues', 'HandSize', 'QueueLengthLimit'] as const).map((title) =>
      column(title, (object) =>
        limited(
          valueAt(
            valueAt(object, 'spec', 'limited', 'limitResponse', 'queuing'),
            title[0]!.toLowerCase() + title.slice(1),
          ),
        ),
      ),
    ),
    age,
  ],
  'priorityclasses.scheduling.k8s.io': [
    name,
    column('Value', (object) => numberAt(object, 'value') ?? 0, 'integer'),
    booleanOr('Global-Default', false, 'globalDefault'),
    age,
    column('PreemptionPolicy', (object) => textAt(object, 'preemptionPolicy')),
  ],
  'workloads.scheduling.k8s.io': [name, age],
  'podgroups.scheduling.k8s.io': [
    name,
    column('Policy', (object) =>
      objectAt(object, 'spec', 'schedulingPolicy', 'gang') === undefined ? 'Basic' : 'Gang',
    ),
    column('Workload', (object) => {
      const ref = objectAt(object, 'spec', 'podGroupTemplateRef');
      return ref === undefined ? '<none>' : textAt(ref, 'workload', 'workloadName');
    }),
    column('Status', podGroupStatus),
    age,
  ],
  'runtimeclasses.node.k8s.io': [name, textColumn('Handler', 'handler'), age],
  'apiservices.apiregistration.k8s.io': [
    name,
    column('Service', (object) => {
      const service = objectAt(object, 'spec', 'service');
      return service === undefined ? 'Local' : `${textAt(service, 'namespace')}/${textAt(service, 'name')}`;
    }),
    column('Available', (object) => {
      const available = objectsAt(object, 'status', 'conditions').find((one) => one['type'] === 'Available');
      if (available === undefined) return 'Unknown';
      const status = textAt(available, 'status');
      const reason = textAt(available, 'reason');
      return status === 'True' || reason === '' ? status : `${status} (${reason})`;
    }),
    age,
  ],
  'storageversions.internal.apiserver.k8s.io': [
    name,
    column('CommonEncodingVersion', (object) =>
      textOr(textAt(object, 'status', 'commonEncodingVersion'), '<unset>'),
    ),
    column('StorageVersions', (object) =>
      listWithMore(
        objectsAt(object, 'status', 'storageVersions').map(
          (one) => `${textAt(one, 'apiServerID')}=${textAt(one, 'encodingVersion')}`,
        ),
        3,
      ),
    ),
    age,
  ],
  'storageversionmigrations.storagemigration.k8s.io': [
    name,
    column('Resource', (object) => {
      const group = textAt(object, 'spec', 'resource', 'group');
      const resource = textAt(object, 'spec', 'resource', 'resource');
      return group === '' ? resource : `${resource}.${group}`;
    }),
    column(
      'Status',
      (object) => lastConditionOf(object, ['Running', 'Failed', 'Succeeded'], true) ?? 'Unknown',
    ),
  ],
  'deviceclasses.resource.k8s.io': [name, age],
  'resourceclaimtemplates.resource.k8s.io': [name, age],
  'resourceclaims.resource.k8s.io': [name, column('State', claimState), age],
  'resourceslices.resource.k8s.io': [
    name,
    textColumn('Node', 'spec', 'nodeName'),
    textColumn('Driver', 'spec', 'driver'),
    textColumn('Pool', 'spec', 'pool', 'name'),
    age,
  ],
  'devicetaintrules.resource.k8s.io': [
    name,
    textColumn('Key', 'spec', 'taint', 'key'),
    textColumn('Value', 'spec', 'taint', 'value'),
    textColumn('Effect', 'spec', 'taint', 'effect'),
    column('TimeAdded', (object, now) => {
      const added = textAt(object, 'spec', 'taint', 'timeAdded');
      return added === '' ? '' : ageOf(added, now);
    }),
    age,
  ],
  'resourcepoolstatusrequests.resource.k8s.io': [
    name,
    textColumn('Driver', 'spec', 'driver'),
    ...(['Total', 'Available', 'Allocated', 'Unavailable'] as const).map((title) =>
      column(title, (object) => poolSum(object, `${title.toLowerCase()}Devices`)),
    ),
    column('Errors', (object) =>
      poolsCounted(object)
        ? String(
            objectsAt(object, 'status', 'pools').filter((pool) => pool['validationError'] !== undefined)
              .length,
          )
        : '-',
    ),
    column('Pools', (object) => numberAt(object, 'status', 'poolCount') ?? 0, 'integer'),
    column('Status', poolStatus),
    column('Completed', (object, now) => {
      const complete = trueCondition(object, 'Complete');
      return complete === undefined ? '<none>' : ageOf(textAt(complete, 'lastTransitionTime'), now);
    }),
  ],
};

function limited(value: JsonValue | undefined): JsonValue {
  return value === undefined ? '<none>' : value;
}

function subjects(binding: KubeObject, kind: string): string {
  return objectsAt(binding, 'subjects')
    .filter((one) => one['kind'] === kind)
    .map((one) =>
      kind === 'ServiceAccount' ? `${textAt(one, 'namespace')}/${textAt(one, 'name')}` : textAt(one, 'name'),
    )
    .join(', ');
}

function ingressHosts(ingress: KubeObject): string {
  const max = 3;
  const rules = objectsAt(ingress, 'spec', 'rules');
  const hosts: string[] = [];
  let more = false;
  for (const rule of rules) {
    if (hosts.length === max) more = true;
    const host = textAt(rule, 'host');
    if (!more && host !== '') hosts.push(host);
  }
  if (hosts.length === 0) return '*';
  return more ? `${hosts.join(',')} + ${rules.length - max} more...` : hosts.join(',');
}

function parentRef(address: KubeObject): string {
  const ref = objectAt(address, 'spec', 'parentRef');
  if (ref === undefined) return '<none>';
  const group = textAt(ref, 'group');
  const resource = textAt(ref, 'resource');
  const namespace = textAt(ref, 'namespace');
  const kind = (group === '' ? resource : `${resource}.${group}`).toLowerCase();
  return `${kind}${namespace === '' ? '' : `/${namespace}`}/${textAt(ref, 'name')}`;
}

function csrCondition(csr: KubeObject): string {
  const has = (type: string) => objectsAt(csr, 'status', 'conditions').some((one) => one['type'] === type);
  let status = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending';
  if (has('Failed')) status += ',Failed';
  if (textAt(csr, 'status', 'certificate') !== '') status += ',Issued';
  return status;
}

function lastConditionOf(
  object: KubeObject,
  types: readonly string[],
  mustBeTrue = false,
): string | undefined {
  return objectsAt(object, 'status', 'conditions')
    .filter((one) => !mustBeTrue || one['status'] === 'True')
    .map((one) => textAt(one, 'type'))
    .findLast((type) => types.includes(type));
}

function podGroupStatus(group: KubeObject): string {
  const conditions = objectsAt(group, 'status', 'conditions');
  const disrupted = conditions.findLast((one) => one['type'] === 'DisruptionTarget');
  if (disrupted !== undefined) return textAt(disrupted, 'reason');
  const scheduled = conditions.findLast((one) => one['type'] === 'PodGroupScheduled');
  if (scheduled === undefined) return 'Pending';
  return scheduled['status'] === 'True' ? 'Scheduled' : 'Unschedulable';
}

function claimState(claim: KubeObject): string {
  const states: string[] = [];
  const deleted = claim.metadata.deletionTimestamp !== undefined;
  if (deleted) states.push('deleted');
  if (objectAt(claim, 'status', 'allocation') === undefined) {
    if (!deleted) states.push('pending');
  } else {
    states.push('allocated');
    if (objectsAt(claim, 'status', 'reservedFor').length > 0) states.push('reserved');
  }
  return states.join(',');
}

function trueCondition(object: KubeObject, type: string): JsonObject | undefined {
  return objectsAt(object, 'status', 'conditions').find(
    (one) => one['type'] === type && one['status'] === 'True',
  );
}

function poolsCounted(request: KubeObject): boolean {
  return objectAt(request, 'status') !== undefined && trueCondition(request, 'Failed') === undefined;
}

function poolSum(request: KubeObject, field: string): string {
  if (!poolsCounted(request)) return '-';
  return String(
    objectsAt(request, 'status', 'pools').reduce((sum, pool) => sum + (numberAt(pool, field) ?? 0), 0),
  );
}

function poolStatus(request: KubeObject): string {
  if (trueCondition(request, 'Complete') !== undefined) {
    const shown = objectsAt(request, 'status', 'pools').length;
    const count = numberAt(request, 'status', 'poolCount') ?? 0;
    return count > shown ? `Complete (${shown}/${count} pools)` : 'Complete';
  }
  return trueCondition(request, 'Failed') === undefined ? 'Pending' : 'Failed';
}
