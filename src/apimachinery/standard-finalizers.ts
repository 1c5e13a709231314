/** Finalizers that need no domain (core/v1 FinalizerKubernetes, metav1 FinalizerOrphanDependents, FinalizerDeleteDependents). */
const standardFinalizers: ReadonlySet<string> = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/** Whether a finalizer is of a domain, or one of those that need none. */
export function isQualifiedFinalizer(finalizer: string): boolean {
  return finalizer.includes('/') || standardFinalizers.has(finalizer);
}
