import {
  addQuantity,
  compareQuantity,
  isQuantity,
  parseQuantity,
  type Quantity,
  quantityNumber,
  subtractQuantity,
} from '../../quantity.ts';
import { intMax, intMin } from '../lexer.ts';
import { opaqueNamed } from '../types.ts';
import { CelFault, Opaque, type Value } from '../values.ts';
import { traversal } from './costs.ts';
import type { FunctionTable } from './registry.ts';

export const quantityType = opaqueNamed('kubernetes.Quantity');
const nanoPerUnit = 1_000_000_000n;

class QuantityValue extends Opaque {
  readonly type = quantityType;
  readonly quantity: Quantity;

  constructor(quantity: Quantity) {
    super();
    this.quantity = quantity;
  }

  equals(other: Opaque): boolean {
    return other instanceof QuantityValue && compareQuantity(this.quantity, other.quantity) === 0;
  }
}

function quantity(text: string): Value {
  try {
    return new QuantityValue(parseQuantity(text));
  } catch (error) {
    if (error instanceof RangeError) return new CelFault(error.message);
    throw error;
  }
}

const quantityOf = (value: Value): Quantity => (value as QuantityValue).quantity;

/** An operand may be a quantity or a whole number. */
function operandOf(value: Value): Quantity {
  return typeof value === 'bigint' ? { nano: value * nanoPerUnit, format: 'DecimalSI' } : quantityOf(value);
}

function integerOf({ nano }: Quantity): bigint | undefined {
  if (nano % nanoPerUnit !== 0n) return undefined;
  const units = nano / nanoPerUnit;
  return units > intMax || units < intMin ? undefined : units;
}

/** Kubernetes' quantity functions (apiserver/pkg/cel/library/quantity.go). */
export function addQuantities(table: FunctionTable): void {
  const type = 'kubernetes.Quantity';
  const compare = ([a, b]: readonly Value[]): number =>
    compareQuantity(quantityOf(a as Value), quantityOf(b as Value));
  const combine =
    (operation: (a: Quantity, b: Quantity) => Quantity) =>
    ([a, b]: readonly Value[]): Value =>
      new QuantityValue(operation(quantityOf(a as Value), operandOf(b as Value)));
  table
    .add([`quantity(string) ${type}`], ([text]) => quantity(text as string), traversal(0))
    .add(['isQuantity(string) bool'], ([text]) => isQuantity(text as string), traversal(0))
    // Not a member, as all others are (apiserver cel/library/quantity.go).
    .add([`sign(${type}) int`], ([value]) => {
      const { nano } = quantityOf(value as Value);
      return nano > 0n ? 1n : nano < 0n ? -1n : 0n;
    })
    .add([`${type}->isInteger() bool`], ([value]) => integerOf(quantityOf(value as Value)) !== undefined)
    .add([`${type}->asInteger() int`], ([value]) => {
      return integerOf(quantityOf(value as Value)) ?? new CelFault('cannot convert value to integer');
    })
    .add([`${type}->asApproximateFloat() double`], ([value]) => quantityNumber(quantityOf(value as Value)))
    .add([`${type}->isGreaterThan(${type}) bool`], (args) => compare(args) > 0)
    .add([`${type}->isLessThan(${type}) bool`], (args) => compare(args) < 0)
    .add([`${type}->compareTo(${type}) int`], (args) => BigInt(compare(args)))
    .add([`${type}->add(${type}) ${type}`, `${type}->add(int) ${type}`], combine(addQuantity))
    .add([`${type}->sub(${type}) ${type}`, `${type}->sub(int) ${type}`], combine(subtractQuantity));
}
