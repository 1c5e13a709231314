import type { JsonValue } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Column } from '#apimachinery/resource-definition.ts';
import { booleanAt, numberAt, objectAt, objectsAt, textAt, textsAt, valueAt } from '../read.ts';
import {
  age,
  column,
  containerColumns,
  formatLabels,
  name,
  nameColumn,
  textColumn,
  textOr,
  wideColumn,
} from './column.ts';
import { ageOf } from './human-duration.ts';
import { podColumns } from './pod-columns.ts';

const keysAt = (object: KubeObject, field: string): number =>
  Object.keys(objectAt(object, field) ?? {}).length;

/** Columns of the core group's kinds (source: Kubernetes' pkg/printers/internalversion/printers.go). */
export const coreColumns: { readonly [resource: string]: readonly Column[] } = {
  pods: podColumns,
  podtemplates: [
    name,
    ...containerColumns('template', 'spec').map((one) => ({ ...one, priority: 0 })),
    column('Pod Labels', (object) => formatLabels(valueAt(object, 'template', 'metadata', 'labels'))),
  ],
  replicationcontrollers: [
    name,
    column('Desired', (object) => numberAt(object, 'spec', 'replicas') ?? 0, 'integer'),
    column('Current', (object) => numberAt(object, 'status', 'replicas') ?? 0, 'integer'),
    column('Ready', (object) => numberAt(object, 'status', 'readyReplicas') ?? 0, 'integer'),
    age,
    ...containerColumns('spec', 'template', 'spec'),
    wideColumn('Selector', (object) => formatLabels(valueAt(object, 'spec', 'selector'))),
  ],
  services: [
    name,
    textColumn('Type', 'spec', 'type'),
    column('Cluster-IP', (object) => textsAt(object, 'spec', 'clusterIPs')[0] ?? '<none>'),
    column('External-IP', externalIp),
    column('Port(s)', servicePorts),
    age,
    wideColumn('Selector', (object) => formatLabels(valueAt(object, 'spec', 'selector'))),
  ],
  endpoints: [name, column('Endpoints', endpointAddresses), age],
  nodes: [
    name,
    column('Status', nodeStatus),
    column('Roles', nodeRoles),
    age,
    textColumn('Version', 'status', 'nodeInfo', 'kubeletVersion'),
    wideColumn('Internal-IP', (object) => nodeAddress(object, 'InternalIP')),
    wideColumn('External-IP', (object) => nodeAddress(object, 'ExternalIP')),
    wideColumn('OS-Image', (object) => textOr(textAt(object, 'status', 'nodeInfo', 'osImage'), '<unknown>')),
    wideColumn('Kernel-Version', (object) => {
      const kernel = textOr(textAt(object, 'status', 'nodeInfo', 'kernelVersion'), '<unknown>');
      const architecture = textAt(object, 'status', 'nodeInfo', 'architecture');
      return architecture === '' ? kernel : `${kernel} (${architecture})`;
    }),
    wideColumn('Container-Runtime', (object) =>
      textOr(textAt(object, 'status', 'nodeInfo', 'containerRuntimeVersion'), '<unknown>'),
    ),
  ],
  events: [
    column('Last Seen', (event, now) => eventTimes(event, now).last),
    textColumn('Type', 'type'),
    textColumn('Reason', 'reason'),
    column('Object', (event) => {
      const involved = textAt(event, 'involvedObject', 'name');
      const kind = textAt(event, 'involvedObject', 'kind').toLowerCase();
      return involved === '' ? kind : `${kind}/${involved}`;
    }),
    wideColumn('Subobject', (event) => textAt(event, 'involvedObject', 'fieldPath')),
    wideColumn('Source', (event) => {
      const component = textOr(textAt(event, 'source', 'component'), textAt(event, 'reportingComponent'));
      const instance = textOr(textAt(event, 'source', 'host'), textAt(event, 'reportingInstance'));
      return instance === '' ? component : `${component}, ${instance}`;
    }),
    column('Message', (event) => textAt(event, 'message').trim()),
    wideColumn('First Seen', (event, now) => eventTimes(event, now).first),
    wideColumn('Count', (event) => eventCount(event)),
    { ...nameColumn(), priority: 1 },
  ],
  namespaces: [name, textColumn('Status', 'status', 'phase'), age],
  secrets: [name, textColumn('Type', 'type'), column('Data', (object) => keysAt(object, 'data')), age],
  configmaps: [name, column('Data', (object) => keysAt(object, 'data') + keysAt(object, 'binaryData')), age],
  serviceaccounts: [name, age],
  persistentvolumes: [
    name,
    column('Capacity', (object) => quantityAt(object, 'spec', 'capacity', 'storage')),
    column('Access Modes', (object) => accessModes(textsAt(object, 'spec', 'accessModes'))),
    textColumn('Reclaim Policy', 'spec', 'persistentVolumeReclaimPolicy'),
    column('Status', (object) =>
      object.metadata.deletionTimestamp === undefined ? textAt(object, 'status', 'phase') : 'Terminating',
    ),
    column('Claim', (object) => {
      const claim = objectAt(object, 'spec', 'claimRef');
      return claim === undefined ? '' : `${textAt(claim, 'namespace')}/${textAt(claim, 'name')}`;
    }),
    column('StorageClass', storageClass),
    column('VolumeAttributesClass', volumeAttributesClass),
    textColumn('Reason', 'status', 'reason'),
    age,
    wideColumn('VolumeMode', (object) => textOr(textAt(object, 'spec', 'volumeMode'), '<unset>')),
  ],
  persistentvolumeclaims: [
    name,
    column('Status', (object) =>
      object.metadata.deletionTimestamp === undefined ? textAt(object, 'status', 'phase') : 'Terminating',
    ),
    textColumn('Volume', 'spec', 'volumeName'),
    column('Capacity', (object) =>
      textAt(object, 'spec', 'volumeName') === '' ? '' : quantityAt(object, 'status', 'capacity', 'storage'),
    ),
    column('Access Modes', (object) =>
      textAt(object, 'spec', 'volumeName') === ''
        ? ''
        : accessModes(textsAt(object, 'status', 'accessModes')),
    ),
    column('StorageClass', storageClass),
    column('VolumeAttributesClass', volumeAttributesClass),
    age,
    wideColumn('VolumeMode', (object) => textOr(textAt(object, 'spec', 'volumeMode'), '<unset>')),
  ],
  componentstatuses: [
    name,
    column('Status', (object) => {
      const healthy = objectsAt(object, 'conditions').find((one) => one['type'] === 'Healthy');
      if (healthy === undefined) return 'Unknown';
      return healthy['status'] === 'True' ? 'Healthy' : 'Unhealthy';
    }),
    column('Message', (object) => healthyText(object, 'message')),
    column('Error', (object) => healthyText(object, 'error')),
  ],
  resourcequotas: [
    name,
    column('Request', (object) => quotaUse(object, (resource) => !resource.startsWith('limits.'))),
    column('Limit', (object) => quotaUse(object, (resource) => resource.startsWith('limits.'))),
    age,
  ],
};

