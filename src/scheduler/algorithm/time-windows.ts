import { type TimeWindow, weekdays } from '#api/policy/time-window.ts';

const minuteMs = 60_000;
const dayMinutes = 24 * 60;
/** How far ahead a change is looked for. */
const weekMinutes = 7 * dayMinutes;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Minutes since Sunday 00:00 by the clocks of a time zone, from 0 to 10,079. An unknown zone counts as UTC. */
export function minuteOfWeek(nowMs: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    const parts = { weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
    try {
      format = new Intl.DateTimeFormat('en-US', { ...parts, timeZone });
    } catch {
      format = new Intl.DateTimeFormat('en-US', { ...parts, timeZone: 'UTC' });
    }
    formats.set(timeZone, format);
  }
  let day = 0;
  let hour = 0;
  let minute = 0;
  for (const { type, value } of format.formatToParts(nowMs)) {
    if (type === 'weekday') day = Math.max(0, (weekdays as readonly string[]).indexOf(value));
    else if (type === 'hour') hour = Number(value);
    else if (type === 'minute') minute = Number(value);
  }
  return day * dayMinutes + hour * 60 + minute;
}

/** Whether it is within one of the windows, and when that may change; never: Infinity. */
export interface WithinWindow {
  readonly within: boolean;
  /** Milliseconds since the epoch. */
  readonly changesAtMs: number;
}

/** By the time of each window's zone, or else the cell's. A clock that is put forward or back is noticed at the next look. */
export function withinWindows(windows: readonly TimeWindow[], cellZone: string, nowMs: number): WithinWindow {
  let within = false;
  let nextMinutes = Number.POSITIVE_INFINITY;
  for (const { days, from, to, timeZone } of windows) {
    const now = minuteOfWeek(nowMs, timeZone === undefined || timeZone === '' ? cellZone : timeZone);
    const start = minuteOfDay(from);
    const length = (minuteOfDay(to) - start + dayMinutes) % dayMinutes || dayMinutes;
    for (const day of days ?? weekdays) {
      const begins = (weekdays as readonly string[]).indexOf(day) * dayMinutes + start;
      const since = (now - begins + weekMinutes) % weekMinutes;
      if (since < length) within = true;
      // A window all day long never ends.
      const left = since < length ? length - since : weekMinutes - since;
      if (length < dayMinutes || days !== undefined) nextMinutes = Math.min(nextMinutes, left);
    }
  }
  const startOfMinuteMs = Math.floor(nowMs / minuteMs) * minuteMs;
  return { within, changesAtMs: startOfMinuteMs + nextMinutes * minuteMs };
}

/** `HH:MM`. */
function minuteOfDay(text: string): number {
  const [hours = '0', minutes = '0'] = text.split(':');
  return Number(hours) * 60 + Number(minutes);
}
