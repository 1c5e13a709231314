/**
 * Field selectors beyond metadata.name and metadata.namespace (KUBERNETES.md L5), as label → dotted path in the storage
 * version. Values that are no plain path (`false` for an absent boolean, `0` for an absent count) come from the
 * strategy's `fields`. Source: AddFieldLabelConversionFunc in Kubernetes' pkg/apis, ToSelectableFields in pkg/registry.
 */
const paths = (...labels: string[]): ReadonlyMap<string, string> =>
  new Map(labels.map((label) => [label, label]));

const involvedObject = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

const selectable: { readonly [groupResource: string]: ReadonlyMap<string, string> } = {
  pods: paths(
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ),
  nodes: paths('spec.unschedulable'),
  namespaces: new Map([
    ['status.phase', 'status.phase'],
    ['name', 'metadata.name'],
  ]),
  secrets: paths('type'),
  services: paths('spec.clusterIP', 'spec.type'),
  replicationcontrollers: paths('status.replicas'),
  'replicasets.apps': paths('status.replicas'),
  'jobs.batch': new Map([['status.successful', 'status.succeeded']]),
  'certificatesigningrequests.certificates.k8s.io': paths('spec.signerName'),
  'clustertrustbundles.certificates.k8s.io': paths('spec.signerName'),
  'podcertificaterequests.certificates.k8s.io': paths('spec.signerName', 'spec.podName', 'spec.nodeName'),
  'resourceslices.resource.k8s.io': paths('spec.nodeName', 'spec.driver'),
  events: new Map([
    ...involvedObject.map((field) => [`involvedObject.${field}`, `involvedObject.${field}`] as const),
    ['reason', 'reason'],
    ['reportingComponent', 'reportingComponent'],
    ['source', 'source.component'],
    ['type', 'type'],
  ]),
  'events.events.k8s.io': new Map([
    ...involvedObject.map((field) => [`regarding.${field}`, `involvedObject.${field}`] as const),
    ['reason', 'reason'],
    ['reportingController', 'reportingComponent'],
    ['type', 'type'],
  ]),
};

const none: ReadonlyMap<string, string> = new Map();

export function selectableFieldsOf(group: string, resource: string): ReadonlyMap<string, string> {
  return selectable[group === '' ? resource : `${resource}.${group}`] ?? none;
}
