import { ApiError, type StatusCause, type StatusDetails } from './api-error.ts';

/** The kinds of field error that Kubernetes' validation knows, with the reason that stands in a Status cause. */
export type FieldErrorType =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid'
  | 'FieldValueNotFound'
  | 'InternalError';

export interface FieldError {
  readonly type: FieldErrorType;
  /** Dotted, with indices and quoted map keys: `spec.template.spec.containers[0].name`, `data[a.b]`. */
  readonly field: string;
  /** What Kubernetes prints after the field: `Required value: must be set`, `Invalid value: "x": …`. */
  readonly message: string;
}

const htmlCharacters = /[<>&\u2028\u2029]/g;

/** As Go prints it: texts quoted, all else as its JSON encoder writes it, which escapes what HTML gives a meaning. */
function quote(value: unknown): string {
  if (typeof value === 'string') return goQuote(value);
  if (typeof value === 'number') return goNumber(value);
  const text = JSON.stringify(value ?? null);
  if (typeof value !== 'object') return text;
  return text.replace(htmlCharacters, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const int64Bound = 2 ** 63;

/** As Go's `%v`: an integer in full; of floating point an exponent where it is below -4 or at least 6 (strconv's `g`). */
function goNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < int64Bound) return String(value);
  const [digits = '', exponent = ''] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(value);
  return `${digits}e${exponent.slice(0, 1)}${exponent.slice(1).padStart(2, '0')}`;
}

const notPrinted = /[\u0000-\u001f\u007f-\u00a0\u00ad]/;
const goEscapes: { readonly [character: string]: string } = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\u000b': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};

/** Go's strconv.Quote: as JSON, but for what is not printed (`\x01`). */
function goQuote(text: string): string {
  if (!notPrinted.test(text)) return JSON.stringify(text);
  let quoted = '';
  for (const character of text) {
    const code = character.charCodeAt(0);
    const isPrinted = character.length > 1 || !notPrinted.test(character);
    if (goEscapes[character] !== undefined) quoted += goEscapes[character];
    else if (isPrinted) quoted += character;
    else
      quoted +=
        code < 0x80 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  }
  return `"${quoted}"`;
}

export function required(field: string, detail = ''): FieldError {
  return {
    type: 'FieldValueRequired',
    field,
    message: detail === '' ? 'Required value' : `Required value: ${detail}`,
  };
}

export function invalid(field: string, value: unknown, detail: string): FieldError {
  const told = `Invalid value: ${quote(value)}`;
  return { type: 'FieldValueInvalid', field, message: detail === '' ? told : `${told}: ${detail}` };
}

/** `Unsupported value: "x": supported values: "a", "b"`. */
export function notSupported(field: string, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.map((one) => JSON.stringify(one)).join(', ');
  return {
    type: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: ${quote(value)}: supported values: ${list}`,
  };
}

export function duplicate(field: string, value: unknown): FieldError {
  return { type: 'FieldValueDuplicate', field, message: `Duplicate value: ${quote(value)}` };
}

export function forbiddenField(field: string, detail: string): FieldError {
  return { type: 'FieldValueForbidden', field, message: `Forbidden: ${detail}` };
}

export function tooLong(field: string, maxBytes: number): FieldError {
  const unit = maxBytes === 1 ? 'byte' : 'bytes';
  return { type: 'FieldValueTooLong', field, message: `Too long: may not be more than ${maxBytes} ${unit}` };
}

export function tooMany(field: string, actual: number, max: number): FieldError {
  return {
    type: 'FieldValueTooMany',
    field,
    message: `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
  };
}

export function typeInvalid(field: string, value: unknown, detail: string): FieldError {
  return { type: 'FieldValueTypeInvalid', field, message: `Invalid value: ${quote(value)}: ${detail}` };
}

/** 422 with one cause per error (KUBERNETES.md E3): `Deployment.apps "x" is invalid: spec.replicas: Invalid value: …`. */
export function invalidObject(
  kind: { readonly group: string; readonly kind: string },
  name: string,
  errors: readonly FieldError[],
): ApiError {
  const qualified = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  // Told once in the text, as often as found in the causes (field.ErrorList.ToAggregate).
  const lines = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))];
  const text = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
  const causes: StatusCause[] = errors.map((error) => ({
    reason: error.type,
    message: error.message,
    field: error.field,
  }));
  const details: StatusDetails = {
    ...(name === '' ? {} : { name }),
    ...(kind.group === '' ? {} : { group: kind.group }),
    ...(kind.kind === '' ? {} : { kind: kind.kind }),
    causes,
  };
  return new ApiError('Invalid', `${qualified} "${name}" is invalid: ${text}`, { details });
}
