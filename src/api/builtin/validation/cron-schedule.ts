/** The five fields of a cron schedule with their bounds and names (source: robfig/cron's standard parser). */
const fields: readonly { readonly min: number; readonly max: number; readonly names: readonly string[] }[] = [
  { min: 0, max: 59, names: [] },
  { min: 0, max: 23, names: [] },
  { min: 1, max: 31, names: [] },
  {
    min: 1,
    max: 12,
    names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
];

const descriptors: ReadonlySet<string> = new Set([
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@daily',
  '@midnight',
  '@hourly',
]);

/** What is wrong with a schedule, undefined when it is one: `0 3 * * mon-fri`, `@daily`, `@every 1h30m`. */
export function cronScheduleError(schedule: string): string | undefined {
  if (schedule === '') return 'empty spec string';
  const spec = schedule.replace(/^(?:TZ|CRON_TZ)=\S*\s+/, '').trim();
  if (spec.startsWith('@')) return descriptorError(spec);
  const parts = spec.split(/\s+/).filter((part) => part !== '');
  if (parts.length !== fields.length) {
    return `expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`;
  }
  for (let i = 0; i < fields.length; i++) {
    for (const range of parts[i]!.split(',')) {
      const error = range === '' ? undefined : rangeError(range, fields[i]!);
      if (error !== undefined) return error;
    }
  }
  return undefined;
}

function descriptorError(spec: string): string | undefined {
  if (descriptors.has(spec)) return undefined;
  const every = '@every ';
  if (spec.startsWith(every)) {
    const duration = spec.slice(every.length);
    if (/^[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.test(duration)) return undefined;
    return `failed to parse duration ${spec}: time: invalid duration ${JSON.stringify(duration)}`;
  }
  return `unrecognized descriptor: ${spec}`;
}

/** `*`, `5`, `1-5`, a name, each perhaps with `/step`. */
function rangeError(range: string, field: (typeof fields)[number]): string | undefined {
  const [low = '', step, ...more] = range.split('/');
  if (more.length > 0) return `too many slashes: ${range}`;
  const ends = low.split('-');
  if (ends.length > 2) return `too many hyphens: ${range}`;
  const isAny = low === '*' || low === '?';
  let start = field.min;
  let end = field.max;
  if (!isAny) {
    const first = numberOf(ends[0]!, field.names, field.min);
    if (typeof first === 'string') return first;
    start = first;
    end = step === undefined ? first : field.max;
    if (ends.length === 2) {
      const last = numberOf(ends[1]!, field.names, field.min);
      if (typeof last === 'string') return last;
      end = last;
    }
  }
  if (step !== undefined) {
    const width = numberOf(step, [], 0);
    if (typeof width === 'string') return width;
    if (width === 0) return `step of range should be a positive number: ${range}`;
  }
  if (start < field.min) return `beginning of range (${start}) below minimum (${field.min}): ${range}`;
  if (end > field.max) return `end of range (${end}) above maximum (${field.max}): ${range}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${range}`;
  return undefined;
}

function numberOf(text: string, names: readonly string[], first: number): number | string {
  const index = names.indexOf(text.toLowerCase());
  if (index >= 0) return index + first;
  if (/^-\d+$/.test(text)) return `negative number (${text}) not allowed: ${text}`;
  if (!/^\d+$/.test(text)) {
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
  }
  return Number(text);
}