function healthyText(object: KubeObject, field: string): string {
  return textAt(
    objectsAt(object, 'conditions').find((one) => one['type'] === 'Healthy'),
    field,
  );
}

function quantityAt(object: KubeObject, ...path: string[]): string {
  const value = valueAt(object, ...path);
  return value === undefined ? '0' : String(value);
}

/** Sorted, without repetition, never cut: a server's Table always carries what `-o wide` shows. */
export function loadBalancerAddresses(object: KubeObject): string {
  const addresses = objectsAt(object, 'status', 'loadBalancer', 'ingress').map((one) =>
    textOr(textAt(one, 'ip'), textAt(one, 'hostname')),
  );
  return [...new Set(addresses.filter((one) => one !== ''))].sort().join(',');
}

function externalIp(service: KubeObject): string {
  const external = textsAt(service, 'spec', 'externalIPs');
  switch (textAt(service, 'spec', 'type')) {
    case 'ClusterIP':
    case 'NodePort':
      return external.length > 0 ? external.join(',') : '<none>';
    case 'LoadBalancer': {
      const balancer = loadBalancerAddresses(service);
      const both = [...(balancer === '' ? [] : [balancer]), ...external];
      return both.length > 0 ? both.join(',') : '<pending>';
    }
    case 'ExternalName':
      return textAt(service, 'spec', 'externalName');
    default:
      return '<unknown>';
  }
}

