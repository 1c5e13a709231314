import { isApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import { isSyncable, type ServedKind } from './served-kind.ts';

const aggregated =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';
/** Group versions of a server without aggregated discovery that are asked for at once. */
const concurrentReadsMax = 8;

/**
 * Everything that a server serves, in two requests where it aggregates its discovery (Kubernetes 1.26 and later,
 * KUBERNETES.md D2), else group version by group version. A group version that fails alone, as one of an extension
 * server that is down, is left out.
 */
export async function readDiscovery(
  client: KubeClient,
  signal: AbortSignal,
  cluster?: string,
): Promise<ServedKind[]> {
  const read = (path: string, accept?: string) =>
    client.raw({ cluster, method: 'GET', path, accept }, { signal });
  const [core, named] = await Promise.all([read('/api', aggregated), read('/apis', aggregated)]);
  const kinds: ServedKind[] = [];
  const legacy: string[] = [];
  for (const [answer, isCore] of [
    [core, true],
    [named, false],
  ] as const) {
    if (textAt(answer, 'kind') === 'APIGroupDiscoveryList') kinds.push(...aggregatedKinds(answer));
    else legacy.push(...(isCore ? coreVersionPaths(answer) : groupVersionPaths(answer)));
  }
  let next = 0;
  const worker = async () => {
    for (let path = legacy[next++]; path !== undefined; path = legacy[next++]) {
      try {
        kinds.push(...legacyKinds(await read(path)));
      } catch (error) {
        if (!isApiError(error, 'NotFound', 'ServiceUnavailable', 'InternalError') || isBroken(error))
          throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrentReadsMax, legacy.length) }, worker));
  return kinds;
}

/** Not answered at all: then the whole is not known. */
function isBroken(error: { readonly reason: string; readonly cause?: unknown }): boolean {
  return error.reason === 'ServiceUnavailable' && error.cause !== undefined;
}

function arrayAt(value: JsonValue | undefined, key: string): JsonValue[] {
  const list = isJsonObject(value) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
}

function textAt(value: JsonValue | undefined, key: string): string {
  const text = isJsonObject(value) ? value[key] : undefined;
  return typeof text === 'string' ? text : '';
}

/** An APIGroupDiscoveryList. */
function* aggregatedKinds(answer: JsonValue): Generator<ServedKind> {
  for (const group of arrayAt(answer, 'items')) {
    const groupName = isJsonObject(group) ? textAt(group['metadata'], 'name') : '';
    for (const version of arrayAt(group, 'versions')) {
      // What is told of a group whose extension server does not answer is what it was (KEP-3352).
      for (const resource of arrayAt(version, 'resources')) {
        yield {
          group: groupName,
          version: textAt(version, 'version'),
          resource: textAt(resource, 'resource'),
          kind: isJsonObject(resource) ? textAt(resource['responseKind'], 'kind') : '',
          namespaced: textAt(resource, 'scope') === 'Namespaced',
          hasStatus: arrayAt(resource, 'subresources').some((one) => textAt(one, 'subresource') === 'status'),
          isSyncable: isSyncable(arrayAt(resource, 'verbs')),
        };
      }
    }
  }
}

/** An APIVersions. */
function coreVersionPaths(answer: JsonValue): string[] {
  return arrayAt(answer, 'versions').flatMap((version) =>
    typeof version === 'string' ? [`/api/${version}`] : [],
  );
}

/** An APIGroupList. */
function groupVersionPaths(answer: JsonValue): string[] {
  return arrayAt(answer, 'groups').flatMap((group) =>
    arrayAt(group, 'versions').map((version) => `/apis/${textAt(version, 'groupVersion')}`),
  );
}

/** An APIResourceList: subresources stand beside the resources, as `<resource>/<subresource>`. */
function legacyKinds(answer: JsonValue): ServedKind[] {
  const groupVersion = textAt(answer, 'groupVersion');
  const slash = groupVersion.indexOf('/');
  const group = slash < 0 ? '' : groupVersion.slice(0, slash);
  const version = groupVersion.slice(slash + 1);
  const resources = arrayAt(answer, 'resources');
  const names = new Set(resources.map((resource) => textAt(resource, 'name')));
  return resources.flatMap((one) => {
    const resource = textAt(one, 'name');
    if (resource === '' || resource.includes('/')) return [];
    return [
      {
        group,
        version,
        resource,
        kind: textAt(one, 'kind'),
        namespaced: isJsonObject(one) && one['namespaced'] === true,
        hasStatus: names.has(`${resource}/status`),
        isSyncable: isSyncable(arrayAt(one, 'verbs')),
      },
    ];
  });
}
