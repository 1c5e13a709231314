import { codePointCount, sizeOf } from '../sizes.ts';
import { ArrayList, CelFault, type CelList, type Value } from '../values.ts';
import { listTraversal, plus, textFactor, times, traversal, unreckonedText } from './costs.ts';
import { formatText } from './format-text.ts';
import { showKey } from './operators.ts';
import { type CostModel, type EstimatedArgument, type FunctionTable, fixed, type Range } from './registry.ts';

/** Unicode's White_Space, which Go's TrimSpace takes. */
const space = '\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const outerSpace = new RegExp(`^[${space}]+|[${space}]+$`, 'g');

const outOfRange = (index: bigint): CelFault => new CelFault(`index out of range: ${index}`);

/** A text whose characters are code points. */
class Text {
  readonly text: string;
  readonly #points: readonly string[] | undefined;

  constructor(text: string) {
    this.text = text;
    this.#points = codePointCount(text) === text.length ? undefined : Array.from(text);
  }

  get length(): number {
    return this.#points === undefined ? this.text.length : this.#points.length;
  }

  slice(from: number, to: number): string {
    return this.#points === undefined ? this.text.slice(from, to) : this.#points.slice(from, to).join('');
  }

  /** Code points before a UTF-16 offset. */
  pointsBefore(offset: number): number {
    return this.#points === undefined ? offset : codePointCount(this.text.slice(0, offset));
  }

  /** The UTF-16 offset of a code point. */
  offsetOf(point: number): number {
    return this.#points === undefined ? point : this.#points.slice(0, point).join('').length;
  }
}

function charAt([value, index]: readonly Value[]): Value {
  const text = new Text(value as string);
  const at = index as bigint;
  if (at < 0n || at > BigInt(text.length)) return outOfRange(at);
  return text.slice(Number(at), Number(at) + 1);
}

function indexOf([value, sought, from]: readonly Value[]): Value {
  const text = new Text(value as string);
  const start = (from as bigint | undefined) ?? 0n;
  if (sought === '') return start;
  if (start < 0n) return outOfRange(start);
  if (start >= BigInt(text.length)) return -1n;
  const found = text.text.indexOf(sought as string, text.offsetOf(Number(start)));
  return found < 0 ? -1n : BigInt(text.pointsBefore(found));
}

function lastIndexOf([value, sought, from]: readonly Value[]): Value {
  const text = new Text(value as string);
  const start = from as bigint | undefined;
  if (sought === '') return start ?? BigInt(text.length);
  if (start !== undefined && start < 0n) return outOfRange(start);
  if (start !== undefined && start >= BigInt(text.length)) return -1n;
  const offset = start === undefined ? undefined : text.offsetOf(Number(start));
  const found = text.text.lastIndexOf(sought as string, offset);
  return found < 0 ? -1n : BigInt(text.pointsBefore(found));
}

function replace([value, old, fresh, limit]: readonly Value[]): Value {
  const text = value as string;
  const count = limit === undefined ? -1 : Number(limit as bigint);
  if (count === 0) return text;
  const pieces = old === '' ? Array.from(text) : text.split(old as string);
  if (old === '') return replaceBetween(pieces, fresh as string, count);
  const replaced = count < 0 ? pieces.length - 1 : Math.min(count, pieces.length - 1);
  const head = pieces.slice(0, replaced + 1).join(fresh as string);
  const rest = pieces.slice(replaced + 1);
  return rest.length === 0 ? head : [head, ...rest].join(old as string);
}

function replaceBetween(points: readonly string[], fresh: string, limit: number): string {
  const count = limit < 0 ? points.length + 1 : Math.min(limit, points.length + 1);
  let result = '';
  points.forEach((point, index) => {
    result += index < count ? fresh + point : point;
  });
  return count > points.length ? result + fresh : result;
}

function split([value, separator, limit]: readonly Value[]): Value {
  const text = value as string;
  const count = limit === undefined ? -1 : Number(limit as bigint);
  if (count === 0) return new ArrayList([]);
  if (count === 1) return new ArrayList([text]);
  const pieces = separator === '' ? Array.from(text) : text.split(separator as string);
  if (count < 0 || pieces.length <= count) return new ArrayList(pieces);
  const last = pieces.slice(count - 1).join(separator as string);
  return new ArrayList([...pieces.slice(0, count - 1), last]);
}

function substring([value, from, to]: readonly Value[]): Value {
  const text = new Text(value as string);
  const start = from as bigint;
  const end = (to as bigint | undefined) ?? BigInt(text.length);
  if (to !== undefined && start > end) {
    return new CelFault(`invalid substring range. start: ${start}, end: ${end}`);
  }
  if (start < 0n || start > BigInt(text.length)) return outOfRange(start);
  if (end < 0n || end > BigInt(text.length)) return outOfRange(end);
  return text.slice(Number(start), Number(end));
}

function join([list, separator]: readonly Value[]): Value {
  const values = (list as CelList).toArray();
  const other = values.find((value) => typeof value !== 'string');
  if (other !== undefined)
    return new CelFault(`join: invalid input: ${other instanceof CelFault ? other.message : showKey(other)}`);
  return values.join((separator as string | undefined) ?? '');
}

