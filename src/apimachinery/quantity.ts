/**
 * resource.Quantity: an exact fixed-point number, 10^-9 the smallest unit; with a binary suffix capped at 2^63-1, as
 * Kubernetes caps it since 1.36.
 * The format is kept, so that sums print in the unit of the first operand.
 */
export interface Quantity {
  /** In units of 10^-9. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

const nanoPerUnit = 1_000_000_000n;
const nanoMax = ((1n << 63n) - 1n) * nanoPerUnit;
/** Decimal exponents beyond this are taken for it: a hostile one must not make a huge number. */
const powerMax = 400;
const textLengthMax = 256;

const decimalSuffixes: readonly string[] = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const binarySuffixes: readonly string[] = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

/** The name of the type in OpenAPI. */
export const quantityDefinition = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
/** What Kubernetes says of a text that is none. */
export const quantityForm =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** Malformed text is this project's RangeError, with Kubernetes' words for a message. */
function malformed(): RangeError {
  return new RangeError(quantityForm);
}

const shape = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eE][+-]?[0-9]+|[A-Za-z]*)$/;

/** mantissa / 10^fractionDigits * 10^exponent * 2^shift in nano units, rounded away from zero. */
function scale(mantissa: bigint, exponent: number, shift: number): bigint {
  const power = exponent + 9;
  const numerator = mantissa << BigInt(shift);
  if (power >= 0) return numerator * 10n ** BigInt(Math.min(power, powerMax));
  if (-power > textLengthMax * 2) return mantissa === 0n ? 0n : 1n;
  const divisor = 10n ** BigInt(-power);
  return (numerator + divisor - 1n) / divisor;
}

/** The same few texts come with every pod: what they parse to is remembered for this many. */
const rememberedMax = 4_096;
const rememberedLengthMax = 24;
const remembered = new Map<string, Quantity>();
const canonicalTexts = new Map<string, string>();

function remember<Value>(values: Map<string, Value>, text: string, value: Value): Value {
  if (text.length > rememberedLengthMax) return value;
  if (values.size >= rememberedMax) values.clear();
  values.set(text, value);
  return value;
}

/**
 * Parses `1.5Gi`, `250m`, `1e3`, `12`, or a JSON number. Throws RangeError with Kubernetes' text for anything else.
 * What is finer than 10^-9 is rounded away from zero, as in Kubernetes.
 */
export function parseQuantity(text: string | number): Quantity {
  if (typeof text === 'number') return parse(String(text));
  return remembered.get(text) ?? remember(remembered, text, parse(text));
}

function parse(source: string): Quantity {
  const parts = source.length > textLengthMax ? null : shape.exec(source);
  if (parts === null) throw malformed();
  const [, sign, whole = '', fraction = '', suffix = ''] = parts;
  if (whole === '' && fraction === '') throw malformed();
  const mantissa = BigInt(whole + fraction);
  const { exponent, shift, format } = suffixOf(suffix);
  const nano = capped(scale(mantissa, exponent - fraction.length, shift), format);
  return { nano: sign === '-' ? -nano : nano, format };
}

function suffixOf(suffix: string): { exponent: number; shift: number; format: QuantityFormat } {
  const decimal = decimalSuffixes.indexOf(suffix);
  if (decimal >= 0) return { exponent: (decimal - 3) * 3, shift: 0, format: 'DecimalSI' };
  const binary = binarySuffixes.indexOf(suffix);
  if (binary > 0) return { exponent: 0, shift: binary * 10, format: 'BinarySI' };
  if (suffix.length > 1 && (suffix[0] === 'e' || suffix[0] === 'E')) {
    const exponent = Number(suffix.slice(1));
    if (Number.isInteger(exponent)) return { exponent, shift: 0, format: 'DecimalExponent' };
  }
  throw new RangeError("unable to parse quantity's suffix");
}

/** What a JSON value says as a quantity; undefined where parseQuantity would throw, and for all but texts and numbers. */
export function quantityIn(value: unknown): Quantity | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  try {
    return parseQuantity(value);
  } catch {
    return undefined;
  }
}

/** False where parseQuantity would throw. */
export function isQuantity(text: unknown): boolean {
  return quantityIn(text) !== undefined;
}

export const zeroQuantity: Quantity = { nano: 0n, format: 'DecimalSI' };

function capped(nano: bigint, format: QuantityFormat): bigint {
  if (format !== 'BinarySI') return nano;
  return nano > nanoMax ? nanoMax : nano < -nanoMax ? -nanoMax : nano;
}

/** The sum, in the format of `a` unless that is zero. */
export function addQuantity(a: Quantity, b: Quantity): Quantity {
  const format = a.nano === 0n ? b.format : a.format;
  return { nano: capped(a.nano + b.nano, format), format };
}

export function subtractQuantity(a: Quantity, b: Quantity): Quantity {
  const format = a.nano === 0n ? b.format : a.format;
  return { nano: capped(a.nano - b.nano, format), format };
}

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`. */
export function compareQuantity(a: Quantity, b: Quantity): number {
  return a.nano < b.nano ? -1 : a.nano > b.nano ? 1 : 0;
}

/** `factor` must be an integer. */
export function multiplyQuantity(quantity: Quantity, factor: number | bigint): Quantity {
  return { nano: capped(quantity.nano * BigInt(factor), quantity.format), format: quantity.format };
}

/** The whole units, rounded up (Quantity.Value). */
export function quantityValue(quantity: Quantity): bigint {
  return ceilDivide(quantity.nano, nanoPerUnit);
}

/** Thousandths, rounded up (Quantity.MilliValue): CPU in millicores. */
export function quantityMilliValue(quantity: Quantity): bigint {
  return ceilDivide(quantity.nano, 1_000_000n);
}

/** The nearest double, for scores and ratios. */
export function quantityNumber(quantity: Quantity): number {
  return Number(quantity.nano) / 1e9;
}

function ceilDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value > 0n && value % divisor !== 0n ? quotient + 1n : quotient;
}

/**
 * The canonical text (Quantity.String): no fraction, the largest suffix that loses nothing; a binary quantity under
 * 1024 or with a fraction is printed in decimal.
 */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0';
  if (format === 'BinarySI' && nano % nanoPerUnit === 0n) {
    let units = nano / nanoPerUnit;
    if (units >= 1024n || units <= -1024n) {
      let step = 0;
      while (step < binarySuffixes.length - 1 && units % 1024n === 0n) {
        units /= 1024n;
        step++;
      }
      return `${units}${binarySuffixes[step]}`;
    }
  }
  let mantissa = nano;
  let step = 0;
  const stepMax = format === 'DecimalExponent' ? Number.POSITIVE_INFINITY : decimalSuffixes.length - 1;
  while (step < stepMax && mantissa % 1000n === 0n) {
    mantissa /= 1000n;
    step++;
  }
  if (format !== 'DecimalExponent') return `${mantissa}${decimalSuffixes[step]}`;
  const exponent = (step - 3) * 3;
  return exponent === 0 ? String(mantissa) : `${mantissa}e${exponent}`;
}

/** `formatQuantity(parseQuantity(text))`: what Kubernetes stores for a quantity that a user wrote. */
export function canonicalQuantity(text: string | number): string {
  if (typeof text === 'number') return formatQuantity(parseQuantity(text));
  return canonicalTexts.get(text) ?? remember(canonicalTexts, text, formatQuantity(parseQuantity(text)));
}
