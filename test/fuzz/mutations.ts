import fc from 'fast-check';
import { cloneJson, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { jsonFromOutside } from '#apimachinery/testing/json-arbitrary.ts';

/** Pieces that parsers stumble over, of all the languages that the server reads. */
const tokens = [
  ...[
    '',
    '\u0000',
    '\u007f',
    '\u00ff',
    '\\',
    '"',
    "'",
    '`',
    '\n',
    '\r\n',
    '\t',
    ' ',
    '%',
    '%zz',
    '%2f',
    '%00',
    '+',
  ],
  ...[
    ',',
    '=',
    '==',
    '!=',
    '!',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '<',
    '>',
    '&',
    '?',
    '#',
    ';',
    ':',
    '/',
    '//',
    '..',
    '.',
  ],
  ...[
    'in (',
    'notin (',
    '-',
    '--',
    '*',
    '&a',
    '*a',
    '<<: *a',
    '!!binary ',
    '!!js/function ',
    '|',
    '>-',
    '---',
    '...',
  ],
  ...[
    'null',
    'true',
    '0',
    '-0',
    '1e999',
    '1E-999',
    '0x',
    '9223372036854775808',
    '18446744073709551616',
    'NaN',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    '$patch',
    '$retainKeys',
    '$setElementOrder/a',
    'f:',
    'k:{',
    'v:',
    'i:-1',
  ],
  ...['(?:', '(?i)', '(a*)*', '{1000}', '\\Q', '\\pL', '[^', '$', '^', '[[:alpha:]]', '\\x{10ffff}', '|'],
  ...[
    '&&',
    '||',
    '? 1 : 2',
    '.all(x, ',
    '.map(x, ',
    'has(',
    'size(',
    "matches('",
    'self',
    'oldSelf',
    'optional.of(',
  ],
  ...['Gi', 'm', 'n', 'e', 'Z', 'T', '@.', '?(@', '-----BEGIN ', '-----END ', 'ſ', '𝒳', '\ud800', 'İ'],
];

type Edit = readonly [kind: number, at: number, length: number, token: string];

const edit: fc.Arbitrary<Edit> = fc.tuple(
  fc.nat(5),
  fc.nat(0xffff),
  fc.oneof({ weight: 9, arbitrary: fc.nat(12) }, { weight: 1, arbitrary: fc.nat(20_000) }),
  fc.constantFrom(...tokens),
);

/** Samples with some edits each: pieces cut out, doubled, replaced, repeated thousands of times. */
export function mutated(samples: readonly string[]): fc.Arbitrary<string> {
  const from = fc.constantFrom(...samples);
  return fc.oneof(
    {
      weight: 8,
      arbitrary: fc.tuple(from, fc.array(edit, { maxLength: 8 })).map(([text, edits]) => edited(text, edits)),
    },
    { weight: 1, arbitrary: fc.tuple(from, from, fc.nat(0xffff)).map(([a, b, at]) => spliced(a, b, at)) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
    {
      weight: 1,
      arbitrary: fc.array(fc.constantFrom(...tokens), { maxLength: 20 }).map((all) => all.join('')),
    },
  );
}

const lengthMax = 100_000;

function edited(sample: string, edits: readonly Edit[]): string {
  let text = sample;
  for (const [kind, where, length, token] of edits) {
    const at = text.length === 0 ? 0 : where % (text.length + 1);
    const [before, cut, after] = [text.slice(0, at), text.slice(at, at + length), text.slice(at + length)];
    if (kind === 0) text = before + after;
    else if (kind === 1) text = before + cut + cut + after;
    else if (kind === 2) text = before + token + cut + after;
    else if (kind === 3) text = before + token + after;
    else if (kind === 4) text = before + token.repeat(Math.min(length, 5_000)) + cut + after;
    else
      text =
        before + String.fromCharCode((cut.charCodeAt(0) || 0) ^ (1 << (length % 16))) + cut.slice(1) + after;
    if (text.length > lengthMax) text = text.slice(0, lengthMax);
  }
  return text;
}

function spliced(a: string, b: string, at: number): string {
  return a.slice(0, at % (a.length + 1)) + b.slice(at % (b.length + 1));
}

/** The same with bytes: characters of the text are bytes, as in latin-1. */
export function mutatedBytes(samples: readonly Buffer[]): fc.Arbitrary<Buffer> {
  return mutated(samples.map((sample) => sample.toString('latin1'))).map((text) =>
    Buffer.from(text, 'latin1'),
  );
}

const oddValues: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom<JsonValue>(null, true, false, 0, -1, 1.5, 1e300, 2 ** 53, '', 'x', [], {}, [[]], [null], {
    a: null,
  }),
  fc.constantFrom<JsonValue>(...tokens),
  fc.constantFrom<JsonValue>(
    'x'.repeat(5_000),
    { constructor: { a: 1 } },
    [1, 'a', {}],
    deep(200, []),
    deep(200, {}),
    { toString: false, valueOf: 1 },
  ),
  jsonFromOutside({ maxDepth: 3 }),
);

function deep(depth: number, innermost: JsonValue): JsonValue {
  let value = innermost;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

type Place = readonly [where: number, kind: number, value: JsonValue, key: string];

const place: fc.Arbitrary<Place> = fc.tuple(fc.nat(0xffff), fc.nat(4), oddValues, fc.constantFrom(...tokens));

/** Samples in which some members are replaced, doubled, removed, renamed, or put under another name. */
export function mutatedJson(samples: readonly JsonValue[]): fc.Arbitrary<JsonValue> {
  return fc.tuple(fc.nat(samples.length - 1), fc.array(place, { maxLength: 6 })).map(([which, places]) => {
    const root: { value: JsonValue } = { value: cloneJson(samples[which] ?? null) };
    for (const one of places) alter(root, one);
    return root.value;
  });
}

function alter(root: { value: JsonValue }, [where, kind, value, key]: Place): void {
  const holders: (JsonObject | JsonValue[])[] = [];
  collect(root.value, holders);
  const holder = holders[where % Math.max(1, holders.length)];
  if (holder === undefined) {
    root.value = cloneJson(value);
    return;
  }
  if (Array.isArray(holder)) {
    const at = holder.length === 0 ? 0 : where % holder.length;
    if (kind === 0) holder.splice(at, 1);
    else if (kind === 1) holder.push(cloneJson(holder[at] ?? null));
    else holder[at] = cloneJson(value);
    return;
  }
  const keys = Object.keys(holder);
  const name = keys[where % Math.max(1, keys.length)];
  // As the decoder does: such a member never gets in.
  if (name === undefined || key === '__proto__') return;
  if (kind === 0) delete holder[name];
  else if (kind === 1) {
    holder[key] = holder[name];
    delete holder[name];
  } else if (kind === 2) holder[key] = cloneJson(value);
  else holder[name] = cloneJson(value);
}

function collect(value: JsonValue | undefined, holders: (JsonObject | JsonValue[])[]): void {
  if (typeof value !== 'object' || value === null || holders.length > 2_000) return;
  holders.push(value);
  for (const child of Object.values(value)) collect(child, holders);
}
