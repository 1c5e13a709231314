import { type ApplyType, deduced, memberType } from './apply-type.ts';
import { type FieldSet, type FieldSetDraft, isEmptySet, leaf } from './field-set.ts';
import { self } from './path-element.ts';

/**
 * The set as the schema of today sees it: where a list or map has become atomic since the set was recorded, whoever
 * owned something in it owns the whole. (The other way round nothing is done: a leaf may also stand for a map that was
 * applied empty.) Returns `set` itself when it fits.
 */
export function reconcileSet(type: ApplyType | undefined, set: FieldSet): FieldSet {
  if (type === undefined || isEmptySet(set)) return set;
  let result: FieldSetDraft | undefined;
  for (const element in set) {
    if (element === self) continue;
    const child = set[element] as FieldSet;
    if (isEmptySet(child)) continue;
    const childType = element.startsWith('f:') ? memberType(type, element.slice(2)) : elementType(type);
    const fitting = isAtomic(childType) ? leaf : reconcileSet(childType, child);
    if (fitting === child) continue;
    result ??= { ...set };
    result[element] = fitting;
  }
  return result ?? set;
}

function elementType(type: ApplyType): ApplyType | undefined {
  return type.form === 'deduced' ? deduced : type.element;
}

function isAtomic(type: ApplyType | undefined): boolean {
  return type?.form === 'atomicList' || type?.form === 'atomicMap';
}
