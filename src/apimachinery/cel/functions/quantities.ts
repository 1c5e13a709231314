import { isQuantity } from '../../quantity.ts';
import { opaqueNamed } from '../types.ts';
import { CelFault, Opaque, type Value } from '../values.ts';
import { traversal } from './costs.ts';
import {
  type Amount,
  addAmounts,
  amountOf,
  amountOfInteger,
  compareAmounts,
  integerOf,
  numberOf,
  subtractAmounts,
} from './quantity-amount.ts';
import type { FunctionTable } from './registry.ts';

export const quantityType = opaqueNamed('kubernetes.Quantity');

class QuantityValue extends Opaque {
  readonly type = quantityType;
  readonly amount: Amount;

  constructor(amount: Amount) {
    super();
    this.amount = amount;
  }

  equals(other: Opaque): boolean {
    return other instanceof QuantityValue && compareAmounts(this.amount, other.amount) === 0;
  }
}

function quantity(text: string): Value {
  try {
    return new QuantityValue(amountOf(text));
  } catch (error) {
    if (error instanceof RangeError) return new CelFault(error.message);
    throw error;
  }
}

const amountIn = (value: Value): Amount => (value as QuantityValue).amount;

/** An operand may be a quantity or a whole number. */
function operandOf(value: Value): Amount {
  return typeof value === 'bigint' ? amountOfInteger(value) : amountIn(value);
}

/** Kubernetes' quantity functions (apiserver/pkg/cel/library/quantity.go). */
export function addQuantities(table: FunctionTable): void {
  const type = 'kubernetes.Quantity';
  const compare = ([a, b]: readonly Value[]): number =>
    compareAmounts(amountIn(a as Value), amountIn(b as Value));
  const combine =
    (operation: (a: Amount, b: Amount) => Amount) =>
    ([a, b]: readonly Value[]): Value =>
      new QuantityValue(operation(amountIn(a as Value), operandOf(b as Value)));
  table
    .add([`quantity(string) ${type}`], ([text]) => quantity(text as string), traversal(0))
    .add(['isQuantity(string) bool'], ([text]) => isQuantity(text as string), traversal(0))
    // Not a member, as all others are (apiserver cel/library/quantity.go).
    .add([`sign(${type}) int`], ([value]) => {
      const { unscaled } = amountIn(value as Value);
      return unscaled > 0n ? 1n : unscaled < 0n ? -1n : 0n;
    })
    .add([`${type}->isInteger() bool`], ([value]) => integerOf(amountIn(value as Value)) !== undefined)
    .add([`${type}->asInteger() int`], ([value]) => {
      return integerOf(amountIn(value as Value)) ?? new CelFault('cannot convert value to integer');
    })
    .add([`${type}->asApproximateFloat() double`], ([value]) => numberOf(amountIn(value as Value)))
    .add([`${type}->isGreaterThan(${type}) bool`], (args) => compare(args) > 0)
    .add([`${type}->isLessThan(${type}) bool`], (args) => compare(args) < 0)
    .add([`${type}->compareTo(${type}) int`], (args) => BigInt(compare(args)))
    .add([`${type}->add(${type}) ${type}`, `${type}->add(int) ${type}`], combine(addAmounts))
    .add([`${type}->sub(${type}) ${type}`, `${type}->sub(int) ${type}`], combine(subtractAmounts));
}
