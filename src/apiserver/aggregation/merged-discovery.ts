import { compareVersions } from '#api/builtin/definitions.ts';
import { objectsAt, textAt, textsAt, valueAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { priorityOfGroup, rankOfGroup } from '../discovery/api-groups.ts';

/** One remote group version as discovery is to show it. */
export interface RemoteGroupVersion {
  readonly group: string;
  readonly version: string;
  readonly groupPriority: number;
  readonly versionPriority: number;
  readonly available: boolean;
  /** Its APIResourceList, where it has ever been had. */
  readonly resources: JsonObject | undefined;
}

/** Of CRDs' groups, and their versions. */
const customPriority = 1_000;
const customVersionPriority = 100;

/** APIGroupList with the remote groups in their places (KUBERNETES.md D1, O1). */
export function mergedGroupList(list: JsonObject, remotes: readonly RemoteGroupVersion[]): JsonObject {
  const local = new Map(objectsAt(list, 'groups').map((group) => [textAt(group, 'name'), group]));
  const names = orderedGroups([...local.keys()], remotes);
  return { ...list, groups: names.map((name) => mergedGroup(name, local.get(name), remotes)) };
}

/** One APIGroup; `local`: what is served here of it, where something is. */
export function mergedGroup(
  name: string,
  local: JsonObject | undefined,
  remotes: readonly RemoteGroupVersion[],
): JsonObject {
  const versions = orderedVersions(
    objectsAt(local, 'versions').map((one) => textAt(one, 'version')),
    remotes.filter(({ group }) => group === name),
  ).map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { ...local, name, versions, preferredVersion: versions[0] ?? {} };
}

/** APIGroupDiscoveryList with the remote groups (KUBERNETES.md D2, O1): stale where their server does not answer. */
export function mergedAggregated(list: JsonObject, remotes: readonly RemoteGroupVersion[]): JsonObject {
  const local = new Map(objectsAt(list, 'items').map((item) => [textAt(item, 'metadata', 'name'), item]));
  const items = orderedGroups([...local.keys()], remotes).map((name) => {
    const item = local.get(name);
    const ours = objectsAt(item, 'versions');
    const theirs = remotes.filter(({ group }) => group === name);
    const versions = orderedVersions(
      ours.map((one) => textAt(one, 'version')),
      theirs,
    ).map((version): JsonObject => {
      const remote = theirs.find((one) => one.version === version);
      if (remote === undefined) return ours.find((one) => textAt(one, 'version') === version) as JsonObject;
      return {
        version,
        resources: discoveredResources(remote),
        freshness: remote.available ? 'Current' : 'Stale',
      };
    });
    return { metadata: { name }, versions };
  });
  return { ...list, items };
}

/** APIResourceDiscovery of each entry of an APIResourceList, subresources inside their resource. */
function discoveredResources({ group, version, resources }: RemoteGroupVersion): JsonObject[] {
  const found = new Map<string, JsonObject>();
  const entries = objectsAt(resources, 'resources');
  const responseKind = (entry: JsonObject) => ({
    group: textAt(entry, 'group') || group,
    version: textAt(entry, 'version') || version,
    kind: textAt(entry, 'kind'),
  });
  for (const entry of entries) {
    const name = textAt(entry, 'name');
    if (name.includes('/')) continue;
    found.set(name, {
      resource: name,
      responseKind: responseKind(entry),
      scope: valueAt(entry, 'namespaced') === true ? 'Namespaced' : 'Cluster',
      singularResource: textAt(entry, 'singularName'),
      verbs: [...textsAt(entry, 'verbs')],
      ...listed('shortNames', textsAt(entry, 'shortNames')),
      ...listed('categories', textsAt(entry, 'categories')),
    });
  }
  for (const entry of entries) {
    const [name = '', ...rest] = textAt(entry, 'name').split('/');
    if (rest.length === 0) continue;
    let parent = found.get(name);
    if (parent === undefined) {
      // A resource that stands for nothing but its subresources has no kind and no verbs of its own.
      const scope = valueAt(entry, 'namespaced') === true ? 'Namespaced' : 'Cluster';
      const none = { responseKind: { group, version, kind: '' }, singularResource: '', verbs: [] };
      parent = { resource: name, scope, ...none };
      found.set(name, parent);
    }
    const subresource = {
      subresource: rest.join('/'),
      responseKind: responseKind(entry),
      verbs: [...textsAt(entry, 'verbs')],
    };
    parent['subresources'] = [...objectsAt(parent, 'subresources'), subresource];
  }
  return [...found.values()];
}

function listed(field: string, texts: readonly string[]): JsonObject {
  return texts.length === 0 ? {} : { [field]: [...texts] };
}

function orderedGroups(local: readonly string[], remotes: readonly RemoteGroupVersion[]): string[] {
  const priorities = new Map<string, number>();
  for (const name of local) {
    priorities.set(name, rankOfGroup(name) === undefined ? customPriority : priorityOfGroup(name));
  }
  for (const { group, groupPriority } of remotes) {
    priorities.set(group, Math.max(priorities.get(group) ?? 0, groupPriority));
  }
  return [...priorities].sort(([a, inA], [b, inB]) => inB - inA || (a < b ? -1 : 1)).map(([name]) => name);
}

function orderedVersions(local: readonly string[], remotes: readonly RemoteGroupVersion[]): string[] {
  const priorities = new Map(local.map((version) => [version, customVersionPriority]));
  for (const { version, versionPriority } of remotes) priorities.set(version, versionPriority);
  return [...priorities]
    .sort(([a, inA], [b, inB]) => inB - inA || compareVersions(a, b))
    .map(([version]) => version);
}