const quotes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** A text in double quotes, as a CEL literal. */
export function quoteText(text: string): string {
  const escaped = text
    .replace(/[\x07\b\f\n\r\t\v\\"]/g, (char) => quotes[char] as string)
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
  return `"${escaped}"`;
}

const lower = (text: string): string => text.replace(/[A-Z]+/g, (found) => found.toLowerCase());
const upper = (text: string): string => text.replace(/[a-z]+/g, (found) => found.toUpperCase());

const replacing: CostModel = {
  ...traversal(0, 2),
  run: ([text], result) => Math.ceil(sizeOf(text ?? null) * 2 * textFactor) + unreckonedText(result),
  estimate: ([text, old, fresh]) => {
    const { cost } = traversal(0, 2).estimate(text === undefined ? [] : [text]);
    return { cost, size: text && old && fresh ? replacedSize(text.size, old.size, fresh.size) : undefined };
  },
};

/** How long a text is after replacing, at least and at most (Kubernetes' estimate). */
function replacedSize(text: Range, old: Range, fresh: Range): Range {
  const longest =
    old.min === 0
      ? (text.max + 1) * fresh.max + text.max
      : fresh.max <= old.min
        ? text.max
        : Math.ceil(text.max / old.min) * fresh.max;
  const shortest =
    old.max === 0
      ? (text.min + 1) * fresh.min + text.min
      : old.max <= fresh.min
        ? text.min
        : Math.ceil(text.min / old.max) * fresh.min;
  return { min: Number.isNaN(shortest) ? 0 : shortest, max: Number.isNaN(longest) ? Infinity : longest };
}

const splitting: CostModel = {
  ...traversal(0, 2),
  estimate: (args) => ({
    cost: traversal(0, 2).estimate(args).cost,
    size: { min: 0, max: partsMax(args) },
  }),
};

/** As many as there are characters, unless a limit stands in the expression. */
function partsMax([text, , limit]: readonly EstimatedArgument[]): number {
  if (limit?.integer === undefined) return text?.size.max ?? Infinity;
  return limit.integer < 0n ? Infinity : Number(limit.integer);
}

const joining: CostModel = {
  run: (_, result) => Math.ceil(sizeOf(result) * 2 * textFactor),
  estimate: ([list, separator]) => {
    if (list === undefined) return { cost: fixed(1) };
    const texts = list.elementKind === undefined ? fixed(0) : times(list.size, list.elementSize);
    const gaps = { min: Math.max(0, list.size.min - 1), max: Math.max(0, list.size.max - 1) };
    const size = separator === undefined ? texts : plus(texts, times(separator.size, gaps));
    return { cost: { min: Math.ceil(size.min * textFactor), max: Math.ceil(size.max * textFactor) }, size };
  },
};

const formatting: CostModel = {
  run: ([pattern], result) => Math.ceil(sizeOf(pattern ?? null) * textFactor) + unreckonedText(result),
  estimate: (args) => ({
    cost: traversal(0).estimate(args).cost,
    size: { min: 0, max: Infinity },
  }),
};

/** cel-go's strings extension, version 2 (Kubernetes 1.29). */
export function addStrings(table: FunctionTable): void {
  const text =
    (change: (value: string) => string) =>
    ([value]: readonly Value[]): Value =>
      change(value as string);
  const searched: CostModel = { ...traversal(0), isOfFunction: true, run: listTraversal.run };
  table
    .add(['string->charAt(int) string'], charAt)
    .add(['string->indexOf(string) int', 'string->indexOf(string, int) int'], indexOf, searched)
    .add(['string->lastIndexOf(string) int', 'string->lastIndexOf(string, int) int'], lastIndexOf, searched)
    .add(['string->lowerAscii() string'], text(lower), traversal(0, 1, true))
    .add(['string->upperAscii() string'], text(upper), traversal(0, 1, true))
    .add(
      ['string->trim() string'],
      text((value) => value.replace(outerSpace, '')),
      traversal(0, 1, true),
    )
    .add(
      ['string->substring(int) string', 'string->substring(int, int) string'],
      substring,
      traversal(0, 1, true),
    )
    .add(
      ['string->replace(string, string) string', 'string->replace(string, string, int) string'],
      replace,
      replacing,
    )
    .add(['string->split(string) list(string)', 'string->split(string, int) list(string)'], split, splitting)
    .addByElement(['list(string)->join() string', 'list(string)->join(string) string'], join, joining)
    .add(
      ['string->format(list(dyn)) string'],
      ([pattern, args]) => formatText(pattern as string, args as CelList),
      formatting,
    )
    .add(['strings.quote(string) string'], text(quoteText), {
      ...traversal(0),
      estimate: (args) => {
        const { min, max } = args[0]?.size ?? fixed(0);
        // Beyond all bounds cel-go's arithmetic wraps around to nothing.
        const size = { min: min + 2, max: max === Infinity ? 0 : max * 2 + 2 };
        return { ...traversal(0).estimate(args), size };
      },
    });
}
