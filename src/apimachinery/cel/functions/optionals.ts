import { CelFault, CelList, CelMap, Optional, Uint, type Value } from '../values.ts';
import type { FunctionTable } from './registry.ts';

/** Zero values: what `optional.ofNonZeroValue` takes for nothing. */
function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0 || value === 0n || value === '') return true;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof CelList || value instanceof CelMap) return value.size === 0;
  return false;
}

function elementAt(list: CelList, index: number): Value {
  return list.size === 0 ? Optional.none : new Optional(list.at(index));
}

/** cel-go's optional types. `or` and `orValue` are evaluated lazily by the compiler. */
export function addOptionals(table: FunctionTable): void {
  table
    .add(['optional.of(A) optional(A)'], ([value]) => new Optional(value))
    .add(['optional.none() optional(A)'], () => Optional.none)
    .add(['optional.ofNonZeroValue(A) optional(A)'], ([value]) =>
      isZero(value as Value) ? Optional.none : new Optional(value),
    )
    .add(['list(A)->first() optional(A)'], ([list]) => elementAt(list as CelList, 0))
    .add(['list(A)->last() optional(A)'], ([list]) => elementAt(list as CelList, (list as CelList).size - 1))
    .add(['optional(A)->hasValue() bool'], ([value]) => (value as Optional).value !== undefined)
    .add(
      ['optional(A)->value() A'],
      ([value]) =>
        (value as Optional).value ??
        ((value as Optional).value === null ? null : new CelFault('optional.none() dereference')),
    )
    .add(['optional(A)->or(optional(A)) optional(A)'], ([value, other]) =>
      (value as Optional).value === undefined ? (other as Value) : (value as Value),
    )
    .add(['optional(A)->orValue(A) A'], ([value, other]) => {
      const held = (value as Optional).value;
      return held === undefined ? (other as Value) : held;
    });
}