function servicePorts(service: KubeObject): string {
  const ports = objectsAt(service, 'spec', 'ports').map((port) => {
    const nodePort = numberAt(port, 'nodePort') ?? 0;
    const number = numberAt(port, 'port') ?? 0;
    return `${nodePort > 0 ? `${number}:${nodePort}` : number}/${textAt(port, 'protocol')}`;
  });
  return ports.length === 0 ? '<none>' : ports.join(',');
}

function endpointAddresses(endpoints: KubeObject): string {
  const max = 3;
  const list: string[] = [];
  let count = 0;
  const subsets = objectsAt(endpoints, 'subsets');
  if (subsets.length === 0) return '<none>';
  for (const subset of subsets) {
    const ips = objectsAt(subset, 'addresses').map((address) => textAt(address, 'ip'));
    const ports = objectsAt(subset, 'ports');
    if (ports.length === 0) {
      list.push(...ips);
      count += ips.length;
    }
    for (const port of ports) {
      const number = numberAt(port, 'port') ?? 0;
      list.push(...ips.map((ip) => (ip.includes(':') ? `[${ip}]:${number}` : `${ip}:${number}`)));
      count += ips.length;
    }
  }
  const shown = list.slice(0, max).join(',');
  return count > max ? `${shown} + ${count - max} more...` : shown;
}

function nodeStatus(node: KubeObject): string {
  const ready = objectsAt(node, 'status', 'conditions').find((one) => one['type'] === 'Ready');
  const status = ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady';
  return booleanAt(node, 'spec', 'unschedulable') === true ? `${status},SchedulingDisabled` : status;
}

function nodeRoles(node: KubeObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(prefix) && key.length > prefix.length) roles.add(key.slice(prefix.length));
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value);
  }
  return textOr([...roles].sort().join(','), '<none>');
}

function nodeAddress(node: KubeObject, type: string): string {
  const address = objectsAt(node, 'status', 'addresses').find((one) => one['type'] === type);
  return address === undefined ? '<none>' : textAt(address, 'address');
}

function eventTimes(event: KubeObject, now: Date): { first: string; last: string } {
  const firstTime = textOr(textAt(event, 'firstTimestamp'), textAt(event, 'eventTime'));
  const first = ageOf(firstTime, now);
  if (objectAt(event, 'series') !== undefined) {
    return { first, last: ageOf(textAt(event, 'series', 'lastObservedTime'), now) };
  }
  const last = textAt(event, 'lastTimestamp');
  return { first, last: last === '' ? first : ageOf(last, now) };
}

function eventCount(event: KubeObject): number {
  if (objectAt(event, 'series') !== undefined) return numberAt(event, 'series', 'count') ?? 0;
  const count = numberAt(event, 'count') ?? 0;
  return count === 0 ? 1 : count;
}

function accessModes(modes: readonly string[]): string {
  const short: readonly (readonly [string, string])[] = [
    ['ReadWriteOnce', 'RWO'],
    ['ReadOnlyMany', 'ROX'],
    ['ReadWriteMany', 'RWX'],
    ['ReadWriteOncePod', 'RWOP'],
  ];
  return short
    .filter(([mode]) => modes.includes(mode))
    .map(([, text]) => text)
    .join(',');
}

function storageClass(object: KubeObject): string {
  return (
    object.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ??
    textAt(object, 'spec', 'storageClassName')
  );
}

function volumeAttributesClass(object: KubeObject): string {
  const value: JsonValue | undefined = valueAt(object, 'spec', 'volumeAttributesClassName');
  return typeof value === 'string' ? value : '<unset>';
}

function quotaUse(quota: KubeObject, wanted: (resource: string) => boolean): string {
  return Object.keys(objectAt(quota, 'status', 'hard') ?? {})
    .filter(wanted)
    .sort()
    .map(
      (resource) =>
        `${resource}: ${quantityAt(quota, 'status', 'used', resource)}/${quantityAt(quota, 'status', 'hard', resource)}`,
    )
    .join(', ');
}
