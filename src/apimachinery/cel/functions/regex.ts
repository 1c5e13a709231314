import { contains } from '../../go-regexp/char-ranges.ts';
import { parseGoRegexp } from '../../go-regexp/parse-regexp.ts';
import type { AssertKind } from '../../go-regexp/regexp-node.ts';
import { compileRegexp, type Instruction } from '../../go-regexp/regexp-program.ts';
import { RegexpSyntaxError } from '../../go-regexp/syntax-error.ts';
import { ArrayList, CelFault, type Value } from '../values.ts';
import { matching } from './costs.ts';
import type { FunctionTable } from './registry.ts';

/** Visits of instructions in one search. */
const stepsMax = 20_000_000;

/** Where matches lie, leftmost first and by priority as Go finds them, in time linear in the text. */
class Searcher {
  readonly #instructions: readonly Instruction[];
  readonly #start: number;
  #steps = 0;

  constructor(pattern: string) {
    const { start, instructions } = compileRegexp(parseGoRegexp(pattern));
    this.#start = start;
    this.#instructions = instructions;
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
        if (instruction.op === 'set' && point !== undefined && contains(instruction.ranges, point)) {
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
