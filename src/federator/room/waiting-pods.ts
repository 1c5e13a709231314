import { objectAt, textAt } from '#api/builtin/read.ts';
import type { UnschedulableTold, UnschedulableWorkload } from '#api/federation/cell.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** What a pod is a replica of, in its namespace at the edge. */
export interface Workload extends JsonObject {
  readonly kind: string;
  readonly name: string;
}

/** So many workloads are told of a cell, those first of which most pods wait: some 10 KB with names of usual length. */
export const waitingWorkloadsMax = 64;

/** Labels by which ReplicaSets of one owner are told apart; their names end in its value (Deployment; Argo's Rollout). */
const hashLabels = [
  ['pod-template-hash', 'Deployment'],
  ['rollouts-pod-template-hash', 'Rollout'],
] as const;

/**
 * The workload of a pod that the edge's scheduler has found no node for (`PodScheduled` is False as `Unschedulable`). Undefined where it
 * runs or may yet, has no controller, or one with a replica for each node.
 */
export function waitingWorkloadOf(pod: KubeObject): Workload | undefined {
  if (textAt(pod, 'spec', 'nodeName') !== '' || !isUnschedulable(pod)) return undefined;
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined || owner.kind === 'DaemonSet') return undefined;
  const { kind, name } = owner;
  if (kind !== 'ReplicaSet') return { kind, name };
  for (const [label, ownerKind] of hashLabels) {
    const suffix = `-${pod.metadata.labels?.[label] ?? ''}`;
    if (suffix.length > 1 && name.length > suffix.length && name.endsWith(suffix))
      return { kind: ownerKind, name: name.slice(0, -suffix.length) };
  }
  return { kind, name };
}

function isUnschedulable(pod: KubeObject): boolean {
  const conditions = objectAt(pod, 'status')?.['conditions'];
  return (
    Array.isArray(conditions) &&
    conditions.some(
      (one) =>
        textAt(one, 'type') === 'PodScheduled' &&
        textAt(one, 'status') === 'False' &&
        textAt(one, 'reason') === 'Unschedulable',
    )
  );
}

/** Counts pods by workload; what it tells is the same for the same pods, whatever their order. */
export class WaitingPods {
  readonly #counts = new Map<string, UnschedulableWorkload>();

  add(namespace: string, { kind, name }: Workload): void {
    const key = `${namespace}/${kind}/${name}`;
    const present = this.#counts.get(key);
    if (present === undefined) this.#counts.set(key, { kind, namespace, name, pods: 1 });
    else present.pods++;
  }

  told(): UnschedulableTold {
    const all = [...this.#counts].sort(([a, x], [b, y]) => y.pods - x.pods || (a < b ? -1 : 1));
    const workloads = all.slice(0, waitingWorkloadsMax).sort(([a], [b]) => (a < b ? -1 : 1));
    const untold = all.slice(waitingWorkloadsMax).reduce((sum, [, { pods }]) => sum + pods, 0);
    return { workloads: workloads.map(([, one]) => one), ...(untold === 0 ? {} : { others: untold }) };
  }
}
