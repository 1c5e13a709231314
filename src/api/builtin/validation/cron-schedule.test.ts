import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cronScheduleError } from './cron-schedule.ts';

test('schedules of the standard parser (robfig/cron v3 ParseStandard)', () => {
  const good = [
    '* * * * *',
    '0 3 * * mon-fri',
    '*/5 0-6/2 1,15 JAN-dec ?',
    '5/15 * * * *',
    '@daily',
    '@every 1h30m',
    'TZ=Asia/Tokyo 0 0 * * *',
    'CRON_TZ=UTC @hourly',
    '  0   0 1 1 0 ',
  ];
  for (const schedule of good) assert.equal(cronScheduleError(schedule), undefined, schedule);
});

test('what is no schedule', () => {
  const rows: [string, RegExp][] = [
    ['', /empty spec string/],
    ['* * * *', /expected exactly 5 fields, found 4: \[\* \* \* \*\]/],
    ['0 0 0 0 0 0', /expected exactly 5 fields, found 6/],
    ['60 * * * *', /60/],
    ['* 24 * * *', /24/],
    ['* * 0 * *', /0/],
    ['* * * 13 *', /13/],
    ['* * * * 7', /7/],
    ['* * * * fri-mon', /./],
    ['*/0 * * * *', /./],
    ['1-2-3 * * * *', /too many hyphens: 1-2-3/],
    ['1/2/3 * * * *', /too many slashes: 1\/2\/3/],
    ['a * * * *', /a/],
    ['@never', /unrecognized descriptor: @never/],
    ['@every soon', /failed to parse duration/],
  ];
  for (const [schedule, why] of rows) assert.match(cronScheduleError(schedule) ?? '', why, schedule);
});
