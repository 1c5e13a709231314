import { LRUCache } from 'lru-cache';
import { wordRanges } from './char-classes.ts';
import { contains } from './char-ranges.ts';
import { parseGoRegexp } from './parse-regexp.ts';
import type { AssertKind, RegexpNode } from './regexp-node.ts';
import { compileRegexp, type Instruction } from './regexp-program.ts';
import { RegexpSyntaxError } from './syntax-error.ts';

/**
 * A regular expression in the syntax of Go's regexp package, which Kubernetes' schema patterns are written in, matched
 * in time linear in the text: it runs on patterns and texts of tenants. It only tells whether there is a match.
 *
 * The expression becomes an NFA, and the NFA lazily a DFA: a state is the set of NFA positions reached so far plus
 * what the character before was. `ab*$` on "abb": {0} -a-> {1,2} -b-> {1,2} -b-> {1,2}, end: position 2 holds, match.
 */
export interface GoRegexp {
  readonly source: string;
  /** Whether the text contains a match (patterns are not anchored by themselves). Throws RegexpCostError at the bound. */
  test(text: string): boolean;
}

/** The text and pattern together would take longer than is allowed for one match. */
export class RegexpCostError extends Error {
  override readonly name = 'RegexpCostError';
}

const sourceLengthMax = 16_384;
const statesMax = 2_000;
/** NFA positions visited while making DFA states, for one match. */
const stepsMax = 20_000_000;

/** What stands beside a position: needed by `^`, `$` and `\b`. */
const textEdge = 0;
const newline = 1;
const word = 2;
const other = 3;
type Beside = typeof textEdge | typeof newline | typeof word | typeof other;

function assertHolds(kind: AssertKind, before: Beside, after: Beside): boolean {
  switch (kind) {
    case 'textBegin':
      return before === textEdge;
    case 'textEnd':
      return after === textEdge;
    case 'lineBegin':
      return before === textEdge || before === newline;
    case 'lineEnd':
      return after === textEdge || after === newline;
    case 'wordBoundary':
      return (before === word) !== (after === word);
    case 'noWordBoundary':
      return (before === word) === (after === word);
  }
}

interface State {
  /** NFA positions, sorted. */
  readonly positions: readonly number[];
  readonly before: Beside;
  /** By character class; undefined = not made yet. `matched` = a match lies behind. */
  readonly next: (State | typeof matched | undefined)[];
  /** Whether it is a match when the text ends here; undefined = not known yet. */
  atEnd: boolean | undefined;
}

const matched = Symbol('matched');

class LazyDfa implements GoRegexp {
  readonly source: string;
  readonly #instructions: readonly Instruction[];
  readonly #start: number;
  /** Every match begins at the text's: nothing starts later, and an empty state is a refusal. */
  readonly #anchored: boolean;
  /** Where character classes begin; characters between two bounds are alike to every instruction. */
  readonly #bounds: Int32Array;
  readonly #classOfAscii = new Uint16Array(128);
  readonly #besideOfClass: Beside[] = [];
  #states = new Map<string, State>();
  #initial: State;

