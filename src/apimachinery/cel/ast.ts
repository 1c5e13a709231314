import type { Value } from './values.ts';

/** A parsed expression. Comprehension macros stay what they are: they are checked, costed and run as one node. */
export type Expr =
  | LiteralExpr
  | IdentExpr
  | SelectExpr
  | CallExpr
  | ListExpr
  | MapExpr
  | StructExpr
  | ComprehensionExpr
  | BindExpr
  | OptionalMapExpr;

interface Base {
  /** Offset into the source, in UTF-16 units: where error messages point. */
  readonly at: number;
  /** Nesting below this node; bounded, since everything that walks a tree recurses. */
  readonly depth: number;
}

export interface LiteralExpr extends Base {
  readonly kind: 'literal';
  readonly value: Value;
}

export interface IdentExpr extends Base {
  readonly kind: 'ident';
  readonly name: string;
}

export interface SelectExpr extends Base {
  readonly kind: 'select';
  readonly operand: Expr;
  readonly field: string;
  /** `has(a.b)`. */
  readonly isTest: boolean;
  /** `a.?b`. */
  readonly isOptional: boolean;
}

export interface CallExpr extends Base {
  readonly kind: 'call';
  /** Operators by their CEL names: `_+_`, `!_`, `-_`, `_?_:_`, `@in`, `_[_]`, `_[?_]`. */
  readonly name: string;
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
}

export interface ListExpr extends Base {
  readonly kind: 'list';
  readonly elements: readonly { readonly value: Expr; readonly isOptional: boolean }[];
}

export interface MapExpr extends Base {
  readonly kind: 'map';
  readonly entries: readonly { readonly key: Expr; readonly value: Expr; readonly isOptional: boolean }[];
}

export interface StructExpr extends Base {
  readonly kind: 'struct';
  readonly name: string;
  readonly fields: readonly {
    readonly name: string;
    readonly value: Expr;
    readonly isOptional: boolean;
    /** Of the colon, where a fault of the field is told. */
    readonly at: number;
  }[];
}

export type ComprehensionMacro =
  | 'all'
  | 'exists'
  | 'exists_one'
  | 'map'
  | 'filter'
  | 'transformList'
  | 'transformMap'
  | 'transformMapEntry';

export interface ComprehensionExpr extends Base {
  readonly kind: 'comprehension';
  readonly macro: ComprehensionMacro;
  readonly range: Expr;
  /** The element of a list, or the key of a map; with `second` the index or key. */
  readonly first: string;
  /** The value, in the forms with two variables. */
  readonly second: string | undefined;
  /** The condition of all, exists, exists_one, filter, and of the forms of map and transform that have one. */
  readonly predicate: Expr | undefined;
  readonly transform: Expr | undefined;
}

/** `cel.bind(name, value, body)`. */
export interface BindExpr extends Base {
  readonly kind: 'bind';
  readonly name: string;
  readonly value: Expr;
  readonly body: Expr;
}

/** `target.optMap(name, body)` and `optFlatMap`. */
export interface OptionalMapExpr extends Base {
  readonly kind: 'optMap';
  readonly target: Expr;
  readonly name: string;
  readonly body: Expr;
  readonly isFlat: boolean;
}

/** What is wrong with an expression, as `ERROR: <input>:1:6: …` with the line and a caret below it. */
export class CelSyntaxError extends Error {
  override readonly name = 'CelSyntaxError';
}

/** The text that cel-go gives for an error at an offset. */
export function describeError(source: string, at: number, message: string): string {
  // Nothing has no columns, and no line to show.
  if (source === '') return `ERROR: <input>:1:0: ${message}`;
  const before = source.slice(0, at);
  const line = before.split('\n').length;
  const lineStart = before.lastIndexOf('\n') + 1;
  const lineEnd = source.indexOf('\n', at);
  const columns = [...source.slice(lineStart, at)];
  // As wide as what stands above: letters beyond ASCII get full-width marks.
  const dots = columns.map((char) => (char.charCodeAt(0) > 0x7f ? '．' : '.')).join('');
  const caret = source.charCodeAt(at) > 0x7f ? '＾' : '^';
  const text = source.slice(lineStart, lineEnd < 0 ? source.length : lineEnd).replaceAll('\t', ' ');
  return `ERROR: <input>:${line}:${columns.length + 1}: ${message}\n | ${text}\n | ${dots}${caret}`;
}
