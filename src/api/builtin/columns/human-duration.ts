const secondMs = 1000;
const minuteS = 60;
const hourS = 60 * minuteS;
const dayS = 24 * hourS;

/**
 * A duration as kubectl shows ages: `38s`, `9m5s`, `2h5m`, `5d3h`, `400d`, `2y30d`. Precision falls as length grows; up
 * to two seconds in the future count as now, more is `<invalid>` (apimachinery's duration.HumanDuration).
 */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / secondMs);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 2 * minuteS) return `${seconds}s`;
  const minutes = Math.floor(seconds / minuteS);
  if (minutes < 10) return twoUnits(minutes, 'm', seconds % minuteS, 's');
  if (minutes < 3 * 60) return `${minutes}m`;
  const hours = Math.floor(seconds / hourS);
  if (hours < 8) return twoUnits(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(seconds / dayS);
  if (days < 8) return twoUnits(days, 'd', hours % 24, 'h');
  if (days < 2 * 365) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 ? twoUnits(years, 'y', days % 365, 'd') : `${years}y`;
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}

/** How long ago an RFC 3339 time was; `<unknown>` when it is absent or no time. */
export function ageOf(time: unknown, now: Date): string {
  if (typeof time !== 'string' || time === '') return '<unknown>';
  const thenMs = Date.parse(time);
  return Number.isNaN(thenMs) ? '<unknown>' : humanDuration(now.getTime() - thenMs);
}