  constructor(source: string) {
    if (source.length > sourceLengthMax)
      throw new RegexpSyntaxError('error parsing regexp: expression too large');
    this.source = source;
    const node = parseGoRegexp(source);
    const { start, instructions } = compileRegexp(node);
    this.#start = start;
    this.#instructions = instructions;
    this.#anchored = beginsAnchored(node);
    const sets = new Set<readonly number[]>();
    for (const instruction of this.#instructions) if (instruction.op === 'set') sets.add(instruction.ranges);
    this.#bounds = boundsOf([...sets, [10, 10], wordRanges]);
    for (let code = 0; code < 128; code++) this.#classOfAscii[code] = this.#search(code);
    this.#bounds.forEach((point) => {
      this.#besideOfClass.push(point === 10 ? newline : contains(wordRanges, point) ? word : other);
    });
    this.#initial = this.#stateOf([this.#start], textEdge);
  }

  test(text: string): boolean {
    const budget = { steps: 0 };
    let state = this.#initial;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      let characterClass: number;
      if (unit < 128) {
        characterClass = this.#classOfAscii[unit] as number;
      } else {
        const point = text.codePointAt(at) as number;
        if (point > 0xffff) at++;
        characterClass = this.#search(point);
      }
      const next = state.next[characterClass] ?? this.#step(state, characterClass, budget);
      if (next === matched) return true;
      if (next.positions.length === 0) return false;
      state = next;
    }
    state.atEnd ??= this.#close(state, textEdge, budget) === matched;
    return state.atEnd;
  }

  #search(point: number): number {
    let low = 0;
    let high = this.#bounds.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#bounds[middle] as number) <= point) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #stateOf(positions: readonly number[], before: Beside): State {
    const key = `${before}:${positions.join(',')}`;
    let state = this.#states.get(key);
    if (state === undefined) {
      state = { positions, before, next: [], atEnd: undefined };
      this.#states.set(key, state);
    }
    return state;
  }

  /** The set instructions reachable without taking a character, or `matched`. */
  #close(state: State, after: Beside, budget: { steps: number }): number[] | typeof matched {
    const seen = new Set<number>();
    const stack = [...state.positions];
    const sets: number[] = [];
    for (let position = stack.pop(); position !== undefined; position = stack.pop()) {
      if (seen.has(position)) continue;
      seen.add(position);
      if (++budget.steps > stepsMax) throw new RegexpCostError('matching takes too long');
      const instruction = this.#instructions[position] as Instruction;
      if (instruction.op === 'match') return matched;
      if (instruction.op === 'split') stack.push(instruction.first, instruction.second);
      else if (instruction.op === 'set') sets.push(position);
      else if (assertHolds(instruction.kind, state.before, after)) stack.push(instruction.next);
    }
    return sets;
  }

  #step(state: State, characterClass: number, budget: { steps: number }): State | typeof matched {
    const before = this.#besideOfClass[characterClass] as Beside;
    const closed = this.#close(state, before, budget);
    let next: State | typeof matched = matched;
    if (closed !== matched) {
      const positions = new Set<number>();
      for (const position of closed) {
        const instruction = this.#instructions[position] as Instruction & { op: 'set' };
        if (contains(instruction.ranges, this.#bounds[characterClass] as number)) {
          positions.add(instruction.next);
        }
      }
      if (!this.#anchored) positions.add(this.#start);
      if (this.#states.size >= statesMax) this.#forget();
      next = this.#stateOf(
        [...positions].sort((a, b) => a - b),
        before,
      );
    }
    state.next[characterClass] = next;
    return next;
  }

  /** Bounds the memory of one expression; states are made anew as they are needed. */
  #forget(): void {
    this.#states = new Map();
    this.#initial = this.#stateOf([this.#start], textEdge);
  }
}

function beginsAnchored(node: RegexpNode): boolean {
  if (node.type === 'assert') return node.kind === 'textBegin';
  if (node.type === 'concat') {
    // `\\Q\\E` quotes nothing: there may be no node at all.
    const [first] = node.nodes;
    return first !== undefined && beginsAnchored(first);
  }
  if (node.type === 'alternate') return node.nodes.every(beginsAnchored);
  return false;
}

function boundsOf(sets: readonly (readonly number[])[]): Int32Array {
  const points = new Set<number>([0]);
  for (const ranges of sets) {
    for (let i = 0; i < ranges.length; i += 2) {
      points.add(ranges[i] as number);
      points.add((ranges[i + 1] as number) + 1);
    }
  }
  return Int32Array.from(points).sort();
}

/** Compiled expressions, shared by all schemas that use them. */
const cache = new LRUCache<string, GoRegexp>({ max: 2_000 });

/** Compiles (or finds compiled) an expression; throws RegexpSyntaxError in the words of Go's regexp package. */
export function goRegexp(source: string): GoRegexp {
  let compiled = cache.get(source);
  if (compiled === undefined) {
    compiled = new LazyDfa(source);
    cache.set(source, compiled);
  }
  return compiled;
}
