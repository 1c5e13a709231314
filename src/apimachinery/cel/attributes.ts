import type { Code, Frame } from './frame.ts';
import { indexThrough, optionalIndex } from './functions/operators.ts';
import { CelFault, CelList, CelMap, noOverload, Optional, type Value } from './values.ts';

const qualifierCost = 1;

/**
 * What names something and looks into it. cel-go plans a chain of selections as one attribute (interpreter/planner.go,
 * attributes.go): each of them is a step, and evaluating the whole another one, which it is not where the chain is a branch of
 * `?:`, an index, or what `has` asks about.
 */
export interface Attribute {
  readonly resolve: Code;
  /** Of evaluating it, beside what resolving it costs. */
  readonly evaluationCost: number;
}

/** How a field is looked for in a value; undefined: it is absent. */
type ReadField = (value: Value) => Value | undefined;

/** What `has` asks about. */
export function presenceOf({ resolve: operand, evaluationCost }: Attribute, read: ReadField): Attribute {
  const resolve = (frame: Frame): Value => {
    const value = operand(frame);
    if (value instanceof CelFault) return value;
    const found = read(value);
    if (value instanceof Optional) {
      const isThere = found instanceof Optional && found.value !== undefined;
      if (isThere) frame.spend(qualifierCost);
      return found instanceof CelFault ? found : isThere;
    }
    frame.spend(qualifierCost);
    return found instanceof CelFault ? found : found !== undefined;
  };
  // Kubernetes takes back what a presence test costs (cel/environment/base.go), which is less than nothing after `?:`.
  return { resolve, evaluationCost: evaluationCost - 1 };
}

/** `a.?b` */
export function optionalFieldOf({ resolve: operand, evaluationCost }: Attribute, read: ReadField): Attribute {
  const resolve = (frame: Frame): Value => {
    const value = operand(frame);
    if (value instanceof CelFault) return value;
    const found = read(value);
    if (found === undefined) return Optional.none;
    if (found instanceof CelFault) return found;
    return spendIfThere(frame, found instanceof Optional ? found : new Optional(found));
  };
  return { resolve, evaluationCost };
}

/** `a.b` */
export function fieldOf(
  { resolve: operand, evaluationCost }: Attribute,
  read: ReadField,
  field: string,
): Attribute {
  const absent = new CelFault(`no such key: ${field}`);
  const resolve = (frame: Frame): Value => {
    const value = operand(frame);
    if (value instanceof CelFault) return value;
    if (value instanceof Optional) return spendIfThere(frame, read(value) ?? Optional.none);
    frame.spend(qualifierCost);
    const found = read(value);
    return found === undefined ? absent : found;
  };
  return { resolve, evaluationCost };
}

/** `a[b]`, `a[?b]` */
export function itemOf(
  { resolve: operand, evaluationCost }: Attribute,
  keyOf: Code,
  isOptional: boolean,
): Attribute {
  const look = isOptional ? optionalIndex : indexThrough;
  const resolve = (frame: Frame): Value => {
    const a = operand(frame);
    if (a instanceof CelFault) return a;
    const mayBeAbsent = isOptional || a instanceof Optional;
    if (a instanceof Optional && a.value === undefined) return a;
    const b = keyOf(frame);
    const found = b instanceof CelFault ? b : look(a, b);
    if (mayBeAbsent) return spendIfThere(frame, found);
    frame.spend(qualifierCost);
    return found;
  };
  return { resolve, evaluationCost };
}

/** `a ? b : c` */
export function branchOf(condition: Code, then: Code, otherwise: Code): Attribute {
  const resolve = (frame: Frame): Value => {
    const value = condition(frame);
    if (value === true) return then(frame);
    if (value === false) return otherwise(frame);
    return value instanceof CelFault ? value : noOverload;
  };
  return { resolve, evaluationCost: 0 };
}

/** A step that is taken where there is something (cel-go's QualifyIfPresent). */
function spendIfThere(frame: Frame, found: Value): Value {
  if (found instanceof Optional && found.value !== undefined) frame.spend(qualifierCost);
  return found;
}

const unsupportedIndex = new CelFault("unsupported index type 'string' in list");

/** Undefined when absent, as it is in whatever has no fields (cel-go interpreter refQualify). */
export function selectField(value: Value, field: string): Value | undefined {
  if (value instanceof CelMap) return value.get(field);
  if (value instanceof Optional) {
    if (value.value === undefined) return value;
    const found = selectField(value.value, field);
    if (found === undefined) return Optional.none;
    return found instanceof CelFault || found instanceof Optional ? found : new Optional(found);
  }
  return value instanceof CelList ? unsupportedIndex : undefined;
}
