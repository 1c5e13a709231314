/** A taint of a node or a cell, as far as it is told in words. */
export interface TaintWords {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

/** As `kubectl taint` writes it: `<key>=<value>:<effect>`, or `<key>:<effect>` without a value. */
export function taintText({ key, value = '', effect }: TaintWords): string {
  return `${key}${value === '' ? '' : `=${value}`}:${effect}`;
}
