import type { CharRanges } from './char-ranges.ts';

export type RegexpNode =
  | { readonly type: 'empty' }
  | { readonly type: 'set'; readonly ranges: CharRanges }
  | { readonly type: 'concat' | 'alternate'; readonly nodes: readonly RegexpNode[] }
  | {
      readonly type: 'repeat';
      readonly node: RegexpNode;
      readonly min: number;
      readonly max: number;
      /** Takes as little as it can: matters only to where a match ends. */
      readonly isLazy: boolean;
    }
  | { readonly type: 'assert'; readonly kind: AssertKind };

export type AssertKind =
  | 'textBegin'
  | 'textEnd'
  | 'lineBegin'
  | 'lineEnd'
  | 'wordBoundary'
  | 'noWordBoundary';
