import type { Expr } from './ast.ts';
import type { StructType } from './environment.ts';
import type { Overload } from './functions/registry.ts';
import type { Finding } from './type-errors.ts';
import type { CelType } from './types.ts';

/** What a call does: its overloads in order, all that its function has, and its arguments with the receiver first. */
export interface ResolvedCall {
  /** Of the function, with its namespace: `sets.contains`. */
  readonly name: string;
  readonly overloads: readonly Overload[];
  readonly known: readonly Overload[];
  readonly args: readonly Expr[];
}

export type Reference =
  | { readonly kind: 'local' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'type'; readonly type: CelType };

/** A checked expression: every node's type, and what names and calls mean. */
export interface Checked {
  readonly expr: Expr;
  readonly type: CelType;
  readonly types: ReadonlyMap<Expr, CelType>;
  readonly references: ReadonlyMap<Expr, Reference>;
  readonly calls: ReadonlyMap<Expr, ResolvedCall>;
  readonly structs: ReadonlyMap<Expr, StructType>;
  /** Names of the environment's variables that it reads. */
  readonly variables: ReadonlySet<string>;
  /** Parts of list and map literals that are not of the type of the first. */
  readonly unlike: readonly Finding[];
}
