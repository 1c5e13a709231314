import type { KubeObject } from '#apimachinery/object.ts';

/**
 * Objects of built-in kinds that fitted their schema when they were decoded, and to which only our own code has added
 * since (defaults, identity, managedFields): the walk over the schema that comes before storing is spared them.
 */
const vouched = new WeakSet<KubeObject>();

/** Says that `object` fits the schema of its version, and will when its defaults are in. */
export function vouchFor(object: KubeObject): void {
  vouched.add(object);
}

/** Whether somebody has vouched for `object`; once. To be asked before, or instead of, whatever others may change. */
export function takeVoucher(object: KubeObject): boolean {
  return vouched.delete(object);
}
