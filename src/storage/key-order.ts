/**
 * The one order of keys in every store: by UTF-16 code units, which for ASCII keys is the order of their bytes. Stores
 * that compare bytes encode keys so that both orders agree (level/key-codec.ts).
 */
export function compareKeys(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The least string greater than every string that starts with `prefix`; undefined when there is none (empty prefix). */
export function prefixEnd(prefix: string): string | undefined {
  for (let index = prefix.length - 1; index >= 0; index--) {
    const unit = prefix.charCodeAt(index);
    if (unit < 0xffff) return prefix.slice(0, index) + String.fromCharCode(unit + 1);
  }
  return undefined;
}
