import type { CharRanges } from './char-ranges.ts';
import type { AssertKind, RegexpNode } from './regexp-node.ts';
import { RegexpSyntaxError } from './syntax-error.ts';

const instructionsMax = 20_000;

/** Of an NFA; `next`, `first` and `second` are places of others, of which `first` is tried first. */
export type Instruction =
  | { readonly op: 'set'; readonly ranges: CharRanges; readonly next: number }
  | { readonly op: 'split'; readonly first: number; readonly second: number }
  | { readonly op: 'assert'; readonly kind: AssertKind; readonly next: number }
  | { readonly op: 'match' };

export interface RegexpProgram {
  readonly instructions: readonly Instruction[];
  readonly start: number;
}

/** Throws RegexpSyntaxError for an expression that becomes too large. */
export function compileRegexp(node: RegexpNode): RegexpProgram {
  const instructions: Instruction[] = [];

  const emit = (instruction: Instruction): number => {
    if (instructions.length >= instructionsMax) {
      throw new RegexpSyntaxError('error parsing regexp: expression too large');
    }
    instructions.push(instruction);
    return instructions.length - 1;
  };

  /** Back to front: returns where `one` begins, given where to go on after it. */
  const compile = (one: RegexpNode, next: number): number => {
    switch (one.type) {
      case 'empty':
        return next;
      case 'set':
        return emit({ op: 'set', ranges: one.ranges, next });
      case 'assert':
        return emit({ op: 'assert', kind: one.kind, next });
      case 'concat':
        return one.nodes.reduceRight((start, part) => compile(part, start), next);
      case 'alternate':
        return one.nodes
          .slice(0, -1)
          .reduceRight(
            (second, branch) => emit({ op: 'split', first: compile(branch, next), second }),
            compile(one.nodes.at(-1) as RegexpNode, next),
          );
      case 'repeat':
        return repeat(one, next);
    }
  };

  const repeat = ({ node, min, max, isLazy }: RegexpNode & { type: 'repeat' }, next: number): number => {
    const split = (body: number, after: number): Instruction =>
      isLazy ? { op: 'split', first: after, second: body } : { op: 'split', first: body, second: after };
    let start = next;
    if (max < 0) {
      // Its body comes back to it: there is a place for it before there is a body.
      start = emit(split(next, next));
      instructions[start] = split(compile(node, start), next);
    } else {
      for (let i = min; i < max; i++) start = emit(split(compile(node, start), next));
    }
    for (let i = 0; i < min; i++) start = compile(node, start);
    return start;
  };

  const match = emit({ op: 'match' });
  return { start: compile(node, match), instructions };
}
