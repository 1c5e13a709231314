import { parseApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { type CopyKey, copyKeyOf } from '../cell/copy-keys.ts';

/** The kinds of which an autoscaler may own spec.replicas (apply-form.ts), as a target names them. */
const scalableResources: { readonly [groupKind: string]: string } = {
  'apps/Deployment': 'deployments',
  'apps/StatefulSet': 'statefulsets',
  'apps/ReplicaSet': 'replicasets',
  '/ReplicationController': 'replicationcontrollers',
};

export const autoscalersResource = { group: 'autoscaling', resource: 'horizontalpodautoscalers' } as const;

export function isAutoscaler(place: { readonly group: string; readonly resource: string }): boolean {
  return place.group === autoscalersResource.group && place.resource === autoscalersResource.resource;
}

/** Which objects of a cell an autoscaler copy scales: their replicas are the edge's to decide (DESIGN.md, Downsync). */
export class AutoscaledTargets {
  readonly #targetOf = new Map<CopyKey, CopyKey>();
  readonly #counts = new Map<CopyKey, number>();

  /** Returns the targets of which the answer of `has` has changed. */
  learn(autoscalerKey: CopyKey, autoscaler: KubeObject): CopyKey[] {
    const target = targetOf(autoscaler);
    const before = this.#targetOf.get(autoscalerKey);
    if (before === target) return [];
    const changed = this.forget(autoscalerKey);
    if (target === undefined) return changed;
    this.#targetOf.set(autoscalerKey, target);
    const count = this.#counts.get(target) ?? 0;
    this.#counts.set(target, count + 1);
    return count === 0 ? [...changed, target] : changed;
  }

  forget(autoscalerKey: CopyKey): CopyKey[] {
    const target = this.#targetOf.get(autoscalerKey);
    if (target === undefined) return [];
    this.#targetOf.delete(autoscalerKey);
    const count = (this.#counts.get(target) ?? 1) - 1;
    if (count > 0) {
      this.#counts.set(target, count);
      return [];
    }
    this.#counts.delete(target);
    return [target];
  }

  has(key: CopyKey): boolean {
    return this.#counts.has(key);
  }
}

function targetOf(autoscaler: KubeObject): CopyKey | undefined {
  const spec = autoscaler['spec'];
  const ref = isJsonObject(spec) ? spec['scaleTargetRef'] : undefined;
  if (!isJsonObject(ref)) return undefined;
  const { kind, name, apiVersion } = ref;
  if (typeof kind !== 'string' || typeof name !== 'string') return undefined;
  const group = typeof apiVersion === 'string' ? (parseApiVersion(apiVersion)?.group ?? '') : '';
  const resource = scalableResources[`${group}/${kind}`];
  if (resource === undefined) return undefined;
  const { namespace = '' } = autoscaler.metadata;
  return copyKeyOf({ group, resource, namespace, name });
}
