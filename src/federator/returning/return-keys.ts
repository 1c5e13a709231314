import { type ReturnKind, returnKindKey, returnKindOf } from '#api/federation/return-contract.ts';
import type { ReturnedObject } from '#api/federation/returned-object.ts';

export interface ReturnKey {
  /** `returnKindKey`. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** `<key of the kind>|<namespace>/<name>`. */
export function keyOf(kind: ReturnKind, namespace: string, name: string): string {
  return `${returnKindKey(kind)}|${namespace}/${name}`;
}

export function partsOf(key: string): ReturnKey {
  const bar = key.indexOf('|');
  const slash = key.indexOf('/', bar);
  return { kind: key.slice(0, bar), namespace: key.slice(bar + 1, slash), name: key.slice(slash + 1) };
}

/** Of one that names no kind that comes back: a key that nothing stands under. */
export function keyOfReturned({ metadata, spec }: ReturnedObject): string {
  const kind = returnKindOf(spec) ?? { group: '', version: '', kind: spec.kind };
  return keyOf(kind, metadata.namespace ?? '', spec.name);
}
