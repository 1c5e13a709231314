import { parseApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CopyKey } from '../cell/copy-keys.ts';

/**
 * Which objects of a cell an autoscaler copy scales: their replicas are the edge's to decide (DESIGN.md, Downsync).
 * A target is `<group>/<Kind>|<namespace>/<name>`.
 */
export class AutoscaledTargets {
  readonly #targetOf = new Map<CopyKey, string>();
  readonly #counts = new Map<string, number>();

  learn(autoscalerKey: CopyKey, autoscaler: KubeObject): void {
    this.forget(autoscalerKey);
    const spec = autoscaler['spec'];
    const ref = isJsonObject(spec) ? spec['scaleTargetRef'] : undefined;
    if (!isJsonObject(ref)) return;
    const { kind, name, apiVersion } = ref;
    if (typeof kind !== 'string' || typeof name !== 'string') return;
    const group = typeof apiVersion === 'string' ? (parseApiVersion(apiVersion)?.group ?? '') : '';
    const target = `${group}/${kind}|${autoscaler.metadata.namespace ?? ''}/${name}`;
    this.#targetOf.set(autoscalerKey, target);
    this.#counts.set(target, (this.#counts.get(target) ?? 0) + 1);
  }

  forget(autoscalerKey: CopyKey): void {
    const target = this.#targetOf.get(autoscalerKey);
    if (target === undefined) return;
    this.#targetOf.delete(autoscalerKey);
    const count = (this.#counts.get(target) ?? 1) - 1;
    if (count <= 0) this.#counts.delete(target);
    else this.#counts.set(target, count);
  }

  has(target: string): boolean {
    return this.#counts.has(target);
  }
}
