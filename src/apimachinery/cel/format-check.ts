import type { CallExpr, Expr, ListExpr } from './ast.ts';
import { clauseAt } from './functions/format-text.ts';
import type { Finding } from './type-errors.ts';
import { type CelType, dynType, type TypeKind } from './types.ts';

const integers: readonly TypeKind[] = ['int', 'uint'];
const reals: readonly TypeKind[] = ['double', 'string'];
/** What each clause takes and how cel-go tells of what it does not (ext/formatting.go). */
const clauses: { readonly [verb: string]: { readonly takes: readonly TypeKind[]; readonly only: string } } = {
  d: { takes: integers, only: 'decimal clause can only be used on integers' },
  f: { takes: reals, only: 'fixed-point clause can only be used on doubles' },
  e: { takes: reals, only: 'scientific clause can only be used on doubles' },
  b: { takes: [...integers, 'bool'], only: 'only integers and bools can be formatted as binary' },
  o: { takes: integers, only: 'octal clause can only be used on integers' },
  x: {
    takes: [...integers, 'string', 'bytes'],
    only: 'only integers, byte buffers, and strings can be formatted as hex',
  },
};
const hexadecimal = clauses['x'] as (typeof clauses)[string];
const printed: readonly TypeKind[] = [
  ...['list', 'map', 'int', 'uint', 'double', 'bool', 'string'],
  ...['timestamp', 'bytes', 'duration', 'type', 'null'],
] as TypeKind[];
const printable =
  'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps';

/** What is wrong with `"…".format([…])`, both literals; undefined for nothing, and for what only running it can tell. */
export function checkFormat(
  call: CallExpr,
  typeOf: (expr: Expr) => CelType | undefined,
): Finding | undefined {
  const [list] = call.args;
  if (call.name !== 'format' || call.target?.kind !== 'literal' || list?.kind !== 'list') return undefined;
  const pattern = call.target.value;
  return typeof pattern === 'string' ? checked(call, pattern, list, typeOf) : undefined;
}

function checked(
  { at }: CallExpr,
  pattern: string,
  { elements }: ListExpr,
  typeOf: (expr: Expr) => CelType | undefined,
): Finding | undefined {
  let used = 0;
  for (let i = pattern.indexOf('%'); i >= 0; i = pattern.indexOf('%', i + 1)) {
    if (pattern[i + 1] === '%') {
      i++;
      continue;
    }
    if (i + 1 === pattern.length) return { at, message: 'unexpected end of string' };
    const element = elements[used]?.value;
    if (element === undefined) return { at, message: `index ${used} out of range` };
    used++;
    const clause = clauseAt(pattern, i + 1);
    if (typeof clause === 'string') return { at, message: `could not parse formatting clause: ${clause}` };
    const wrong =
      clause.verb === 's'
        ? unprintable(element, typeOf)
        : misfit(element, clauses[clause.verb] ?? hexadecimal, typeOf);
    if (wrong !== undefined) return { at: wrong.at, message: `error during formatting: ${wrong.message}` };
    i = clause.end;
  }
  if (elements.length <= used) return undefined;
  return {
    at,
    message: `too many arguments supplied to string.format (expected ${used}, got ${elements.length})`,
  };
}

function misfit(
  expr: Expr,
  { takes, only }: { readonly takes: readonly TypeKind[]; readonly only: string },
  typeOf: (expr: Expr) => CelType | undefined,
): Finding | undefined {
  const { kind, name } = typeOf(expr) ?? dynType;
  if (kind === 'dyn' || takes.includes(kind)) return undefined;
  return { at: expr.at, message: `${only}, was given ${name}` };
}

/** Looks into lists and maps that stand in the expression. */
function unprintable(expr: Expr, typeOf: (expr: Expr) => CelType | undefined): Finding | undefined {
  const wrong = misfit(expr, { takes: printed, only: printable }, typeOf);
  if (wrong !== undefined) return wrong;
  const inner =
    expr.kind === 'list'
      ? expr.elements.map(({ value }) => value)
      : expr.kind === 'map'
        ? expr.entries.flatMap(({ key, value }) => [key, value])
        : [];
  for (const one of inner) {
    const found = unprintable(one, typeOf);
    if (found !== undefined) return found;
  }
  return undefined;
}
