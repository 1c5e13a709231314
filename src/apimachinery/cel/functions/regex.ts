import { parseGoRegexp } from '../../go-regexp/parse-regexp.ts';
import type { AssertKind, RegexpNode } from '../../go-regexp/regexp-node.ts';
import { RegexpSyntaxError } from '../../go-regexp/syntax-error.ts';
import { ArrayList, CelFault, type Value } from '../values.ts';
import { matching } from './costs.ts';
import type { FunctionTable } from './registry.ts';

const instructionsMax = 20_000;
/** Visits of instructions in one search. */
const stepsMax = 20_000_000;

type Instruction =
  | { readonly op: 'set'; readonly ranges: readonly number[]; readonly next: number }
  | { readonly op: 'split'; first: number; second: number }
  | { readonly op: 'assert'; readonly kind: AssertKind; readonly next: number }
  | { readonly op: 'match' };

/** Where matches lie, leftmost first and by priority as Go finds them, in time linear in the text. */
class Searcher {
  readonly #instructions: Instruction[] = [];
  readonly #start: number;
  #steps = 0;

  constructor(pattern: string) {
    const match = this.#emit({ op: 'match' });
    this.#start = this.#compile(parseGoRegexp(pattern), match);
  }

  #emit(instruction: Instruction): number {
    if (this.#instructions.length >= instructionsMax) {
      throw new RegexpSyntaxError('error parsing regexp: expression too large');
    }
    this.#instructions.push(instruction);
    return this.#instructions.length - 1;
  }

  #compile(node: RegexpNode, next: number): number {
    switch (node.type) {
      case 'empty':
        return next;
      case 'set':
        return this.#emit({ op: 'set', ranges: node.ranges, next });
      case 'assert':
        return this.#emit({ op: 'assert', kind: node.kind, next });
      case 'concat':
        return node.nodes.reduceRight((start, one) => this.#compile(one, start), next);
      case 'alternate':
        return node.nodes
          .slice(0, -1)
          .reduceRight(
            (second, one) => this.#emit({ op: 'split', first: this.#compile(one, next), second }),
            this.#compile(node.nodes.at(-1) as RegexpNode, next),
          );
      case 'repeat':
        return this.#repeat(node, next);
    }
  }

  #repeat(node: RegexpNode & { type: 'repeat' }, next: number): number {
    const { min, max, isLazy } = node;
    const split = (body: number, after: number): Instruction =>
      isLazy ? { op: 'split', first: after, second: body } : { op: 'split', first: body, second: after };
    let start = next;
    if (max < 0) {
      const loop = this.#emit({ op: 'split', first: next, second: next });
      const instruction = this.#instructions[loop] as Instruction & { op: 'split' };
      const body = this.#compile(node.node, loop);
      if (isLazy) instruction.second = body;
      else instruction.first = body;
      start = loop;
    } else {
      for (let i = min; i < max; i++) start = this.#emit(split(this.#compile(node.node, start), next));
    }
    for (let i = 0; i < min; i++) start = this.#compile(node.node, start);
    return start;
  }

  /** Start and end of the first match at or after `from`, in UTF-16 units. */
  find(text: string, from: number): { readonly start: number; readonly end: number } | undefined {
    let threads: { readonly position: number; readonly start: number }[] = [];
    let found: { start: number; end: number } | undefined;
    for (let at = from; ; ) {
      const point = text.codePointAt(at);
      const seen = new Set<number>();
      const next: { position: number; start: number }[] = [];
      const ready: { readonly instruction: Instruction; readonly start: number }[] = [];
      for (const thread of threads) this.#follow(thread.position, thread.start, text, at, seen, ready);
      if (found === undefined) this.#follow(this.#start, at, text, at, seen, ready);
      for (const { instruction, start } of ready) {
        if (instruction.op === 'match') {
          found = { start, end: at };
          // Threads of lower priority can only find what is not wanted.
          break;
        }
        if (instruction.op === 'set' && point !== undefined && inRanges(instruction.ranges, point)) {
          next.push({ position: instruction.next, start });
        }
      }
      threads = next;
      if (point === undefined || (found !== undefined && threads.length === 0)) return found;
      at += point > 0xffff ? 2 : 1;
    }
  }

  #follow(
    from: number,
    start: number,
    text: string,
    at: number,
    seen: Set<number>,
    ready: { readonly instruction: Instruction; readonly start: number }[],
  ): void {
    const stack = [from];
    for (let position = stack.pop(); position !== undefined; position = stack.pop()) {
      if (seen.has(position)) continue;
      seen.add(position);
      if (++this.#steps > stepsMax) throw new RegexpSyntaxError('matching takes too long');
      const instruction = this.#instructions[position] as Instruction;
      if (instruction.op === 'split') stack.push(instruction.second, instruction.first);
      else if (instruction.op !== 'assert') ready.push({ instruction, start });
      else if (holds(instruction.kind, text, at)) stack.push(instruction.next);
    }
  }
}

function inRanges(ranges: readonly number[], point: number): boolean {
  for (let i = 0; i < ranges.length; i += 2) {
    if (point < (ranges[i] as number)) return false;
    if (point <= (ranges[i + 1] as number)) return true;
  }
  return false;
}

const isWord = (char: string | undefined): boolean => char !== undefined && /\w/.test(char);

function holds(kind: AssertKind, text: string, at: number): boolean {
  switch (kind) {
    case 'textBegin':
      return at === 0;
    case 'textEnd':
      return at === text.length;
    case 'lineBegin':
      return at === 0 || text[at - 1] === '\n';
    case 'lineEnd':
      return at === text.length || text[at] === '\n';
    case 'wordBoundary':
      return isWord(text[at - 1]) !== isWord(text[at]);
    case 'noWordBoundary':
      return isWord(text[at - 1]) === isWord(text[at]);
  }
}

function findAll(text: string, pattern: string, limit: number): Value {
  try {
    const searcher = new Searcher(pattern);
    const results: string[] = [];
    let at = 0;
    let previousEnd = -1;
    while (at <= text.length && (limit < 0 || results.length < limit)) {
      const found = searcher.find(text, at);
      if (found === undefined) break;
      const isEmpty = found.end === found.start;
      // Go takes no empty match next to the match before it.
      if (!isEmpty || found.start !== previousEnd) results.push(text.slice(found.start, found.end));
      previousEnd = found.end;
      const point = text.codePointAt(found.end) ?? 0;
      at = isEmpty ? found.end + (point > 0xffff ? 2 : 1) : found.end;
    }
    return new ArrayList(results);
  } catch (error) {
    if (error instanceof RegexpSyntaxError) return new CelFault(error.message);
    throw error;
  }
}

/** Kubernetes' regular expression functions (apiserver/pkg/cel/library/regex.go). */
export function addRegex(table: FunctionTable): void {
  table
    .add(
      ['string->find(string) string'],
      ([text, pattern]) => {
        const found = findAll(text as string, pattern as string, 1);
        return found instanceof ArrayList ? (found.values[0] ?? '') : found;
      },
      matching,
    )
    .add(
      ['string->findAll(string) list(string)', 'string->findAll(string, int) list(string)'],
      ([text, pattern, limit]) =>
        findAll(text as string, pattern as string, limit === undefined ? -1 : Number(limit as bigint)),
      matching,
    );
}
