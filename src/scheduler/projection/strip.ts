import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeObject, ManagedFieldsEntry } from '#apimachinery/object.ts';

const dropAnnotations: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deployment.kubernetes.io/revision',
  'deprecated.daemonset.template.generation',
  'pv.kubernetes.io/bind-completed',
  'pv.kubernetes.io/bound-by-controller',
  'volume.kubernetes.io/storage-provisioner',
  'volume.beta.kubernetes.io/storage-provisioner',
  'volume.kubernetes.io/selected-node',
  'batch.kubernetes.io/job-tracking',
]);

/** kcp's bookkeeping, and the copy contract: no project may write what a syncer trusts. */
const reservedDomains: readonly string[] = ['kcp.io', 'cellplane.io'];

const podSecurityPrefix = 'pod-security.kubernetes.io/';
/** A label of this kind would add a project's rules to the edge's own admin, edit and view roles. */
const aggregationPrefix = 'rbac.authorization.k8s.io/';
const controllerLabels = [
  'controller-uid',
  'batch.kubernetes.io/controller-uid',
  'job-name',
  'batch.kubernetes.io/job-name',
];

export function isReservedKey(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash < 0) return false;
  const domain = key.slice(0, slash);
  return reservedDomains.some((reserved) => domain === reserved || domain.endsWith(`.${reserved}`));
}

/**
 * Removes, in place, what the project's server made and the edge's server will make anew: identity, bookkeeping, status,
 * allocated addresses and ports. What a person wrote stays; managedFields tell the difference where a value alone does not.
 */
export function stripServerFields(
  object: KubeObject,
  options: { readonly podSecurityLabels: boolean },
): void {
  const { metadata } = object;
  const managed = metadata.managedFields;
  const { name, namespace, labels, annotations } = metadata;
  object.metadata = {
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
  };
  const keptLabels = keep(labels, (key) => isCopiedLabel(object, key, options.podSecurityLabels));
  if (keptLabels !== undefined) object.metadata.labels = keptLabels;
  const keptAnnotations = keep(annotations, (key) => !dropAnnotations.has(key) && !isReservedKey(key));
  if (keptAnnotations !== undefined) object.metadata.annotations = keptAnnotations;
  delete object['status'];
  const strip = Object.hasOwn(strippers, `${object.apiVersion}/${object.kind}`)
    ? strippers[`${object.apiVersion}/${object.kind}`]
    : undefined;
  strip?.(object, managed);
}

function isCopiedLabel(object: KubeObject, key: string, podSecurityLabels: boolean): boolean {
  if (isReservedKey(key)) return false;
  if (object.kind === 'Namespace' && object.apiVersion === 'v1') {
    if (key === 'kubernetes.io/metadata.name') return false;
    if (key.startsWith(podSecurityPrefix)) return podSecurityLabels;
  }
  return !(object.kind === 'ClusterRole' && key.startsWith(aggregationPrefix));
}

function keep(
  map: { [key: string]: string } | undefined,
  wanted: (key: string) => boolean,
): { [key: string]: string } | undefined {
  if (map === undefined) return undefined;
  const kept: { [key: string]: string } = {};
  let any = false;
  for (const key in map) {
    if (!wanted(key)) continue;
    kept[key] = map[key] as string;
    any = true;
  }
  return any ? kept : undefined;
}

type Stripper = (object: KubeObject, managed: readonly ManagedFieldsEntry[] | undefined) => void;

const strippers: { readonly [apiVersionKind: string]: Stripper | undefined } = {
  'v1/Service': stripService,
  'v1/ServiceAccount': (object) => {
    delete object['secrets'];
  },
  'v1/Namespace': (object) => {
    delete object['spec'];
  },
  'v1/Pod': (object) => {
    const spec = object['spec'];
    if (!isJsonObject(spec)) return;
    delete spec['nodeName'];
    // Resolved from the PriorityClass and the RuntimeClass when the Pod was made; an edge resolves them from its own and
    // refuses others.
    delete spec['priority'];
    delete spec['preemptionPolicy'];
    if (spec['runtimeClassName'] !== undefined) delete spec['overhead'];
  },
  'v1/PersistentVolume': (object) => {
    const spec = object['spec'];
    if (!isJsonObject(spec) || !isJsonObject(spec['claimRef'])) return;
    delete spec['claimRef']['uid'];
    delete spec['claimRef']['resourceVersion'];
  },
  'batch/v1/Job': stripJob,
  'rbac.authorization.k8s.io/v1/ClusterRole': (object) => {
    // The edge fills them from what is there of the roles that are selected.
    if (isJsonObject(object['aggregationRule'])) delete object['rules'];
  },
};

/** Addresses, families and node ports are each cluster's own, unless a person asked for them. */
function stripService(object: KubeObject, managed: readonly ManagedFieldsEntry[] | undefined): void {
  const spec = object['spec'];
  if (!isJsonObject(spec)) return;
  const headless = spec['clusterIP'] === 'None';
  if (!headless && !isOwned(managed, ['f:spec', 'f:clusterIP'])) delete spec['clusterIP'];
  if (!headless && !isOwned(managed, ['f:spec', 'f:clusterIPs'])) delete spec['clusterIPs'];
  if (headless) delete spec['clusterIPs'];
  for (const field of ['ipFamilies', 'ipFamilyPolicy', 'healthCheckNodePort']) {
    if (!isOwned(managed, ['f:spec', `f:${field}`])) delete spec[field];
  }
  const ports = spec['ports'];
  if (!Array.isArray(ports)) return;
  for (const port of ports) {
    if (!isJsonObject(port) || port['nodePort'] === undefined) continue;
    const key = `k:{"port":${Number(port['port'])},"protocol":${JSON.stringify(port['protocol'] ?? 'TCP')}}`;
    if (!isOwned(managed, ['f:spec', 'f:ports', key, 'f:nodePort'])) delete port['nodePort'];
  }
}

/** A Job's selector and the labels behind it carry its uid, unless `manualSelector` says that they are the user's. */
function stripJob(object: KubeObject): void {
  const spec = object['spec'];
  if (!isJsonObject(spec) || spec['manualSelector'] === true) return;
  delete spec['selector'];
  const template = spec['template'];
  const metadata = isJsonObject(template) ? template['metadata'] : undefined;
  if (isJsonObject(metadata)) dropKeys(metadata['labels'], controllerLabels);
  dropKeys(object.metadata.labels, controllerLabels);
}

function dropKeys(map: JsonValue | undefined, keys: readonly string[]): void {
  if (isJsonObject(map)) for (const key of keys) delete map[key];
}

/** Whether some manager's fields hold this path (KUBERNETES.md P4). */
function isOwned(managed: readonly ManagedFieldsEntry[] | undefined, path: readonly string[]): boolean {
  return (
    managed?.some(({ fieldsV1, subresource }) => {
      if (subresource !== undefined && subresource !== '') return false;
      let at: JsonValue | undefined = fieldsV1;
      for (const step of path) at = isJsonObject(at) ? (at as JsonObject)[step] : undefined;
      return at !== undefined;
    }) ?? false
  );
}
