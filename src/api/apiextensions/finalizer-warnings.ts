import { labelKey } from '#apimachinery/names.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { isQualifiedFinalizer } from '#apimachinery/standard-finalizers.ts';

/**
 * What is told of a custom object's finalizers that are new: those of built-in kinds are refused where these are warned of
 * (apiextensions-apiserver's customresource strategy, generateWarningsFromObj).
 */
export function finalizerWarnings({ metadata }: KubeObject, old: KubeObject | undefined): string[] {
  const { finalizers } = metadata;
  if (finalizers === undefined || finalizers.length === 0) return [];
  const before = new Set(old?.metadata.finalizers);
  const added = new Set(finalizers.filter((one) => !before.has(one)));
  return [...added].sort().flatMap((finalizer) => {
    const told = [...labelKey(finalizer)];
    if (!isQualifiedFinalizer(finalizer)) {
      const how = finalizer.includes('.') ? ' including a path (/)' : '';
      told.push(
        `prefer a domain-qualified finalizer name${how} to avoid accidental conflicts with other finalizer writers`,
      );
    }
    return told.map((one) => `metadata.finalizers: ${JSON.stringify(finalizer)}: ${one}`);
  });
}
