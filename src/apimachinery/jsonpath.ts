import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';

/** A compiled path; evaluation never throws: what is not there is not found. */
export interface JsonPath {
  readonly source: string;
  /** All values found, in document order; at most `resultsMax`. */
  find(root: JsonValue): JsonValue[];
  /** The first one found. */
  first(root: JsonValue): JsonValue | undefined;
}

export const resultsMax = 10_000;
const sourceLengthMax = 4_096;

type Operand =
  | { readonly literal: JsonValue }
  | { readonly steps: readonly Step[]; readonly fromRoot: boolean };
type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';

type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'wildcard' }
  | { readonly type: 'recursive' }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'slice'; readonly from: number; readonly to: number | undefined; readonly step: number }
  | { readonly type: 'union'; readonly steps: readonly Step[] }
  | {
      readonly type: 'filter';
      readonly left: Operand;
      readonly comparison: Comparison | undefined;
      readonly right: Operand | undefined;
    };

class Parser {
  readonly #source: string;
  #at: number;
  #depth = 0;

  constructor(source: string, at: number) {
    this.#source = source;
    this.#at = at;
  }

  get at(): number {
    return this.#at;
  }

  #fail(why: string): never {
    throw new RangeError(`${why} at ${this.#at} of ${JSON.stringify(this.#source)}`);
  }

  #skipSpace(): void {
    while (this.#source[this.#at] === ' ') this.#at++;
  }

  /** Steps up to the end of the source or a character that begins none. */
  steps(): Step[] {
    if (++this.#depth > 16) this.#fail('nested too deeply');
    const steps: Step[] = [];
    for (;;) {
      const character = this.#source[this.#at];
      if (character === '.') {
        this.#at++;
        if (this.#source[this.#at] === '.') {
          this.#at++;
          steps.push({ type: 'recursive' });
          if (this.#source[this.#at] === '[') continue;
        }
        if (this.#source[this.#at] === '[') continue;
        steps.push(this.#field());
      } else if (character === '[') {
        steps.push(this.#bracket());
      } else {
        this.#depth--;
        return steps;
      }
    }
  }

  #field(): Step {
    if (this.#source[this.#at] === '*') {
      this.#at++;
      return { type: 'wildcard' };
    }
    let name = '';
    for (;;) {
      const character = this.#source[this.#at];
      if (character === '\\' && this.#at + 1 < this.#source.length) {
        name += this.#source[this.#at + 1];
        this.#at += 2;
      } else if (character !== undefined && !/[.[\](){}\s,=!<>|'"@$?&+]/.test(character)) {
        name += character;
        this.#at++;
      } else {
        break;
      }
    }
    if (name === '') this.#fail('a field name is missing');
    return { type: 'field', name };
  }

  #bracket(): Step {
    this.#at++;
    this.#skipSpace();
    if (this.#source[this.#at] === '?') return this.#filter();
    const steps: Step[] = [];
    for (;;) {
      this.#skipSpace();
      steps.push(this.#bracketItem());
      this.#skipSpace();
      const character = this.#source[this.#at];
      this.#at++;
      if (character === ']') break;
      if (character !== ',') this.#fail('unterminated array');
    }
    return steps.length === 1 ? (steps[0] as Step) : { type: 'union', steps };
  }

  #bracketItem(): Step {
    const character = this.#source[this.#at];
    if (character === "'" || character === '"') return { type: 'field', name: this.#quoted() };
    if (character === '*') {
      this.#at++;
      return { type: 'wildcard' };
    }
    const slice = /^(-?\d{1,9})?(?::(-?\d{1,9})?(?::(\d{1,9})?)?)?/.exec(
      this.#source.slice(this.#at, this.#at + 40),
    );
    if (slice === null || slice[0] === '') this.#fail('invalid array index');
    this.#at += slice[0].length;
    if (!slice[0].includes(':')) return { type: 'index', index: Number(slice[1]) };
    const step = slice[3] === undefined ? 1 : Number(slice[3]);
    if (step === 0) this.#fail('step must be positive');
    return {
      type: 'slice',
      from: Number(slice[1] ?? 0),
      to: slice[2] === undefined ? undefined : Number(slice[2]),
      step,
    };
  }

  #quoted(): string {
    const quote = this.#source[this.#at++];
    let text = '';
    for (;;) {
      const character = this.#source[this.#at++];
      if (character === undefined) this.#fail('unterminated quoted string');
      if (character === quote) return text;
      if (character === '\\' && this.#at < this.#source.length) text += this.#source[this.#at++];
      else text += character;
    }
  }

  #filter(): Step {
    this.#at++;
    if (this.#source[this.#at] !== '(') this.#fail('a filter must be in parentheses');
    this.#at++;
    const left = this.#operand();
    this.#skipSpace();
    const operator = /^(?:==|!=|<=|>=|<|>)/.exec(this.#source.slice(this.#at, this.#at + 2))?.[0] as
      | Comparison
      | undefined;
    let right: Operand | undefined;
    if (operator !== undefined) {
      this.#at += operator.length;
      right = this.#operand();
      this.#skipSpace();
    }
    if (this.#source.slice(this.#at, this.#at + 2) !== ')]') this.#fail('unterminated filter');
    this.#at += 2;
    return { type: 'filter', left, comparison: operator, right };
  }

  #operand(): Operand {
    this.#skipSpace();
    const character = this.#source[this.#at];
    if (character === '@' || character === '$') {
      this.#at++;
      return { steps: this.steps(), fromRoot: character === '$' };
    }
    if (character === '.') return { steps: this.steps(), fromRoot: false };
    if (character === "'" || character === '"') return { literal: this.#quoted() };
    const literal = /^(?:-?\d+(?:\.\d+)?|true|false|null)/.exec(
      this.#source.slice(this.#at, this.#at + 40),
    )?.[0];
    if (literal === undefined) this.#fail('unrecognized character in filter');
    this.#at += literal.length;
    return { literal: JSON.parse(literal) as JsonValue };
  }
}

function childOf(value: JsonValue, name: string): JsonValue | undefined {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function childrenOf(value: JsonValue): JsonValue[] {
  if (Array.isArray(value)) return value;
  if (!isJsonObject(value)) return [];
  return Object.values(value).filter((child) => child !== undefined);
}

/** The value and everything inside it, parents first. */
function descendants(value: JsonValue, found: JsonValue[]): void {
  if (found.length >= resultsMax) return;
  found.push(value);
  for (const child of childrenOf(value))
    if (typeof child === 'object' && child !== null) descendants(child, found);
}

function valueOfOperand(operand: Operand, current: JsonValue, root: JsonValue): JsonValue | undefined {
  if ('literal' in operand) return operand.literal;
  return walk(operand.steps, operand.fromRoot ? root : current, root)[0];
}

function compare(left: JsonValue | undefined, comparison: Comparison, right: JsonValue | undefined): boolean {
  if (left === undefined || right === undefined) return comparison === '!=' && left !== right;
  if (comparison === '==') return left === right;
  if (comparison === '!=') return left !== right;
  if (typeof left !== typeof right || (typeof left !== 'number' && typeof left !== 'string')) return false;
  const l = left as number;
  const r = right as number;
  return comparison === '<' ? l < r : comparison === '<=' ? l <= r : comparison === '>' ? l > r : l >= r;
}

function applyStep(step: Step, value: JsonValue, root: JsonValue, found: JsonValue[]): void {
  switch (step.type) {
    case 'field': {
      const child = childOf(value, step.name);
      if (child !== undefined) found.push(child);
      return;
    }
    case 'wildcard':
      for (const child of childrenOf(value)) found.push(child);
      return;
    case 'recursive':
      descendants(value, found);
      return;
    case 'index': {
      if (!Array.isArray(value)) return;
      const item = value.at(step.index);
      if (item !== undefined) found.push(item);
      return;
    }
    case 'slice': {
      if (!Array.isArray(value)) return;
      value.slice(step.from, step.to).forEach((item, index) => {
        if (index % step.step === 0) found.push(item);
      });
      return;
    }
    case 'union':
      for (const one of step.steps) applyStep(one, value, root, found);
      return;
    case 'filter':
      if (!Array.isArray(value)) return;
      for (const item of value) {
        const left = valueOfOperand(step.left, item, root);
        const keep =
          step.comparison === undefined || step.right === undefined
            ? left !== undefined
            : compare(left, step.comparison, valueOfOperand(step.right, item, root));
        if (keep) found.push(item);
      }
  }
}

function walk(steps: readonly Step[], start: JsonValue, root: JsonValue): JsonValue[] {
  let current: JsonValue[] = [start];
  for (const step of steps) {
    const found: JsonValue[] = [];
    for (const value of current) {
      applyStep(step, value, root, found);
      if (found.length >= resultsMax) break;
    }
    if (found.length === 0) return found;
    current = found;
  }
  return current;
}

/**
 * Compiles one path of Kubernetes' JSONPath (kubernetes.io/docs/reference/kubectl/jsonpath): `.spec.replicas`, the same
 * in braces, `$.a['b.c']`, `.a\.b`, `[0]`, `[-1]`, `[0:2]`, `[*]`, `['a','b']`, `..name`,
 * `.conditions[?(@.type=="Ready")].status`. Throws RangeError when malformed.
 */
export function compileJsonPath(source: string): JsonPath {
  if (source.length > sourceLengthMax) throw new RangeError(`longer than ${sourceLengthMax} characters`);
  let text = source.trim();
  if (text.startsWith('{')) {
    if (!text.endsWith('}')) throw new RangeError(`unclosed action in ${JSON.stringify(source)}`);
    text = text.slice(1, -1).trim();
  }
  const parser = new Parser(text, text.startsWith('$') || text.startsWith('@') ? 1 : 0);
  const steps = parser.steps();
  if (parser.at !== text.length) {
    throw new RangeError(`unrecognized character in action at ${parser.at} of ${JSON.stringify(text)}`);
  }
  if (steps.length === 0 && text === '') throw new RangeError('the path is empty');
  return {
    source,
    find: (root) => walk(steps, root, root),
    first: (root) => walk(steps, root, root)[0],
  };
}

/** The field names of a plain path without arrays (`.spec.replicas` or `spec.replicas`); undefined for any other. */
export function plainPath(source: string): readonly string[] | undefined {
  const text = source.startsWith('.') ? source.slice(1) : source;
  if (text === '' || /[[\](){}*\s'"]/.test(text)) return undefined;
  const names = text.split('.');
  return names.every((name) => name !== '') ? names : undefined;
}

export function getAtPath(root: JsonValue, names: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = root;
  for (const name of names) {
    if (value === undefined) return undefined;
    value = childOf(value, name);
  }
  return value;
}

/** Sets in place, making objects on the way; false (nothing changed) where something else stands in the way. */
export function setAtPath(root: JsonObject, names: readonly string[], value: JsonValue): boolean {
  let object = root;
  for (const name of names.slice(0, -1)) {
    const child = childOf(object, name);
    if (child === undefined || child === null) {
      const made: JsonObject = {};
      object[name] = made;
      object = made;
    } else if (isJsonObject(child)) {
      object = child;
    } else {
      return false;
    }
  }
  object[names[names.length - 1] as string] = value;
  return true;
}
