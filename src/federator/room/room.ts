import { podResources } from '#api/builtin/pod-resources.ts';
import { objectAt, textAt } from '#api/builtin/read.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import {
  formatQuantity,
  type Quantity,
  quantityIn,
  quantityMilliValue,
  quantityValue,
} from '#apimachinery/quantity.ts';
import { type Amounts, nodeGroupsOf } from './node-groups.ts';

/** What is remembered of a node. */
export interface NodeRoom extends KubeObject {
  /** Ready, and open to new pods. */
  readonly usable: boolean;
  readonly allocatable: Amounts;
}

/** What is remembered of a pod that has not ended. */
export interface PodRoom extends KubeObject {
  /** '' while it has none. */
  readonly node: string;
  readonly requests: Amounts;
}

/** Quantities by resource, in their canonical form. */
export type Quantities = { readonly [resource: string]: string };

export interface RoomSums {
  readonly allocatable: Quantities;
  readonly allocated: Quantities;
  /** What is free on usable nodes, those together that have about as much. */
  readonly nodeRoom: readonly { readonly nodes: number; readonly free: Quantities }[];
}

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
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, resourceVersion },
    usable: isReady && objectAt(node, 'spec')?.['unschedulable'] !== true,
    allocatable,
  };
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
  };
}

export function sameNodeRoom(a: NodeRoom, b: NodeRoom): boolean {
  return a.usable === b.usable && sameAmounts(a.allocatable, b.allocatable);
}

export function samePodRoom(a: PodRoom, b: PodRoom): boolean {
  return a.node === b.node && sameAmounts(a.requests, b.requests);
}

/**
 * What usable nodes have, and what pods on them ask for with those that wait for a node. A node that is cordoned or not ready
 * counts for nothing, nor do its pods: what is free there is free for nobody. Karmada sums all nodes
 * (pkg/controllers/status/cluster_status_controller.go); resources that only unusable nodes have are told as none. What no one
 * node has as a whole is no room for a replica that asks for it: `nodeRoom`.
 */
export function roomSums(nodes: Iterable<NodeRoom>, pods: Iterable<PodRoom>): RoomSums {
  const allocatable: Amounts = {};
  const free = new Map<string, Amounts>();
  for (const node of nodes) {
    add(allocatable, node.allocatable, node.usable ? 1 : 0);
    if (node.usable) free.set(node.metadata.name ?? '', { ...node.allocatable });
  }
  const allocated: Amounts = {};
  for (const pod of pods) {
    const left = free.get(pod.node);
    if (pod.node !== '' && left === undefined) continue;
    add(allocated, pod.requests, 1);
    if (left !== undefined) take(left, pod.requests);
  }
  const told = toldResources(allocatable);
  return {
    allocatable: quantitiesOf(allocatable),
    allocated: quantitiesOf(allocated),
    nodeRoom: nodeGroupsOf(Array.from(free.values(), (left) => positive(left, told))).map((group) => ({
      nodes: group.nodes,
      free: quantitiesOf(group.free),
    })),
  };
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
