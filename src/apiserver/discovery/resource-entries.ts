import { createHash } from 'node:crypto';
import type { ResourceVersion, Subresource, Verb } from '#apimachinery/resource-definition.ts';
import type { ServedResource } from '#apimachinery/scheme.ts';

/** The text of one resource in both forms of discovery; shared by all schemes that serve it. */
interface ResourceText {
  /** Entries of an APIResourceList: the resource and its subresources, joined by commas. */
  readonly legacy: string;
  /** One APIResourceDiscovery. */
  readonly aggregated: string;
}

const texts = new WeakMap<ResourceVersion, ResourceText>();

export function resourceText(served: ServedResource): ResourceText {
  let text = texts.get(served.version);
  if (text === undefined) {
    text = { legacy: legacyEntries(served), aggregated: JSON.stringify(aggregatedEntry(served)) };
    texts.set(served.version, text);
  }
  return text;
}

function legacyEntries(served: ServedResource): string {
  const { definition, version } = served;
  const main = {
    name: definition.resource,
    singularName: definition.singular,
    namespaced: definition.namespaced,
    kind: definition.kind,
    verbs: verbsOf(served),
    ...(definition.shortNames.length === 0 ? {} : { shortNames: definition.shortNames }),
    ...(definition.categories.length === 0 ? {} : { categories: definition.categories }),
    ...(isStored(served) ? { storageVersionHash: storageVersionHash(served) } : {}),
  };
  const subs = bySubresourceName(version).map((subresource) => ({
    name: `${definition.resource}/${subresource.name}`,
    singularName: '',
    namespaced: definition.namespaced,
    ...otherGroupVersion(served, subresource),
    kind: subresource.kind,
    verbs: sorted(subresource.verbs),
  }));
  // A resource that stands for nothing but its subresources has no entry of its own.
  const entries = version.verbs.length === 0 ? subs : [main, ...subs];
  return entries.map((entry) => JSON.stringify(entry)).join(',');
}

/** What is never written is made when it is asked for (componentstatuses). */
function isStored({ definition, version }: ServedResource): boolean {
  return definition.virtual !== true && version.verbs.includes('create');
}

/** Named only where it is not the list's own: `deployments/scale` is an autoscaling/v1 Scale. */
function otherGroupVersion(served: ServedResource, subresource: Subresource): object {
  const same =
    subresource.group === served.definition.group && subresource.version === served.version.version;
  return same ? {} : { group: subresource.group, version: subresource.version };
}

function aggregatedEntry(served: ServedResource): object {
  const { definition, version } = served;
  const subs = bySubresourceName(version).map((subresource) => ({
    subresource: subresource.name,
    responseKind: { group: subresource.group, version: subresource.version, kind: subresource.kind },
    verbs: sorted(subresource.verbs),
  }));
  return {
    resource: definition.resource,
    responseKind: { group: definition.group, version: version.version, kind: definition.kind },
    scope: definition.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: definition.singular,
    verbs: verbsOf(served),
    ...(definition.shortNames.length === 0 ? {} : { shortNames: definition.shortNames }),
    ...(definition.categories.length === 0 ? {} : { categories: definition.categories }),
    ...(subs.length === 0 ? {} : { subresources: subs }),
  };
}

function bySubresourceName(version: ResourceVersion): readonly Subresource[] {
  return [...version.subresources].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const changing: ReadonlySet<Verb> = new Set(['create', 'update', 'patch']);

/** Of custom kinds in the order in which apiextensions-apiserver has them, without some while their CRD goes. */
function verbsOf({ definition, version }: ServedResource): readonly Verb[] {
  if (definition.isTerminating === true) return version.verbs.filter((verb) => !changing.has(verb));
  return definition.origin === 'custom' ? version.verbs : sorted(version.verbs);
}

function sorted(verbs: readonly Verb[]): readonly Verb[] {
  return [...verbs].sort();
}

/** Tells clients whether two versions are stored alike: the first 8 bytes of SHA-256, as kube-apiserver has it. */
function storageVersionHash({ definition }: ServedResource): string {
  const text = `${definition.storedAs.group}/${definition.storageVersion}/${definition.kind}`;
  return createHash('sha256').update(text).digest().subarray(0, 8).toString('base64');
}
