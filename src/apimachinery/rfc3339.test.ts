import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatMicroTime, formatTime, nowTime, parseTime, timeFault } from './rfc3339.ts';

test('times are whole seconds in UTC, micro times have six decimals', () => {
  const ms = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  assert.equal(formatTime(ms), '2026-01-02T03:04:05Z');
  assert.equal(nowTime(ms), '2026-01-02T03:04:05Z');
  assert.equal(nowTime(ms + 1000), '2026-01-02T03:04:06Z');
  assert.equal(formatMicroTime(ms), '2026-01-02T03:04:05.678000Z');
});

test('RFC 3339 is parsed strictly', () => {
  const rows: readonly [string, number | undefined][] = [
    ['1970-01-01T00:00:01Z', 1000],
    ['1970-01-01T01:00:00+01:00', 0],
    ['1970-01-01T00:00:00.123456Z', 123],
    ['2026-02-30T00:00:00Z', undefined],
    ['2026-01-01', undefined],
    ['2026-01-01T24:00:00Z', undefined],
    ['2026-01-01T00:00:00', undefined],
    ['', undefined],
  ];
  for (const [text, expected] of rows) assert.equal(parseTime(text), expected, text);
});

test('times as they are mostly written are read like all others', () => {
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 4 });
  const number = (length: number, max: number) =>
    fc.oneof({ weight: 9, arbitrary: fc.nat(max).map((one) => String(one).padStart(length, '0')) }, digits);
  const separator = fc.constantFrom('-', 'T', ':', '-', 'T', ':', 't', ' ');
  const written = fc
    .tuple(number(4, 9_999), number(2, 13), number(2, 32), number(2, 25), number(2, 61), number(2, 61))
    .map(([y, m, d, h, i, s]) => `${y}-${m}-${d}T${h}:${i}:${s}`);
  const spoilt = fc
    .tuple(written, fc.nat(18), separator)
    .map(([text, at, other]) => text.slice(0, at) + other + text.slice(at + 1));
  fc.assert(
    fc.property(fc.oneof(written, spoilt), (text) => {
      // With another zone of the same offset it is looked at as closely as any text.
      assert.equal(parseTime(`${text}Z`), parseTime(`${text}+00:00`), text);
    }),
    { numRuns: 5_000 },
  );
});

test('what Go does not read as a time is told as time.Parse tells it (meta/v1 Time, MicroTime)', () => {
  const layout = '"2006-01-02T15:04:05Z07:00"';
  const micro = '"2006-01-02T15:04:05.000000Z07:00"';
  const rows: readonly (readonly [string, 'seconds' | 'micro', string | undefined])[] = [
    ['2024-01-01T00:00:00Z', 'seconds', undefined],
    ['2024-02-29T00:00:00.5+01:00', 'seconds', undefined],
    ['2024-01-01T00:00:00.000000Z', 'micro', undefined],
    ['', 'seconds', `parsing time "" as ${layout}: cannot parse "" as "2006"`],
    ['bad', 'seconds', `parsing time "bad" as ${layout}: cannot parse "bad" as "2006"`],
    ['2024-01-01', 'seconds', `parsing time "2024-01-01" as ${layout}: cannot parse "" as "T"`],
    ['2024-13-01T00:00:00Z', 'seconds', 'parsing time "2024-13-01T00:00:00Z": month out of range'],
    ['2023-02-29T00:00:00Z', 'seconds', 'parsing time "2023-02-29T00:00:00Z": day out of range'],
    ['2024-01-01T00:00:00Zx', 'seconds', 'parsing time "2024-01-01T00:00:00Zx": extra text: "x"'],
    [
      '2024-01-01T00:00:00Z',
      'micro',
      `parsing time "2024-01-01T00:00:00Z" as ${micro}: cannot parse "Z" as ".000000"`,
    ],
  ];
  for (const [text, precision, fault] of rows) assert.equal(timeFault(text, precision), fault, text);
});
