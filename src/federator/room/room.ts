import { podResources } from '#api/builtin/pod-resources.ts';
import { objectAt, textAt } from '#api/builtin/read.ts';
import type { NodeKindsTold, NodeTaint, UnschedulableTold } from '#api/federation/cell.ts';
import { equalJson, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import {
  formatQuantity,
  type Quantity,
  quantityIn,
  quantityMilliValue,
  quantityValue,
} from '#apimachinery/quantity.ts';
import { type Amounts, nodeGroupsMax, nodeGroupsOf } from './node-groups.ts';
import { type NodeKinds, type NodeMarks, nodeKindsOf } from './node-kinds.ts';
import { WaitingPods, type Workload, waitingWorkloadOf } from './waiting-pods.ts';

/** What is remembered of a node. */
export interface NodeRoom extends KubeObject, NodeMarks {
  /** Ready, and open to new pods. */
  readonly usable: boolean;
  readonly allocatable: Amounts;
}

/** What is remembered of a pod that has not ended. */
export interface PodRoom extends KubeObject {
  /** '' while it has none. */
  readonly node: string;
  readonly requests: Amounts;
  /** What it is a replica of, while the edge has no node for it. */
  readonly waitsFor?: Workload | undefined;
}

/** Quantities by resource, in their canonical form. */
export type Quantities = { readonly [resource: string]: string };

export interface RoomSums {
  readonly allocatable: Quantities;
  readonly allocated: Quantities;
  /** What is free on usable nodes, those together that have about as much. */
  readonly nodeRoom: readonly { readonly nodes: number; readonly free: Quantities; readonly kind?: number }[];
  /** Undefined: they are of more kinds than are told. */
  readonly nodeKinds: NodeKindsTold | undefined;
  readonly unschedulable: UnschedulableTold;
}

/** Of one node so many labels are remembered, in their order. */
const nodeLabelsMax = 128;

export function nodeRoomOf(node: KubeObject): NodeRoom {
  const { name = '', resourceVersion = '' } = node.metadata;
  const conditions = objectAt(node, 'status')?.['conditions'];
  const isReady =
    Array.isArray(conditions) &&
    conditions.some((one) => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True');
  const allocatable: Amounts = {};
  const told = objectAt(node, 'status', 'allocatable');
  for (const resource in told) {
    const amount = quantityIn(told[resource]);
    if (amount !== undefined) allocatable[resource] = amountOf(resource, amount);
  }
  const labels = Object.entries(node.metadata.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, resourceVersion },
    name,
    labels: Object.fromEntries(labels.slice(0, nodeLabelsMax)),
    hasMoreLabels: labels.length > nodeLabelsMax,
    taints: taintsOf(node),
    usable: isReady && objectAt(node, 'spec')?.['unschedulable'] !== true,
    allocatable,
  };
}

function taintsOf(node: KubeObject): NodeTaint[] {
  const told = objectAt(node, 'spec')?.['taints'];
  if (!Array.isArray(told)) return [];
  const taints: NodeTaint[] = [];
  for (const one of told) {
    const effect = textAt(one, 'effect');
    if (effect !== 'NoSchedule' && effect !== 'NoExecute') continue;
    const key = textAt(one, 'key');
    const value = textAt(one, 'value');
    taints.push(value === '' ? { key, effect } : { key, value, effect });
  }
  return taints.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** Undefined: the pod has ended, and takes nothing. */
export function podRoomOf(pod: KubeObject): PodRoom | undefined {
  const phase = textAt(pod, 'status', 'phase');
  if (phase === 'Succeeded' || phase === 'Failed') return undefined;
  const { name = '', namespace = '', resourceVersion = '' } = pod.metadata;
  const requests: Amounts = { pods: 1 };
  for (const [resource, quantity] of podResources(objectAt(pod, 'spec') ?? {}, 'requests')) {
    requests[resource] = amountOf(resource, quantity);
  }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, resourceVersion },
    node: textAt(pod, 'spec', 'nodeName'),
    requests,
    waitsFor: waitingWorkloadOf(pod),
  };
}

export function sameNodeRoom(a: NodeRoom, b: NodeRoom): boolean {
  return a.usable === b.usable && sameAmounts(a.allocatable, b.allocatable) && sameMarks(a, b);
}

export function sameMarks(a: NodeMarks, b: NodeMarks): boolean {
  return (
    a.hasMoreLabels === b.hasMoreLabels && equalJson(a.labels, b.labels) && equalJson(a.taints, b.taints)
  );
}

export function samePodRoom(a: PodRoom, b: PodRoom): boolean {
  return a.node === b.node && sameWorkload(a.waitsFor, b.waitsFor) && sameAmounts(a.requests, b.requests);
}

