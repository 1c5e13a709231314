import {
  CelSyntaxError,
  type ComprehensionMacro,
  describeError,
  type Expr,
  type ListExpr,
  type MapExpr,
  type StructExpr,
} from './ast.ts';
import { intMax, type Token, tokens } from './lexer.ts';

/** Code points of an expression (cel-go's default). */
export const sourceLengthMax = 100_000;
/** Nesting of brackets, calls and conditions (cel-go's default), and of the tree as a whole. */
const nestingMax = 250;
const depthMax = 500;

const reserved: ReadonlySet<string> = new Set(
  'as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);
const keywords: ReadonlySet<string> = new Set(['in', 'true', 'false', 'null']);

const relations: Readonly<Record<string, string>> = {
  '<': '_<_',
  '<=': '_<=_',
  '>': '_>_',
  '>=': '_>=_',
  '==': '_==_',
  '!=': '_!=_',
};

/** Parses CEL, macros expanded. Throws CelSyntaxError in the form of cel-go's messages. */
export function parseCel(source: string): Expr {
  if (source.length > sourceLengthMax) {
    throw new CelSyntaxError(
      `ERROR: <input>:-1:0: expression code point size exceeds limit: size: ${source.length}, limit ${sourceLengthMax}`,
    );
  }
  return new Parser(source).parse();
}

/** What cel-go's macro `sortBy` takes for no list before anything is known of types (ext/lists.go). */
const unsortable: ReadonlySet<Expr['kind']> = new Set(['literal', 'map', 'struct']);

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #errors: readonly string[];
  #index = 0;
  #nesting = 0;

  constructor(source: string) {
    this.#source = source;
    const { list, errors } = tokens(source);
    this.#tokens = list;
    this.#errors = errors;
  }

  parse(): Expr {
    const expr = this.#expression();
    if (this.#peek().type !== 'end') throw this.#wrongInput('<EOF>', this.#peek(1).type === 'end');
    if (this.#errors.length > 0) throw new CelSyntaxError(this.#errors.join('\n'));
    return expr;
  }

  #peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#index + ahead, this.#tokens.length - 1)] as Token;
  }

  #is(text: string): boolean {
    const token = this.#peek();
    return token.type === 'punctuation' && token.text === text;
  }

  #accept(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#index++;
    return true;
  }

  /** `wanted`: everything that may stand there, as ANTLR lists it. */
  #expect(text: string, wanted = `'${text}'`): Token {
    if (this.#is(text)) return this.#tokens[this.#index++] as Token;
    const next = this.#peek(1);
    const isExtra = next.type === 'punctuation' && next.text === text;
    const isAlone = wanted === `'${text}'`;
    if (isAlone && !isExtra && this.#mayFollow(text)) throw this.#missing(text);
    throw this.#wrongInput(wanted, isExtra);
  }

  /** Whether what comes now could come after `text`. */
  #mayFollow(text: string): boolean {
    return text === ':' ? beginsOperand(this.#peek()) : this.#peek().type === 'end';
  }

  #missing(text: string): CelSyntaxError {
    const { at, text: found } = this.#peek();
    return this.#error(at, `Syntax error: missing '${text}' at '${found}'`);
  }

  #error(at: number, message: string): CelSyntaxError {
    return new CelSyntaxError([...this.#errors, describeError(this.#source, at, message)].join('\n'));
  }

  /** Something else than what must come; `isExtra`: what must come follows it. The words are ANTLR's. */
  #wrongInput(wanted: string, isExtra: boolean): CelSyntaxError {
    const { at, text, type } = this.#peek();
    const what = isExtra && type !== 'end' ? 'extraneous' : 'mismatched';
    return this.#error(at, `Syntax error: ${what} input '${text}' expecting ${wanted}`);
  }

  #noOperand(): CelSyntaxError {
    const next = this.#peek(1);
    const error = this.#wrongInput(operandTokens, beginsOperand(next));
    // An operator is dropped before ANTLR looks on, a closing bracket is not.
    const isDropped =
      next.type === 'end' && !')]}:,'.includes(this.#peek().text) && this.#peek().type !== 'end';
    if (!isDropped) return error;
    this.#index++;
    return new CelSyntaxError(`${error.message}\n${this.#wrongInput(operandTokens, false).message}`);
  }

  /** Neither an element nor the end of a list or map, where both may stand. */
  #unclosed(end: string): CelSyntaxError {
    if (this.#mayFollow(end)) return this.#missing(end);
    return this.#wrongInput(`'${end}'`, false);
  }

  /** A dot without a name. */
  #noMember(dot: string): CelSyntaxError {
    const { at, text, type } = this.#peek();
    const shown = type === 'end' ? dot : `${dot}${text}`;
    return this.#error(at, `Syntax error: no viable alternative at input '${shown}'`);
  }

  #depth(at: number, ...parts: readonly (Expr | undefined)[]): number {
    let depth = 0;
    for (const part of parts) if (part !== undefined && part.depth > depth) depth = part.depth;
    if (depth >= depthMax) throw this.#error(at, `expression recursion limit exceeded: ${depthMax}`);
    return depth + 1;
  }

  #call(at: number, name: string, args: readonly Expr[], target?: Expr): Expr {
    return { kind: 'call', at, name, target, args, depth: this.#depth(at, target, ...args) };
  }

  #expression(): Expr {
    if (++this.#nesting > nestingMax) {
      throw this.#error(this.#peek().at, `expression recursion limit exceeded: ${nestingMax}`);
    }
    const condition = this.#or();
    let result = condition;
    if (this.#is('?')) {
      const { at } = this.#expect('?');
      const whenTrue = this.#or();
      this.#expect(':');
      const whenFalse = this.#expression();
      result = this.#call(at, '_?_:_', [condition, whenTrue, whenFalse]);
    }
    this.#nesting--;
    return result;
  }

  #or(): Expr {
    return this.#logical('||', '_||_', () => this.#logical('&&', '_&&_', () => this.#relation()));
  }

  /** Long chains become balanced trees: evaluation order is the same, depth is logarithmic. */
  #logical(operator: string, name: string, operand: () => Expr): Expr {
    const first = operand();
    if (!this.#is(operator)) return first;
    const terms = [first];
    const places: number[] = [];
    while (this.#is(operator)) {
      places.push(this.#expect(operator).at);
      terms.push(operand());
    }
    const balanced = (from: number, to: number): Expr => {
      if (from === to) return terms[from] as Expr;
      const middle = (from + to) >> 1;
      return this.#call(places[middle] as number, name, [balanced(from, middle), balanced(middle + 1, to)]);
    };
    return balanced(0, terms.length - 1);
  }

  #relation(): Expr {
    let left = this.#sum();
    for (;;) {
      const token = this.#peek();
      const isIn = token.type === 'ident' && token.text === 'in';
      const name = isIn ? '@in' : token.type === 'punctuation' ? relations[token.text] : undefined;
      if (name === undefined) return left;
      this.#index++;
      left = this.#call(token.at, name, [left, this.#sum()]);
    }
  }

  #sum(): Expr {
    let left = this.#product();
    for (;;) {
      const { at, text } = this.#peek();
      if (!this.#accept('+') && !this.#accept('-')) return left;
      left = this.#call(at, text === '+' ? '_+_' : '_-_', [left, this.#product()]);
    }
  }

  #product(): Expr {
    let left = this.#unary();
    for (;;) {
      const { at, text } = this.#peek();
      if (!this.#accept('*') && !this.#accept('/') && !this.#accept('%')) return left;
      left = this.#call(at, `_${text}_`, [left, this.#unary()]);
    }
  }

  #unary(): Expr {
    const { at, text } = this.#peek();
    if (!this.#is('!') && !this.#is('-')) return this.#member();
    let count = 0;
    while (this.#accept(text)) count++;
    if (text === '-') {
      const next = this.#peek();
      const isNumber = next.magnitude !== undefined || typeof next.value === 'number';
      if (isNumber && count % 2 === 1) return this.#member(at);
    }
    const operand = this.#member();
    return count % 2 === 0 ? operand : this.#call(at, text === '!' ? '!_' : '-_', [operand]);
  }

  /** `negatedAt`: where a minus stands that belongs to the number literal which comes first. */
  #member(negatedAt?: number): Expr {
    let expr = this.#primary(negatedAt);
    for (;;) {
      const { at } = this.#peek();
      if (this.#accept('.')) {
        const isOptional = this.#accept('?');
        const name = this.#peek();
        const isName = name.type === 'quoted' || (name.type === 'ident' && !keywords.has(name.text));
        if (!isName) throw this.#noMember(isOptional ? '.?' : '.');
        this.#index++;
        if (this.#is('(') && !isOptional && name.type === 'ident') {
          const open = this.#expect('(');
          expr = this.#memberCall(expr, name.text, this.#arguments(')'), open.at);
        } else {
          expr = {
            kind: 'select',
            at,
            operand: expr,
            field: name.text,
            isTest: false,
            isOptional,
            depth: this.#depth(at, expr),
          };
        }
      } else if (this.#accept('[')) {
        const isOptional = this.#accept('?');
        const index = this.#expression();
        this.#expect(']');
        expr = this.#call(at, isOptional ? '_[?_]' : '_[_]', [expr, index]);
      } else if (this.#is('{') && isTypeName(expr)) {
        expr = this.#struct(expr);
      } else {
        return expr;
      }
    }
  }

  #primary(negatedAt: number | undefined): Expr {
    const token = this.#peek();
    const { at } = token;
    if (token.type === 'literal') {
      this.#index++;
      return {
        kind: 'literal',
        at: negatedAt ?? at,
        value: this.#literal(token, negatedAt !== undefined),
        depth: 1,
      };
    }
    if (this.#accept('(')) {
      const expr = this.#expression();
      this.#expect(')');
      return expr;
    }
    if (this.#accept('[')) return this.#list(at);
    if (this.#accept('{')) return this.#map(at);
    const isRooted = this.#accept('.');
    const name = this.#peek();
    if (name.type !== 'ident') throw this.#noOperand();
    if (!isRooted && name.text === 'true') return this.#constant(true);
    if (!isRooted && name.text === 'false') return this.#constant(false);
    if (!isRooted && name.text === 'null') return this.#constant(null);
    if (keywords.has(name.text)) throw this.#noOperand();
    this.#index++;
    if (reserved.has(name.text)) {
      throw this.#error(name.at, `reserved identifier: ${name.text}`);
    }
    const full = isRooted ? `.${name.text}` : name.text;
    if (!this.#is('(')) return { kind: 'ident', at: name.at, name: full, depth: 1 };
    const open = this.#expect('(');
    const args = this.#arguments(')');
    if (full === 'has') return this.#has(args, open.at);
    return this.#call(open.at, full, args);
  }

  #constant(value: boolean | null): Expr {
    const { at } = this.#peek();
    this.#index++;
    return { kind: 'literal', at, value, depth: 1 };
  }

  #literal(token: Token, isNegated: boolean): NonNullable<Token['value']> | null {
    const { value, magnitude } = token;
    if (magnitude !== undefined) {
      if (!isNegated && magnitude > intMax) throw this.#error(token.at, 'invalid int literal');
      return isNegated ? -magnitude : magnitude;
    }
    if (isNegated && typeof value === 'number') return -value;
    return value as NonNullable<Token['value']>;
  }

  #arguments(end: string): Expr[] {
    const args: Expr[] = [];
    if (this.#accept(end)) return args;
    if (this.#peek().type === 'end') throw this.#wrongInput(argumentTokens, false);
    do args.push(this.#expression());
    while (this.#accept(','));
    this.#expect(end);
    return args;
  }

  #list(at: number): ListExpr {
    const elements: { value: Expr; isOptional: boolean }[] = [];
    if (this.#peek().type === 'end') throw this.#wrongInput(elementTokens, false);
    while (!this.#accept(']')) {
      const isOptional = this.#accept('?');
      if (!isOptional && elements.length > 0 && !beginsOperand(this.#peek())) throw this.#unclosed(']');
      elements.push({ isOptional, value: this.#expression() });
      if (!this.#accept(',')) {
        this.#expect(']', "{']', ','}");
        break;
      }
    }
    return { kind: 'list', at, elements, depth: this.#depth(at, ...elements.map(({ value }) => value)) };
  }

  #map(at: number): MapExpr {
    const entries: { key: Expr; value: Expr; isOptional: boolean }[] = [];
    while (!this.#accept('}')) {
      const isOptional = this.#accept('?');
      if (!isOptional && entries.length > 0 && !beginsOperand(this.#peek())) throw this.#unclosed('}');
      const key = this.#expression();
      this.#expect(':');
      entries.push({ isOptional, key, value: this.#expression() });
      if (!this.#accept(',')) {
        this.#expect('}', "{'}', ','}");
        break;
      }
    }
    const parts = entries.flatMap(({ key, value }) => [key, value]);
    return { kind: 'map', at, entries, depth: this.#depth(at, ...parts) };
  }

  #struct(type: Expr): StructExpr {
    const { at } = this.#expect('{');
    const fields: { name: string; value: Expr; isOptional: boolean; at: number }[] = [];
    while (!this.#accept('}')) {
      const isOptional = this.#accept('?');
      const name = this.#peek();
      if (name.type !== 'ident' && name.type !== 'quoted') {
        throw this.#wrongInput("{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}", false);
      }
      this.#index++;
      const colon = this.#expect(':');
      fields.push({ isOptional, name: name.text, at: colon.at, value: this.#expression() });
      if (!this.#accept(',')) {
        this.#expect('}', "{'}', ','}");
        break;
      }
    }
    const depth = this.#depth(at, ...fields.map(({ value }) => value));
    return { kind: 'struct', at, name: qualifiedName(type) as string, fields, depth };
  }

  #has(args: readonly Expr[], at: number): Expr {
    const [arg] = args;
    if (args.length !== 1 || arg?.kind !== 'select' || arg.isOptional) {
      throw this.#error(arg?.at ?? at, 'invalid argument to has() macro');
    }
    return { ...arg, at, isTest: true };
  }

  /** A call with a target; the macros among them become nodes of their own. */
  #memberCall(target: Expr, name: string, args: readonly Expr[], at: number): Expr {
    if (target.kind === 'ident' && target.name === 'cel' && name === 'bind' && args.length === 3) {
      const [variable, value, body] = args as [Expr, Expr, Expr];
      const depth = this.#depth(at, value, body);
      return { kind: 'bind', at, name: this.#variable(variable), value, body, depth };
    }
    if (name === 'sortBy' && args.length === 2) return this.#sortBy(target, args, at);
    if ((name === 'optMap' || name === 'optFlatMap') && args.length === 2) {
      const [variable, body] = args as [Expr, Expr];
      const depth = this.#depth(at, target, body);
      return {
        kind: 'optMap',
        at,
        target,
        name: this.#variable(variable),
        body,
        isFlat: name === 'optFlatMap',
        depth,
      };
    }
    return this.#comprehension(target, name, args, at) ?? this.#call(at, name, args, target);
  }

  /** `list.sortBy(x, key)`: the list, looked at once, in the order of what `map` makes of it. */
  #sortBy(target: Expr, args: readonly Expr[], at: number): Expr {
    if (unsortable.has(target.kind)) {
      const what = 'a list, identifier, comprehension, call or select expression';
      throw this.#error(target.at, `sortBy can only be applied to ${what}`);
    }
    const name = '@sortBy_input';
    const list: Expr = { kind: 'ident', at, name, depth: 1 };
    const keys = this.#comprehension(list, 'map', args, at) as Expr;
    const body = this.#call(at, '@sortByAssociatedKeys', [keys], list);
    return { kind: 'bind', at, name, value: target, body, depth: this.#depth(at, target, body) };
  }

  #comprehension(range: Expr, name: string, args: readonly Expr[], at: number): Expr | undefined {
    const shape = macroShape(name, args.length);
    if (shape === undefined) return undefined;
    const { macro, variables, hasPredicate, hasTransform } = shape;
    const first = this.#variable(args[0] as Expr);
    const second = variables === 2 ? this.#variable(args[1] as Expr) : undefined;
    if (first === second)
      throw this.#error((args[1] as Expr).at, `overlapping variable declaration: ${first}`);
    const rest = args.slice(variables);
    const predicate = hasPredicate ? rest[0] : undefined;
    const transform = hasTransform ? rest[hasPredicate ? 1 : 0] : undefined;
    const depth = this.#depth(at, range, predicate, transform);
    return { kind: 'comprehension', at, macro, range, first, second, predicate, transform, depth };
  }

  #variable(expr: Expr): string {
    if (expr.kind !== 'ident' || expr.name.startsWith('.')) {
      throw this.#error(expr.at, 'argument must be a simple name');
    }
    return expr.name;
  }
}

interface MacroShape {
  readonly macro: ComprehensionMacro;
  readonly variables: 1 | 2;
  readonly hasPredicate: boolean;
  readonly hasTransform: boolean;
}

/** Which macro a member call of this name and number of arguments is (CEL specification, Macros; two-variable ones). */
function macroShape(name: string, count: number): MacroShape | undefined {
  switch (name) {
    case 'all':
    case 'exists':
    case 'exists_one':
    case 'existsOne': {
      if (count !== 2 && count !== 3) return undefined;
      const macro = name === 'existsOne' ? 'exists_one' : name;
      return { macro, variables: count === 2 ? 1 : 2, hasPredicate: true, hasTransform: false };
    }
    case 'filter':
      return count === 2 ? { macro: name, variables: 1, hasPredicate: true, hasTransform: false } : undefined;
    case 'map':
      if (count !== 2 && count !== 3) return undefined;
      return { macro: name, variables: 1, hasPredicate: count === 3, hasTransform: true };
    case 'transformList':
    case 'transformMap':
    case 'transformMapEntry':
      if (count !== 3 && count !== 4) return undefined;
      return { macro: name, variables: 2, hasPredicate: count === 4, hasTransform: true };
    default:
      return undefined;
  }
}

/** What may begin an operand, as ANTLR lists it. */
const operandTokens =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** The same where the call may end, or the list. */
const argumentTokens = operandTokens.replace("'(',", "'(', ')',");
const elementTokens = operandTokens
  .replace("'[',", "'[', ']',")
  .replace("'.', '-', '!',", "'.', ',', '-', '!', '?',");

function beginsOperand({ type, text }: Token): boolean {
  if (type === 'punctuation') return '[{(.-!'.includes(text);
  return type === 'literal' || (type === 'ident' && text !== 'in');
}

function isTypeName(expr: Expr): boolean {
  return qualifiedName(expr) !== undefined;
}

/** `a.b.c` of nested selects of an identifier; undefined for anything else. */
export function qualifiedName(expr: Expr): string | undefined {
  if (expr.kind === 'ident') return expr.name;
  if (expr.kind !== 'select' || expr.isTest || expr.isOptional) return undefined;
  const operand = qualifiedName(expr.operand);
  return operand === undefined ? undefined : `${operand}.${expr.field}`;
}
