import { parseApiVersion } from '#apimachinery/gvk.ts';
import { builtinDefinitions } from '../builtin/definitions.ts';

/**
 * What is never propagated, whatever a policy selects (DESIGN.md, Names): what other objects make, what belongs to a
 * cluster's own machinery, and what cannot be renamed.
 */
const neverByResource: ReadonlySet<string> = new Set([
  'events',
  'events.events.k8s.io',
  'leases.coordination.k8s.io',
  'leasecandidates.coordination.k8s.io',
  'endpoints',
  'endpointslices.discovery.k8s.io',
  'nodes',
  'componentstatuses',
  'bindings',
  'apiservices.apiregistration.k8s.io',
  'controllerrevisions.apps',
  'certificatesigningrequests.certificates.k8s.io',
  'clustertrustbundles.certificates.k8s.io',
  'podcertificaterequests.certificates.k8s.io',
  'csinodes.storage.k8s.io',
  'csistoragecapacities.storage.k8s.io',
  'volumeattachments.storage.k8s.io',
  'resourceslices.resource.k8s.io',
  'resourcepoolstatusrequests.resource.k8s.io',
  'ipaddresses.networking.k8s.io',
  'servicecidrs.networking.k8s.io',
  'storageversions.internal.apiserver.k8s.io',
  'storageversionmigrations.storagemigration.k8s.io',
]);

const ownGroups: readonly string[] = ['cellplane.io', 'karmada.io', 'kcp.io'];
const reviewGroups: ReadonlySet<string> = new Set([
  'authentication.k8s.io',
  'authorization.k8s.io',
  'metrics.k8s.io',
]);

/** Whether objects of this resource may be propagated at all. */
export function isPropagatedResource(group: string, resource: string): boolean {
  if (neverByResource.has(group === '' ? resource : `${resource}.${group}`) || reviewGroups.has(group))
    return false;
  return !ownGroups.some((own) => group === own || group.endsWith(`.${own}`));
}

/** What is known of a kind that a policy selects before any object of it is looked at. */
export interface SelectedKind {
  readonly namespaced: boolean;
  readonly propagated: boolean;
}

let builtinKinds: ReadonlyMap<string, SelectedKind> | undefined;

/**
 * Of Kubernetes' own kinds and ours; `unserved`: its group is one that no definition can bring a kind into, and has none of this
 * name; undefined: a custom kind, which only its definition tells of, or every kind.
 */
export function selectedKind(apiVersion: string, kind: string): SelectedKind | 'unserved' | undefined {
  const group = parseApiVersion(apiVersion)?.group;
  if (group === undefined || kind === '*') return undefined;
  builtinKinds ??= new Map(
    builtinDefinitions().flatMap(({ group: ofGroup, kind: name, resource, namespaced, versions }) => {
      const selected = { namespaced, propagated: isPropagatedResource(ofGroup, resource) };
      return versions.map((version): [string, SelectedKind] => [
        `${ofGroup === '' ? '' : `${ofGroup}/`}${version.version} ${name}`,
        selected,
      ]);
    }),
  );
  const known = builtinKinds.get(`${apiVersion} ${kind}`);
  if (known !== undefined) return known;
  if (!isPropagatedResource(group, '')) return { namespaced: true, propagated: false };
  return group.includes('.') ? undefined : 'unserved';
}
