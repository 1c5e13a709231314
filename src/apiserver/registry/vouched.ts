import type { KubeObject } from '#apimachinery/object.ts';

/**
 * Objects of built-in kinds that fitted their schema when they were decoded, and to which only our own code has added
 * since (defaults, identity, managedFields): the walk over the schema that comes before storing is spared them.
 */
const vouched = new WeakSet<KubeObject>();
/** The last one, which mostly is asked for before there is another: a set that all objects enter costs the collector. */
let last: KubeObject | undefined;

/** Says that `object` fits the schema of its version, and will when its defaults are in. */
export function vouchFor(object: KubeObject): void {
  if (last !== undefined) vouched.add(last);
  last = object;
}

/** Whether somebody has vouched for `object`; once. To be asked before, or instead of, whatever others may change. */
export function takeVoucher(object: KubeObject): boolean {
  if (object !== last) return vouched.delete(object);
  last = undefined;
  return true;
}
