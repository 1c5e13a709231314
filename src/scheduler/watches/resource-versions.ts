/** Whether revision `a` is newer than `b` (KUBERNETES.md L1: decimal, rising, comparable within one store). */
export function isNewer(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || a === '') return false;
  if (b === undefined || b === '') return true;
  return a.length === b.length ? a > b : a.length > b.length;
}
