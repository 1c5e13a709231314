import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMicroTime, formatTime, nowTime, parseTime } from './rfc3339.ts';

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
