import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';

/**
 * A JSON value as Go's `%v` prints it, which stands in messages of kube-apiserver: maps by their sorted keys, texts
 * without quotes, `<nil>` for null: `map[a:1 b:[x y] c:<nil>]`.
 */
export function goText(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (!isJsonObject(value)) return typeof value === 'number' ? goNumber(value) : String(value);
  const members = Object.keys(value).sort();
  return `map[${members.map((key) => `${key}:${goText(value[key])}`).join(' ')}]`;
}

/** What is no int64 is a float64, which Go writes with an exponent from 1e+06 on, and below 1e-04. */
function goNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 63) return BigInt(value).toString();
  const magnitude = Math.abs(value);
  if (magnitude >= 1e-4 && magnitude < 1e6) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

/** The same with `%#v`, as Go would have it written in a program: `map[string]interface {}{"a":[]interface {}{1, "x"}}`. */
export function goSyntax(value: JsonValue): string {
  if (value === null) return 'interface {}(nil)';
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (typeof value === 'string') return JSON.stringify(value);
  if (!isJsonObject(value)) return goText(value);
  const members = Object.keys(value).sort();
  const inside = members.map((key) => `${JSON.stringify(key)}:${goSyntax(value[key] as JsonValue)}`);
  return `map[string]interface {}{${inside.join(', ')}}`;
}

/** The same with `%s`, which is at a loss with what is no text: `%!s(int64=1)`. */
export function goString(value: JsonValue): string {
  if (typeof value === 'string') return value;
  if (value === null) return '%!s(<nil>)';
  if (Array.isArray(value)) return `[${value.map(goString).join(' ')}]`;
  if (!isJsonObject(value)) return `%!s(${goTypeOf(value)}=${value})`;
  const members = Object.keys(value).sort();
  return `map[${members.map((key) => `${key}:${goString(value[key] as JsonValue)}`).join(' ')}]`;
}

/** The Go type that a JSON value is decoded into where nothing says which: `map[string]interface {}`, `int64`. */
export function goTypeOf(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return '%!s(<nil>)';
  if (Array.isArray(value)) return '[]interface {}';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'number':
      return Number.isInteger(value) ? 'int64' : 'float64';
    default:
      return 'map[string]interface {}';
  }
}

/** reflect.Kind of that type: `map`, `slice`, `int64`. */
export function goKindOf(value: JsonValue): string {
  if (Array.isArray(value)) return 'slice';
  return isJsonObject(value) ? 'map' : goTypeOf(value);
}
