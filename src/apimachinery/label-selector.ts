import { badRequest } from './api-error.ts';
import { labelKey, labelValue } from './names.ts';

type Labels = Readonly<Record<string, string>> | undefined;
type Operator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: Operator;
  /** Sorted, without repetitions. */
  readonly values: readonly string[];
}

export interface LabelSelector {
  /** True when it has no requirements, and so matches everything. */
  readonly empty: boolean;
  readonly requirements: readonly LabelRequirement[];
  matches(labels: Labels): boolean;
  /** The canonical text: requirements by key, values sorted. */
  toString(): string;
}

/** meta/v1 LabelSelector as it stands in objects. */
export interface LabelSelectorObject {
  readonly matchLabels?: { readonly [key: string]: unknown } | undefined;
  readonly matchExpressions?: readonly unknown[] | undefined;
}

/** The selector that matches every object. */
export const everything: LabelSelector = {
  empty: true,
  requirements: [],
  matches: () => true,
  toString: () => '',
};

/** The selector that matches no object. */
export const nothing: LabelSelector = {
  empty: false,
  requirements: [],
  matches: () => false,
  toString: () => '<nothing>',
};

function holds(requirement: LabelRequirement, labels: Labels): boolean {
  const value =
    labels !== undefined && Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.operator) {
    case '=':
    case '==':
      return value === requirement.values[0];
    case '!=':
      return value !== requirement.values[0];
    case 'in':
      return value !== undefined && requirement.values.includes(value);
    case 'notin':
      return value === undefined || !requirement.values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
      return value !== undefined && compareIntegers(value, requirement.values[0] as string) > 0;
    case 'lt':
      return value !== undefined && compareIntegers(value, requirement.values[0] as string) < 0;
  }
}

const integer = /^[+-]?[0-9]{1,19}$/;

function isInt64(text: string): boolean {
  return integer.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
}

/** NaN (so neither greater nor less) when the label is no 64-bit integer. */
function compareIntegers(value: string, bound: string): number {
  if (!isInt64(value)) return Number.NaN;
  const a = BigInt(value);
  const b = BigInt(bound);
  return a < b ? -1 : a > b ? 1 : 0;
}

function requirementText({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
      return `${key} in (${values.join(',')})`;
    case 'notin':
      return `${key} notin (${values.join(',')})`;
    case 'gt':
      return `${key}>${values[0]}`;
    case 'lt':
      return `${key}<${values[0]}`;
    default:
      return `${key}${operator}${values[0]}`;
  }
}

class Requirements implements LabelSelector {
  readonly empty = false;
  readonly requirements: readonly LabelRequirement[];

  constructor(requirements: readonly LabelRequirement[]) {
    this.requirements = requirements;
  }

  matches(labels: Labels): boolean {
    for (const requirement of this.requirements) if (!holds(requirement, labels)) return false;
    return true;
  }

  toString(): string {
    return this.requirements.map(requirementText).join(',');
  }
}

/** The selector of requirements already checked with `labelRequirement`; none gives `everything`. */
export function selectorOfRequirements(requirements: readonly LabelRequirement[]): LabelSelector {
  if (requirements.length === 0) return everything;
  return new Requirements([...requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)));
}

/** Checks as Kubernetes' labels.NewRequirement; throws ApiError BadRequest. */
export function labelRequirement(
  key: string,
  operator: Operator,
  values: readonly string[],
): LabelRequirement {
  const keyErrors = labelKey(key);
  if (keyErrors.length > 0)
    throw badRequest(`key: Invalid value: ${JSON.stringify(key)}: ${keyErrors.join('; ')}`);
  const list = `[]string{${values.map((value) => JSON.stringify(value)).join(', ')}}`;
  const refuse = (why: string) => badRequest(`values: Invalid value: ${list}: ${why}`);
  switch (operator) {
    case 'in':
    case 'notin':
      if (values.length === 0) throw refuse("for 'in', 'notin' operators, values set can't be empty");
      break;
    case 'exists':
    case '!':
      if (values.length !== 0) throw refuse('values set must be empty for exists and does not exist');
      break;
    case 'gt':
    case 'lt':
      if (values.length !== 1) throw refuse("for 'Gt', 'Lt' operators, exactly one value is required");
      if (!isInt64(values[0] as string)) {
        throw badRequest(
          `values[0]: Invalid value: ${JSON.stringify(values[0])}: for 'Gt', 'Lt' operators, the value must be an integer`,
        );
      }
      break;
    default:
      if (values.length !== 1) throw refuse('exact-match compatibility requires one single value');
  }
  values.forEach((value, index) => {
    // Bounds of gt and lt may be signed, which no label value may be.
    const errors = operator === 'gt' || operator === 'lt' ? [] : labelValue(value);
    if (errors.length > 0) {
      throw badRequest(
        `values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${errors.join('; ')}`,
      );
    }
  });
  return { key, operator, values: [...new Set(values)].sort() };
}

type TokenType =
  | 'end'
  | 'identifier'
  | 'in'
  | 'notin'
  | '='
  | '=='
  | '!='
  | '!'
  | '>'
  | '<'
  | '('
  | ')'
  | ','
  | 'error';

interface Token {
  readonly type: TokenType;
  readonly text: string;
}

const symbols: ReadonlySet<string> = new Set(['=', '==', '!=', '!', '>', '<', '(', ')', ',']);
const isSymbolCharacter = (character: string) => '=!(),><'.includes(character);
const isSpace = (character: string) =>
  character === ' ' || character === '\t' || character === '\r' || character === '\n';

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text[at] as string;
    if (isSpace(character)) {
      at++;
    } else if (isSymbolCharacter(character)) {
      const two = text.slice(at, at + 2);
      const symbol = two.length === 2 && symbols.has(two) ? two : character;
      tokens.push({ type: symbol as TokenType, text: symbol });
      at += symbol.length;
    } else {
      const start = at;
      while (at < text.length && !isSpace(text[at] as string) && !isSymbolCharacter(text[at] as string)) at++;
      const word = text.slice(start, at);
      tokens.push({ type: word === 'in' || word === 'notin' ? word : 'identifier', text: word });
    }
  }
  tokens.push({ type: 'end', text: '' });
  return tokens;
}

