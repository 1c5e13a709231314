import { type ApplyType, deduced, memberType } from './apply-type.ts';
import { type FieldSet, type FieldSetDraft, isMember, leaf } from './field-set.ts';
import { self } from './path-element.ts';

/**
 * The set with every declared field on the way to a member made a member too (upstream: EnsureNamedFieldsAreMembers).
 * Claims leave out such fields; removing what nobody claims must count them, or emptied structs would stay behind.
 */
export function withNamedFields(type: ApplyType | undefined, set: FieldSet): FieldSet {
  const result: FieldSetDraft = {};
  for (const element in set) {
    if (element === self) {
      result[self] = leaf;
      continue;
    }
    const child = set[element] as FieldSet;
    const name = element.startsWith('f:') ? element.slice(2) : undefined;
    const childType = childTypeOf(type, name);
    const nested = withNamedFields(childType, child);
    const declared = name !== undefined && type !== undefined && type.fields?.has(name) === true;
    result[element] = declared && !isMember(nested) ? { [self]: leaf, ...nested } : nested;
  }
  return result;
}

function childTypeOf(type: ApplyType | undefined, name: string | undefined): ApplyType | undefined {
  if (type === undefined) return undefined;
  if (name !== undefined) return memberType(type, name);
  return type.form === 'deduced' ? deduced : type.element;
}
