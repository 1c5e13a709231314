import { parseQuantity } from '../../quantity.ts';
import { intMax, intMin } from '../lexer.ts';

/**
 * A quantity as expressions reckon with it (k8s.io/apimachinery/pkg/api/resource): a whole number of 64 bits and a power of ten as
 * long as both do, else a decimal number of any size. Which of them it is shows: a decimal number is no integer, whatever its value,
 * and neither is `1000m`.
 */
export interface Amount {
  /** The value is `unscaled * 10 ** exponent`. */
  readonly unscaled: bigint;
  /** At least -9. */
  readonly exponent: number;
  readonly isDecimal: boolean;
}

/** Digits that surely fit into 64 bits. */
const plainDigitsMax = 18;
const exponentMin = -9;
/** What is larger is taken for it, as parseQuantity has it: a hostile exponent must not make a huge number. */
const exponentMax = 391;

const form = /^[+-]?0*([0-9]*)(?:\.([0-9]*))?(.*)$/;
const binarySuffixes: readonly string[] = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const decimalExponents: Readonly<Record<string, number>> = {
  ...{ n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 },
};

/** Throws RangeError as parseQuantity does. */
export function amountOf(text: string): Amount {
  const { nano, format } = parseQuantity(text);
  const [, whole = '', fraction = '', suffix = ''] = form.exec(text) as RegExpExecArray;
  const digits = (whole === '' ? '0' : whole) + fraction;
  const sign = text.startsWith('-') ? -1n : 1n;
  const isBinary = format === 'BinarySI';
  const plain = isBinary
    ? binaryAmount(digits, fraction, suffix)
    : decimalAmount(digits, fraction, decimalExponents[suffix] ?? Number(suffix.slice(1)));
  if (plain !== undefined) return { ...plain, unscaled: sign * plain.unscaled };
  // A binary quantity that was capped.
  if (isBinary && (nano === intMax * 10n ** 9n || nano === -intMax * 10n ** 9n))
    return { unscaled: nano / 10n ** 9n, exponent: 0, isDecimal: true };
  return { unscaled: nano, exponent: exponentMin, isDecimal: true };
}

function decimalAmount(digits: string, fraction: string, power: number): Amount | undefined {
  const exponent = Math.min(power - fraction.length, exponentMax);
  if (digits.length > plainDigitsMax || exponent < exponentMin) return undefined;
  return { unscaled: BigInt(digits), exponent, isDecimal: false };
}

function binaryAmount(digits: string, fraction: string, suffix: string): Amount | undefined {
  const power = (binarySuffixes.indexOf(suffix) + 1) * 10;
  // About as many decimal digits as the power has are left for the number.
  if (fraction !== '' || digits.length + (power * 3) / 10 > 14) return undefined;
  const unscaled = BigInt(digits) << BigInt(power);
  return unscaled > intMax ? undefined : { unscaled, exponent: 0, isDecimal: false };
}

export function amountOfInteger(value: bigint): Amount {
  return { unscaled: value, exponent: 0, isDecimal: false };
}

export function addAmounts(a: Amount, b: Amount): Amount {
  if (a.isDecimal || b.isDecimal) return addDecimals(a, b);
  if (b.unscaled === 0n) return a;
  if (a.unscaled === 0n) return b;
  const exponent = Math.min(a.exponent, b.exponent);
  const [x, y] = [scaledTo(a, exponent), scaledTo(b, exponent)];
  const sum = x + y;
  return isWhole(x) && isWhole(y) && isWhole(sum)
    ? { unscaled: sum, exponent, isDecimal: false }
    : addDecimals(a, b);
}

export function subtractAmounts(a: Amount, b: Amount): Amount {
  return addAmounts(a, { ...b, unscaled: -b.unscaled });
}

function addDecimals(a: Amount, b: Amount): Amount {
  const exponent = Math.min(a.exponent, b.exponent);
  return { unscaled: scaledTo(a, exponent) + scaledTo(b, exponent), exponent, isDecimal: true };
}

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`. */
export function compareAmounts(a: Amount, b: Amount): number {
  const exponent = Math.min(a.exponent, b.exponent);
  const [x, y] = [scaledTo(a, exponent), scaledTo(b, exponent)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Undefined where Kubernetes does not hold it as a whole number of 64 bits (Quantity.AsInt64). */
export function integerOf(amount: Amount): bigint | undefined {
  if (amount.isDecimal || amount.exponent < 0) return undefined;
  const value = scaledTo(amount, 0);
  return isWhole(value) ? value : undefined;
}

/** As Quantity.AsApproximateFloat64 reckons: with the rounding of each of its steps. */
export function numberOf({ unscaled, exponent }: Amount): number {
  return exponent === 0 ? Number(unscaled) : Number(unscaled) * powerOfTen(exponent);
}

/** Go's math.Pow10: of two powers that a table holds. */
function powerOfTen(exponent: number): number {
  const small = Math.abs(exponent) % 32;
  const large = Math.abs(exponent) - small;
  return exponent < 0
    ? Number(`1e-${large}`) / Number(`1e${small}`)
    : Number(`1e${large}`) * Number(`1e${small}`);
}

function scaledTo({ unscaled, exponent }: Amount, wanted: number): bigint {
  return unscaled * 10n ** BigInt(exponent - wanted);
}

const isWhole = (value: bigint): boolean => value <= intMax && value >= intMin;
