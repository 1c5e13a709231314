import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TimeWindow } from '#api/policy/time-window.ts';
import { minuteOfWeek, withinWindows } from './time-windows.ts';

/** A Wednesday. */
const at = (time: string): number => Date.parse(`2026-01-07T${time}Z`);

test('the minute of the week by the clocks of a zone', () => {
  assert.equal(minuteOfWeek(at('00:00:30'), 'UTC'), 3 * 1440);
  assert.equal(minuteOfWeek(at('23:30:00'), 'Europe/Berlin'), 4 * 1440 + 30);
  assert.equal(minuteOfWeek(at('00:30:00'), 'America/New_York'), 2 * 1440 + 19 * 60 + 30);
  assert.equal(minuteOfWeek(at('12:00:00'), 'Nowhere/Atall'), 3 * 1440 + 12 * 60);
});

const day: TimeWindow = { from: '08:00', to: '20:00' };
const night: TimeWindow = { from: '22:00', to: '06:00' };
const rows: [string, TimeWindow[], string, string, boolean, string | undefined][] = [
  ['before', [day], 'UTC', '07:59:30', false, '08:00:00'],
  ['from its first minute', [day], 'UTC', '08:00:00', true, '20:00:00'],
  ['to its last', [day], 'UTC', '19:59:59', true, '20:00:00'],
  ['not after', [day], 'UTC', '20:00:00', false, undefined],
  ['over midnight', [night], 'UTC', '03:00:00', true, '06:00:00'],
  ['by the zone of the cell', [day], 'Asia/Tokyo', '03:00:00', true, '11:00:00'],
  ['by a zone of its own', [{ ...day, timeZone: 'UTC' }], 'Asia/Tokyo', '03:00:00', false, '08:00:00'],
  ['of another day', [{ ...day, days: ['Thu'] }], 'UTC', '12:00:00', false, undefined],
  ['that began the day before', [{ ...night, days: ['Tue'] }], 'UTC', '03:00:00', true, '06:00:00'],
  ['one of several', [day, night], 'UTC', '21:00:00', false, '22:00:00'],
];
for (const [what, windows, zone, time, within, until] of rows) {
  test(`time windows: ${what}`, () => {
    const result = withinWindows(windows, zone, at(time));
    assert.equal(result.within, within);
    if (until !== undefined) assert.equal(result.changesAtMs, at(until));
    else assert.ok(result.changesAtMs > at(time));
  });
}

test('a window all day long never changes', () => {
  const always = withinWindows([{ from: '00:00', to: '00:00' }], 'UTC', at('12:00:00'));
  assert.deepEqual(always, { within: true, changesAtMs: Number.POSITIVE_INFINITY });
});
