import { authentication, authorization, certificates, rbac } from './access.ts';
import { coreCluster } from './core-cluster.ts';
import { corePods } from './core-pods.ts';
import { coreVolumes } from './core-volumes.ts';
import { readDescriptions, type TypeDescription } from './description-table.ts';
import { admissionregistration, apiextensions, apiregistration, flowcontrol } from './extending.ts';
import { intstr, meta, quantities, runtime, version } from './meta.ts';
import { coordination, discovery, events, networking } from './networking.ts';
import { autoscaling, node, policy, scheduling } from './scaling-and-policy.ts';
import { apiserverinternal, resource, storage, storagemigration } from './storage.ts';
import { apps, batch } from './workloads.ts';

/** Tables by the package that a definition's name tells, without its version: versions say the same of what they share. */
const tables: { readonly [packageName: string]: string } = {
  'api.admissionregistration': admissionregistration,
  'api.apiserverinternal': apiserverinternal,
  'api.apps': apps,
  'api.authentication': authentication,
  'api.authorization': authorization,
  'api.autoscaling': autoscaling,
  'api.batch': batch,
  'api.certificates': certificates,
  'api.coordination': coordination,
  'api.core': `${corePods}${coreVolumes}${coreCluster}`,
  'api.discovery': discovery,
  'api.events': events,
  'api.flowcontrol': flowcontrol,
  'api.networking': networking,
  'api.node': node,
  'api.policy': policy,
  'api.rbac': rbac,
  'api.resource': resource,
  'api.scheduling': scheduling,
  'api.storage': storage,
  'api.storagemigration': storagemigration,
  'apiextensions-apiserver.pkg.apis.apiextensions': apiextensions,
  'apimachinery.pkg.api.resource': quantities,
  'apimachinery.pkg.apis.meta': meta,
  'apimachinery.pkg.runtime': runtime,
  'apimachinery.pkg.util.intstr': intstr,
  'apimachinery.pkg.version': version,
  'kube-aggregator.pkg.apis.apiregistration': apiregistration,
};

/** What fields of these names say in whatever type has them, unless its own table says it. */
const commonFields: { readonly [field: string]: string } = {
  apiVersion:
    'The API group and version of the object, as group/version; the version alone for the core group.',
  kind: 'The kind of object.',
  metadata: 'Name, labels and the like.',
  items: 'The items.',
  name: 'Its name.',
};

/** The same for types whose name ends so. */
const commonBySuffix: { readonly [suffix: string]: { readonly [field: string]: string } } = {
  Condition: {
    lastTransitionTime: 'When its status last changed.',
    message: 'More about it, in words.',
    observedGeneration: 'The generation of the object that it tells of.',
    reason: 'Why, in one word.',
    status: 'True, False or Unknown.',
    type: 'Which aspect.',
  },
  Projection: {
    items: 'Which keys become which files; none means all, by their names.',
    optional: 'Whether it, or its keys, may be missing.',
  },
  VolumeSource: {
    chapAuthDiscovery: 'Whether CHAP is used for discovery.',
    chapAuthSession: 'Whether CHAP is used for the session.',
    defaultMode: 'Permission bits of the files, 0 to 0777. Default 0644.',
    driver: 'The driver.',
    endpoints: 'The Endpoints object with its servers.',
    endpointsNamespace: 'The namespace of that object.',
    fsType: 'Its file system (ext4, xfs).',
    gateway: 'The address of its gateway.',
    image: 'The image.',
    initiatorName: "The initiator's name, if not the node's.",
    iqn: "The target's name.",
    iscsiInterface: 'The interface. Default: default.',
    items: 'Which keys become which files; none means all, by their names.',
    keyring: 'The key ring file.',
    lun: 'The logical unit.',
    monitors: 'Its monitors.',
    optional: 'Whether it, or its keys, may be missing.',
    partition: 'The partition; 0 or none: the whole.',
    path: 'The path.',
    pool: 'The pool.',
    portals: 'More portals of the target.',
    protectionDomain: 'The protection domain.',
    readOnly: 'Whether it is read-only. Default false.',
    secretFile: 'The file with the key.',
    secretRef: 'The Secret with its credentials.',
    sslEnabled: 'Whether the gateway is reached by TLS.',
    storageMode: 'ThickProvisioned or ThinProvisioned.',
    storagePool: 'The storage pool.',
    system: 'The storage system.',
    targetPortal: "The target's portal, as host:port.",
    user: 'The user.',
    volumeName: 'The volume.',
    volumeNamespace: "The volume's namespace there.",
  },
};

const parsed = new Map<string, ReadonlyMap<string, TypeDescription>>();

/** Parsed when first asked for: most processes never show a description. */
function tableOf(packageName: string): ReadonlyMap<string, TypeDescription> | undefined {
  let table = parsed.get(packageName);
  if (table === undefined && Object.hasOwn(tables, packageName)) {
    table = readDescriptions(tables[packageName]!);
    parsed.set(packageName, table);
  }
  return table;
}

/** `io.k8s.api.apps.v1.Deployment` → its package without the version, and its own name. */
function partsOf(definition: string): { readonly packageName: string; readonly name: string } | undefined {
  const match = /^io\.k8s\.(.+?)(?:\.v\d+(?:(?:alpha|beta)\d+)?)?\.([^.]+)$/.exec(definition);
  return match === null ? undefined : { packageName: match[1]!, name: match[2]! };
}

/** What a built-in definition (`io.k8s.api.apps.v1.Deployment`) is for, in a sentence or two; undefined where nothing is said. */
export function definitionText(definition: string): string | undefined {
  const parts = partsOf(definition);
  if (parts === undefined) return undefined;
  const { packageName, name } = parts;
  const table = tableOf(packageName);
  const text = table?.get(name)?.text;
  if (text !== undefined || !name.endsWith('List')) return text;
  return table?.has(name.slice(0, -'List'.length)) === true
    ? `A list of ${name.slice(0, -'List'.length)}.`
    : undefined;
}

/** What a field of a built-in definition says; undefined where nothing is said. */
export function fieldText(definition: string, field: string): string | undefined {
  const parts = partsOf(definition);
  if (parts === undefined) return undefined;
  const own = tableOf(parts.packageName)?.get(parts.name)?.fields.get(field);
  if (own !== undefined) return own;
  for (const suffix in commonBySuffix) {
    const fields = commonBySuffix[suffix]!;
    if (parts.name.endsWith(suffix) && Object.hasOwn(fields, field)) return fields[field];
  }
  return commonFieldText(field);
}

/** What a field that every object or list has says (`apiVersion`, `kind`, `metadata`, `items`). */
export function commonFieldText(field: string): string | undefined {
  return Object.hasOwn(commonFields, field) ? commonFields[field] : undefined;
}

/** Everything that the tables describe, by the definition's name without its version: for the test that it all exists. */
export function* describedNames(): Generator<{
  readonly definition: string;
  readonly fields: readonly string[];
}> {
  for (const packageName of Object.keys(tables)) {
    for (const [name, { fields }] of tableOf(packageName)!) {
      yield { definition: `io.k8s.${packageName}.${name}`, fields: [...fields.keys()] };
    }
  }
}
