import { logicalClusterName, logicalClustersGvr, pathAnnotation } from '#api/core-kcp/logical-cluster.ts';
import type { PropagationSpec } from '#api/policy/placement.ts';
import { clusterResourceBindingsGvr, resourceBindingsGvr } from '#api/work/group.ts';
import type { ResourceBinding } from '#api/work/resource-binding.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { parseApiVersion } from '#apimachinery/gvk.ts';
import type { KubeClient } from '#client/client.ts';
import { clusterAnnotation } from '#client/informer.ts';
import { listPages } from '#client/list-pages.ts';
import type { ReplicaRequest } from '#scheduler/algorithm/capacity.ts';
import { dividesByRoom } from '#scheduler/cells/estimate-question.ts';
import {
  isUnderWay,
  type PendingBinding,
  type ToldCommitments,
  toldCommitments,
} from '#scheduler/deciding/told-commitments.ts';
import type { Interpretation } from '#scheduler/interpreter/interpretation.ts';
import { requestOf } from '#scheduler/projection/replicas.ts';
import { readInterpretation } from './explain-interpretation.ts';
import { readBoundPolicy } from './explain-peers.ts';
import type { Unread } from './explain-unread.ts';

const pageSize = 500;
/** Of objects with replicas under way, which are read one by one. */
const pendingMax = 500;
const readsAtOnceMax = 16;

interface CommitmentsQuestion {
  readonly workspace: string;
  readonly binding: ResourceBinding;
  readonly nowMs: number;
}

/**
 * What other decisions take that cells do not tell of yet, and how many objects each cell has, by the bindings of all projects;
 * by those of the project alone where others are not for this user to read.
 */
export async function readCommitments(
  federationClient: KubeClient,
  { workspace, binding: own, nowMs }: CommitmentsQuestion,
  unread: Unread,
): Promise<ToldCommitments> {
  const bindings = await readBindings(federationClient, workspace, unread);
  const underWay = bindings.filter((binding) => isUnderWay(binding, nowMs));
  if (underWay.length > pendingMax)
    unread.add(`replicas under way of ${underWay.length - pendingMax} objects beyond ${pendingMax}`);
  const reader = new PendingReader(federationClient, unread);
  const pending: PendingBinding[] = [];
  const rest = underWay.slice(0, pendingMax);
  const worker = async (): Promise<void> => {
    for (let binding = rest.pop(); binding !== undefined; binding = rest.pop()) {
      const request = await reader.requestOf(binding);
      if (request !== undefined) pending.push({ binding, request });
    }
  };
  await Promise.all(Array.from({ length: readsAtOnceMax }, worker));
  return toldCommitments(own, bindings, pending, nowMs);
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

/** Reads what replicas under way ask for; policies and rules once for all objects. */
class PendingReader {
  readonly #client: KubeClient;
  readonly #unread: Unread;
  readonly #policies = new Map<string, Promise<PropagationSpec | undefined>>();
  readonly #paths = new Map<string, Promise<string>>();
  readonly #interpretations = new Map<string, Promise<Interpretation | undefined>>();

  constructor(federationClient: KubeClient, unread: Unread) {
    this.#client = federationClient;
    this.#unread = unread;
  }

  /** Undefined where its replicas were not divided by room, or it is gone. */
  async requestOf(binding: ResourceBinding): Promise<ReplicaRequest | undefined> {
    const { resource } = binding.spec;
    const cluster = binding.metadata.annotations?.[clusterAnnotation] ?? '';
    const parsed = parseApiVersion(resource.apiVersion);
    const policy = await this.#policyOf(cluster, binding);
    if (parsed === undefined || policy === undefined || !dividesByRoom(policy.placement)) return undefined;
    const gvr = { ...parsed, resource: resource.resource };
    const { namespace, name } = resource;
    const object = await this.#unread.or(
      `objects of other projects whose replicas are under way`,
      () => this.#client.get({ cluster, gvr, namespace, name }),
      undefined,
    );
    if (object === undefined) return undefined;
    const interpretation = await this.#interpretationOf(cluster, gvr, resource.kind);
    return (
      interpretation?.replicas(object)?.request ??
      requestOf(object, { group: gvr.group, resource: gvr.resource, scalable: true })
    );
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