/** What labels.Parser says may follow, by what stands before it in a list of values. */
const afterListPart = {
  '(': "',', ')' or identifier",
  ',': "',', or identifier",
  value: "',' or ')'",
} as const;

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  /** Where a value may stand, `in` and `notin` are words like any other. */
  #peekValue(): Token {
    const token = this.#tokens[this.#at] as Token;
    return token.type === 'in' || token.type === 'notin' ? { type: 'identifier', text: token.text } : token;
  }

  #takeValue(): Token {
    const token = this.#peekValue();
    if (token.type !== 'end') this.#at++;
    return token;
  }

  parse(): LabelSelector {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const token = this.#peekValue();
      if (token.type === 'end') return selectorOfRequirements(requirements);
      if (token.type !== 'identifier' && token.type !== '!') {
        throw badRequest(`found '${token.text}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirement());
      const next = this.#takeValue();
      if (next.type === 'end') return selectorOfRequirements(requirements);
      if (next.type !== ',') throw badRequest(`found '${next.text}', expected: ',' or 'end of string'`);
      const after = this.#peekValue();
      if (after.type !== 'identifier' && after.type !== '!') {
        throw badRequest(`found '${after.text}', expected: identifier after ','`);
      }
    }
  }

  #requirement(): LabelRequirement {
    try {
      return this.#parseRequirement();
    } catch (error) {
      throw badRequest(
        `unable to parse requirement: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  #parseRequirement(): LabelRequirement {
    let token = this.#takeValue();
    const negated = token.type === '!';
    if (negated) token = this.#takeValue();
    if (token.type !== 'identifier') throw badRequest(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const errors = labelKey(key);
    if (errors.length > 0)
      throw badRequest(`<nil>: Invalid value: ${JSON.stringify(key)}: ${errors.join('; ')}`);
    const next = this.#peekValue();
    if (negated) return labelRequirement(key, '!', []);
    if (next.type === 'end' || next.type === ',') return labelRequirement(key, 'exists', []);
    const operator = this.#operator();
    const values = operator === 'in' || operator === 'notin' ? this.#valueList() : [this.#exactValue()];
    return labelRequirement(key, operator, values);
  }

  #operator(): Operator {
    const token = this.#tokens[this.#at] as Token;
    this.#at++;
    switch (token.type) {
      case 'in':
      case 'notin':
      case '=':
      case '==':
      case '!=':
        return token.type;
      case '>':
        return 'gt';
      case '<':
        return 'lt';
      default:
        throw badRequest(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #exactValue(): string {
    const token = this.#peekValue();
    if (token.type === 'end' || token.type === ',') return '';
    if (token.type !== 'identifier') throw badRequest(`found '${token.text}', expected: identifier`);
    this.#at++;
    return token.text;
  }

  /** `(a, b)`; an empty place between commas or parentheses is the empty value. */
  #valueList(): string[] {
    const open = this.#takeValue();
    if (open.type !== '(') throw badRequest(`found '${open.text}' expected: '('`);
    const values: string[] = [];
    /** What stands before the next token: the parenthesis, a comma or a value. */
    let before: '(' | ',' | 'value' = '(';
    for (;;) {
      const token = this.#takeValue();
      if (token.type === 'identifier' && before !== 'value') {
        values.push(token.text);
        before = 'value';
      } else if (token.type === ',' || token.type === ')') {
        if (before !== 'value') values.push('');
        if (token.type === ')') return values;
        before = ',';
      } else {
        throw badRequest(`found '${token.text}', expected: ${afterListPart[before]}`);
      }
    }
  }
}

/**
 * Parses the query parameter `labelSelector` (KUBERNETES.md L5): `a=b`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x)`,
 * `a`, `!a`, `a>1`, `a<1`, joined by commas. Throws ApiError BadRequest in the words of Kubernetes' labels.Parse.
 */
export function parseLabelSelector(text: string): LabelSelector {
  return text === '' ? everything : new Parser(text).parse();
}

const objectOperators: { readonly [name: string]: Operator } = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/**
 * The selector of a meta/v1 LabelSelector: undefined or null matches nothing, an empty one everything
 * (metav1.LabelSelectorAsSelector). Throws ApiError BadRequest when it is malformed.
 */
export function labelSelectorOf(object: LabelSelectorObject | null | undefined): LabelSelector {
  if (object === undefined || object === null) return nothing;
  const requirements: LabelRequirement[] = [];
  for (const [key, value] of Object.entries(object.matchLabels ?? {})) {
    if (typeof value !== 'string') throw badRequest(`matchLabels[${key}]: Invalid value: must be a string`);
    requirements.push(labelRequirement(key, '=', [value]));
  }
  for (const expression of object.matchExpressions ?? []) {
    const { key, operator, values } = expression as { key?: unknown; operator?: unknown; values?: unknown };
    const known =
      typeof operator === 'string' && Object.hasOwn(objectOperators, operator)
        ? objectOperators[operator]
        : undefined;
    if (known === undefined)
      throw badRequest(`${JSON.stringify(operator ?? '')} is not a valid label selector operator`);
    const list = Array.isArray(values) ? values.map(String) : [];
    requirements.push(labelRequirement(String(key ?? ''), known, list));
  }
  return selectorOfRequirements(requirements);
}
