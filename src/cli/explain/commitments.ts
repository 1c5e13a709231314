import { clusterOf } from '#api/core-kcp/cluster-annotation.ts';
import { logicalClusterName, logicalClustersGvr, pathAnnotation } from '#api/core-kcp/logical-cluster.ts';
import type { Cell } from '#api/federation/cell.ts';
import type { PropagationSpec } from '#api/policy/placement.ts';
import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { KubeClient } from '#client/client.ts';
import { listPages } from '#client/list-pages.ts';
import { nodeDemandOf } from '#scheduler/algorithm/node-demand.ts';
import { dividesByRoom } from '#scheduler/cells/estimate-question.ts';
import {
  type AskingBinding,
  CellsRoom,
  isUnderWay,
  type ToldCommitments,
  toldCommitments,
} from '#scheduler/deciding/told-commitments.ts';
import type { Interpretation } from '#scheduler/interpreter/interpretation.ts';
import { podSpecOf, requestOf } from '#scheduler/projection/replicas.ts';
import { readInterpretation } from './interpretation.ts';
import { readBoundPolicy } from './peers.ts';
import type { Unread } from './unread.ts';

const pageSize = 500;
/** Objects of which it matters what they ask for are read one by one. */
const askingMax = 500;
const readsAtOnceMax = 16;

interface CommitmentsQuestion {
  readonly workspace: string;
  readonly binding: ResourceBinding;
  /** All that there are. */
  readonly cells: readonly Cell[];
  readonly nowMs: number;
}

/**
 * What other decisions take that cells do not tell of yet, and how many objects each cell has, by the bindings of all projects;
 * by those of the project alone where others are not for this user to read.
 */
export async function readCommitments(
  federationClient: KubeClient,
  { workspace, binding: own, cells, nowMs }: CommitmentsQuestion,
  unread: Unread,
): Promise<ToldCommitments> {
  const bindings = await readBindings(federationClient, workspace, unread);
  const room = new CellsRoom(cells);
  const { counted } = room;
  const asked = bindings.filter((binding) => isUnderWay(binding, room, nowMs) || takesIn(counted, binding));
  if (asked.length > askingMax)
    unread.add(`what ${asked.length - askingMax} objects beyond ${askingMax} take that no cell tells of`);
  const reader = new RequestReader(federationClient, unread);
  const asking: AskingBinding[] = [];
  const rest = asked.slice(0, askingMax);
  const worker = async (): Promise<void> => {
    for (let binding = rest.pop(); binding !== undefined; binding = rest.pop()) {
      const assumes = await reader.isDividedByRoom(binding);
      if (!assumes && !takesIn(counted, binding)) continue;
      const asked = await reader.askedOf(binding);
      if (asked !== undefined) asking.push({ binding, ...asked, assumes });
    }
  };
  await Promise.all(Array.from({ length: readsAtOnceMax }, worker));
  return toldCommitments(own, bindings, asking, room, nowMs);
}

function takesIn(cells: ReadonlySet<string>, { spec }: ResourceBinding): boolean {
  return (spec.clusters ?? []).some(({ name, replicas = 0 }) => replicas > 0 && cells.has(name));
}

async function readBindings(
  federationClient: KubeClient,
  workspace: string,
  unread: Unread,
): Promise<ResourceBinding[]> {
  try {
    return await listAll(federationClient, '*');
  } catch (error) {
    if (!isApiError(error, 'Forbidden')) throw error;
    unread.add(
      'bindings of other projects: not for this user to read (what they take that their cells do not tell yet, the score Balance)',
    );
    return listAll(federationClient, workspace);
  }
}

async function listAll(federationClient: KubeClient, cluster: string): Promise<ResourceBinding[]> {
  const bindings: ResourceBinding[] = [];
  for (const gvr of [resourceBindingsGvr, clusterResourceBindingsGvr]) {
    for await (const { items } of listPages(federationClient, { cluster, gvr }, { limit: pageSize }))
      bindings.push(...(items as ResourceBinding[]));
  }
  return bindings;
}

/** Reads what replicas ask for; policies and rules once for all objects. */
class RequestReader {
  readonly #client: KubeClient;
  readonly #unread: Unread;
  readonly #policies = new Map<string, Promise<PropagationSpec | undefined>>();
  readonly #paths = new Map<string, Promise<string>>();
  readonly #interpretations = new Map<string, Promise<Interpretation | undefined>>();

  constructor(federationClient: KubeClient, unread: Unread) {
    this.#client = federationClient;
    this.#unread = unread;
  }

  async isDividedByRoom(binding: ResourceBinding): Promise<boolean> {
    const cluster = clusterOf(binding);
    return dividesByRoom((await this.#policyOf(cluster, binding))?.placement);
  }

  /** Undefined where it is gone. */
  async askedOf(binding: ResourceBinding): Promise<Pick<AskingBinding, 'request' | 'nodes'> | undefined> {
    const { resource } = binding.spec;
    const cluster = clusterOf(binding);
    const parsed = parseApiVersion(resource.apiVersion);
    if (parsed === undefined) return undefined;
    const gvr = { ...parsed, resource: resource.resource };
    const { namespace, name } = resource;
    const object = await this.#unread.or(
      `objects of other projects that take what no cell tells of`,
      () => this.#client.get({ cluster, gvr, namespace, name }),
      undefined,
    );
    if (object === undefined) return undefined;
    const interpretation = await this.#interpretationOf(cluster, gvr, resource.kind);
    const told = interpretation?.replicas(object);
    return {
      request: told?.request ?? requestOf(object, { ...gvr, scalable: true }),
      nodes: told?.nodes ?? nodeDemandOf(podSpecOf(object, gvr)),
    };
  }

  async #policyOf(cluster: string, { spec }: ResourceBinding): Promise<PropagationSpec | undefined> {
    const { policy, activation } = spec;
    if (policy === undefined) return undefined;
    if (activation !== undefined) return activation.policy as PropagationSpec;
    const key = JSON.stringify([policy.workspace ?? cluster, policy.namespace, policy.name]);
    return once(this.#policies, key, () => readBoundPolicy(this.#client, cluster, policy, this.#unread));
  }

  async #interpretationOf(
    cluster: string,
    gvr: { readonly group: string; readonly version: string; readonly resource: string },
    kind: string,
  ): Promise<Interpretation | undefined> {
    const path = await once(this.#paths, cluster, () => this.#pathOf(cluster));
    return once(this.#interpretations, `${path} ${gvr.group}/${kind}`, () =>
      readInterpretation(this.#client, path, { gvr, kind }, this.#unread),
    );
  }

  async #pathOf(cluster: string): Promise<string> {
    const ref = { cluster, gvr: logicalClustersGvr, name: logicalClusterName };
    return (await this.#client.get(ref)).metadata.annotations?.[pathAnnotation] ?? cluster;
  }
}

function once<Value>(
  known: Map<string, Promise<Value>>,
  key: string,
  read: () => Promise<Value>,
): Promise<Value> {
  let value = known.get(key);
  if (value === undefined) {
    value = read();
    known.set(key, value);
  }
  return value;
}
