import { isApiError } from '#apimachinery/api-error.ts';
import { formatApiVersion, type GroupVersionResource } from '#apimachinery/gvk.ts';
import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KubeClient } from '#client/client.ts';
import { listPages } from '#client/list-pages.ts';
import { checkedList, checkedObject } from './checked-answer.ts';

export interface CustomKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const definitions = {
  cluster: undefined,
  gvr: { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' },
} as const;
const definitionsApi = formatApiVersion(definitions.gvr);
const apiServices = { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' } as const;
const pageSize = 250;

/**
 * Which of these custom kinds, none of them served, an edge has no objects of any more: those whose definition is absent from a
 * consistent list, as a definition goes only when the last of its objects has
 * (k8s.io/apiextensions-apiserver/pkg/controller/finalizer), and whose group version is the edge's own or absent from `/apis`. One
 * that stands there may be an extension server's that is down, a definition that stands there may serve the kind again. Throws
 * ApiError: then nothing is known.
 */
export async function goneKinds<Kind extends CustomKind>(
  edgeClient: KubeClient,
  kinds: readonly Kind[],
  signal: AbortSignal,
): Promise<Kind[]> {
  const served = await groupVersionsAt(edgeClient, signal);
  if (served === undefined) return [];
  const own = new Map<string, boolean>();
  for (const kind of kinds) {
    const groupVersion = formatApiVersion(kind);
    if (own.has(groupVersion)) continue;
    own.set(groupVersion, !served.has(groupVersion) || (await isOwn(edgeClient, kind, signal)));
  }
  const defined = kinds.filter((kind) => own.get(formatApiVersion(kind)) === true);
  if (defined.length === 0) return [];
  const byGroup = await definitionsOf(edgeClient, new Set(defined.map(({ group }) => group)), signal);
  const gone: Kind[] = [];
  for (const kind of defined) {
    if (!(await isDefined(edgeClient, kind, byGroup.get(kind.group) ?? [], signal))) gone.push(kind);
  }
  return gone;
}

/** The same of one resource, known by its plural: a definition bears its name. */
export async function isResourceGone(
  edgeClient: KubeClient,
  resource: GroupVersionResource,
  signal: AbortSignal,
): Promise<boolean> {
  const served = await groupVersionsAt(edgeClient, signal);
  if (served === undefined) return false;
  if (served.has(formatApiVersion(resource)) && !(await isOwn(edgeClient, resource, signal))) return false;
  const name = `${resource.resource}.${resource.group}`;
  try {
    await edgeClient.get({ ...definitions, name }, { metadataOnly: true, signal });
    return false;
  } catch (error) {
    // A definition that is not there is named by the answer; a path that is not served is not (KUBERNETES.md E1).
    if (isApiError(error, 'NotFound')) return error.details?.name === name;
    throw error;
  }
}

/**
 * Group versions by name, of extension servers that are down as well, which aggregated discovery may tell without resources.
 * Undefined when it is no whole answer: all are known to the server, or none is yet.
 */
async function groupVersionsAt(
  edgeClient: KubeClient,
  signal: AbortSignal,
): Promise<Set<string> | undefined> {
  const path = '/apis';
  const served = groupVersionsOf(
    await edgeClient.raw({ cluster: undefined, method: 'GET', path, accept: 'application/json' }, { signal }),
  );
  return served.has(definitionsApi) ? served : undefined;
}

/**
 * Whether what the edge serves of a group version comes from definitions alone: its APIService names no server of its own
 * (k8s.io/kube-aggregator/pkg/apis/apiregistration/v1, APIServiceSpec.Service). False when the edge does not say.
 */
async function isOwn(
  edgeClient: KubeClient,
  { group, version }: Pick<CustomKind, 'group' | 'version'>,
  signal: AbortSignal,
): Promise<boolean> {
  const ref = { cluster: undefined, gvr: apiServices, name: `${version}.${group}` };
  try {
    const { spec } = checkedObject(await edgeClient.get(ref, { signal }), ref);
    return isJsonObject(spec) && (spec['service'] ?? null) === null;
  } catch (error) {
    // An account that an older `cell join` made may not read it; an edge without an aggregation layer has none.
    if (isApiError(error, 'NotFound', 'Forbidden')) return false;
    throw error;
  }
}

function groupVersionsOf(answer: JsonValue): Set<string> {
  const found = new Set<string>();
  if (!isJsonObject(answer) || answer['kind'] !== 'APIGroupList') return found;
  for (const group of arrayAt(answer, 'groups')) {
    for (const version of arrayAt(group, 'versions')) {
      if (isJsonObject(version) && typeof version['groupVersion'] === 'string') {
        found.add(version['groupVersion']);
      }
    }
  }
  return found;
}

function arrayAt(value: JsonValue, key: string): readonly JsonValue[] {
  const list = isJsonObject(value) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
}

/** Names of the definitions of these groups, by group. Schemas may be large, and a name says the group: `<plural>.<group>`. */
async function definitionsOf(
  edgeClient: KubeClient,
  groups: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Map<string, string[]>> {
  const byGroup = new Map<string, string[]>();
  const options = { metadataOnly: true, limit: pageSize, signal };
  for await (const page of listPages(edgeClient, definitions, options)) {
    for (const { metadata } of checkedList(page, definitions).items) {
      const name = metadata.name ?? '';
      const group = name.slice(name.indexOf('.') + 1);
      if (groups.has(group)) byGroup.set(group, [...(byGroup.get(group) ?? []), name]);
    }
  }
  return byGroup;
}

/** Whether one of the definitions is of the kind, or may be: it went meanwhile, or does not say. */
async function isDefined(
  edgeClient: KubeClient,
  { group, kind }: CustomKind,
  names: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  for (const name of names) {
    const ref = { ...definitions, name };
    try {
      const { spec } = checkedObject(await edgeClient.get(ref, { signal }), ref);
      const of = isJsonObject(spec) && isJsonObject(spec['names']) ? spec['names']['kind'] : undefined;
      if (!isJsonObject(spec) || spec['group'] !== group || typeof of !== 'string' || of === kind)
        return true;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return true;
      throw error;
    }
  }
  return false;
}
