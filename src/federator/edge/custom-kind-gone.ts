import { isApiError } from '#apimachinery/api-error.ts';
import { formatApiVersion } from '#apimachinery/gvk.ts';
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
const pageSize = 250;

/**
 * Which of these custom kinds, none of them served, an edge has no objects of any more: those whose group version is absent from
 * `/apis` and whose definition is absent from a consistent list, as a definition goes only when the last of its objects has
 * (k8s.io/apiextensions-apiserver/pkg/controller/finalizer). A group version that stands there may be an extension server's
 * that is down, a definition that stands there may serve the kind again. Throws ApiError: then nothing is known.
 */
export async function goneKinds<Kind extends CustomKind>(
  edgeClient: KubeClient,
  kinds: readonly Kind[],
  signal: AbortSignal,
): Promise<Kind[]> {
  const path = '/apis';
  // Group versions by name, of extension servers that are down as well, which aggregated discovery may tell without resources.
  const served = groupVersionsOf(
    await edgeClient.raw({ cluster: undefined, method: 'GET', path, accept: 'application/json' }, { signal }),
  );
  // Without this one it is no whole answer: all are known to the server, or none is yet.
  if (!served.has(definitionsApi)) return [];
  const absent = kinds.filter((kind) => !served.has(formatApiVersion(kind)));
  if (absent.length === 0) return [];
  const byGroup = await definitionsOf(edgeClient, new Set(absent.map(({ group }) => group)), signal);
  const gone: Kind[] = [];
  for (const kind of absent) {
    if (!(await isDefined(edgeClient, kind, byGroup.get(kind.group) ?? [], signal))) gone.push(kind);
  }
  return gone;
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