/**
 * What usable nodes have, and what pods on them ask for with those that wait for a node. A node that is cordoned or not ready
 * counts for nothing, nor do its pods: what is free there is free for nobody. Karmada sums all nodes
 * (pkg/controllers/status/cluster_status_controller.go); resources that only unusable nodes have are told as none. What no one
 * node has as a whole is no room for a replica that asks for it: `nodeRoom`. `kinds`: of the nodes, where that is known already.
 */
export function roomSums(
  nodes: Iterable<NodeRoom>,
  pods: Iterable<PodRoom>,
  kinds: NodeKinds = kindsOfUsable(nodes),
): RoomSums {
  const allocatable: Amounts = {};
  const free = new Map<string, Amounts>();
  for (const node of nodes) {
    add(allocatable, node.allocatable, node.usable ? 1 : 0);
    if (node.usable) free.set(node.metadata.name ?? '', { ...node.allocatable });
  }
  const allocated: Amounts = {};
  const waiting = new WaitingPods();
  for (const pod of pods) {
    if (pod.waitsFor !== undefined) waiting.add(pod.metadata.namespace ?? '', pod.waitsFor);
    const left = free.get(pod.node);
    if (pod.node !== '' && left === undefined) continue;
    add(allocated, pod.requests, 1);
    if (left !== undefined) take(left, pod.requests);
  }
  const told = toldResources(allocatable);
  const groups = nodeGroupsOf(
    Array.from(free.values(), (left) => positive(left, told)),
    nodeGroupsMax + Math.max(0, (kinds.told?.kinds.length ?? 1) - 1),
    Array.from(free.keys(), (name) => kinds.kindOf.get(name) ?? 0),
  );
  return {
    allocatable: quantitiesOf(allocatable),
    allocated: quantitiesOf(allocated),
    nodeRoom: groups.map((group) => ({
      nodes: group.nodes,
      free: quantitiesOf(group.free),
      ...(kinds.told === undefined ? {} : { kind: group.kind }),
    })),
    nodeKinds: kinds.told,
    unschedulable: waiting.told(),
  };
}

function sameWorkload(a: Workload | undefined, b: Workload | undefined): boolean {
  return a?.kind === b?.kind && a?.name === b?.name;
}

export function kindsOfUsable(nodes: Iterable<NodeRoom>): NodeKinds {
  return nodeKindsOf([...nodes].filter(({ usable }) => usable));
}

/** Of single nodes at most so many resources are told; of further ones the sums alone. */
const nodeResourcesMax = 8;
const firstTold = ['cpu', 'memory', 'pods'];

function toldResources(allocatable: Amounts): readonly string[] {
  const others = Object.keys(allocatable).filter(
    (resource) => !firstTold.includes(resource) && (allocatable[resource] ?? 0) > 0,
  );
  return [...firstTold, ...others.sort()].slice(0, nodeResourcesMax);
}

function positive(free: Amounts, resources: readonly string[]): Amounts {
  const left: Amounts = {};
  for (const resource of resources) {
    const amount = free[resource] ?? 0;
    if (amount > 0) left[resource] = amount;
  }
  return left;
}

function take(left: Amounts, requests: Amounts): void {
  for (const resource in requests) left[resource] = (left[resource] ?? 0) - (requests[resource] as number);
}

function add(total: Amounts, more: Amounts, times: 0 | 1): void {
  for (const resource in more) total[resource] = (total[resource] ?? 0) + times * (more[resource] ?? 0);
}

function sameAmounts(a: Amounts, b: Amounts): boolean {
  for (const resource in a) if (a[resource] !== b[resource]) return false;
  for (const resource in b) if (a[resource] === undefined) return false;
  return true;
}

function amountOf(resource: string, quantity: Quantity): number {
  return Number(resource === 'cpu' ? quantityMilliValue(quantity) : quantityValue(quantity));
}

function quantitiesOf(amounts: Readonly<Amounts>): Quantities {
  const quantities: JsonObject & { [resource: string]: string } = {};
  for (const resource of Object.keys(amounts).sort()) {
    const amount = BigInt(amounts[resource] ?? 0);
    quantities[resource] =
      resource === 'cpu'
        ? formatQuantity({ nano: amount * 1_000_000n, format: 'DecimalSI' })
        : formatQuantity({
            nano: amount * 1_000_000_000n,
            format: isBytes(resource) ? 'BinarySI' : 'DecimalSI',
          });
  }
  return quantities;
}

function isBytes(resource: string): boolean {
  return resource === 'memory' || resource === 'ephemeral-storage' || resource.startsWith('hugepages-');
}
