/** Intervals of a Job's indexes, `0,2-4` (source: parseIndexInterval and its callers in Kubernetes' pkg/apis/batch/validation). */

type Interval = readonly [first: number, last: number];

/** How many indexes below `completions` the text names, or what is wrong with it. */
export function countIndexes(text: string, completions: number): number | string {
  if (text === '') return 0;
  let total = 0;
  let last = -1;
  for (const one of text.split(',')) {
    const interval = parseInterval(one, completions);
    if (typeof interval === 'string') return interval;
    const [first, final] = interval;
    if (last >= first) return `non-increasing order, previous: ${last}, current: ${first}`;
    total += final - first + 1;
    last = final;
  }
  return total;
}

/** The first index that both texts name; intervals that do not parse name none. */
export function firstCommonIndex(a: string, b: string, completions: number): number | undefined {
  if (a === '' || b === '') return undefined;
  const left = intervalsOf(a, completions);
  const right = intervalsOf(b, completions);
  for (let i = 0, k = 0; i < left.length && k < right.length; ) {
    const [from, to] = left[i]!;
    const [begin, end] = right[k]!;
    if (from <= end && begin <= to) return Math.max(from, begin);
    if (from <= begin) i++;
    else k++;
  }
  return undefined;
}

function intervalsOf(text: string, completions: number): Interval[] {
  return text
    .split(',')
    .map((one) => parseInterval(one, completions))
    .filter((one) => typeof one !== 'string');
}

function parseInterval(text: string, completions: number): Interval | string {
  const ends = text.split('-');
  if (ends.length > 2) {
    return `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  }
  for (const end of ends) {
    if (!/^[+-]?\d+$/.test(end)) return `cannot convert string to integer for index: ${JSON.stringify(end)}`;
    if (Number(end) >= completions) return `too large index: ${JSON.stringify(end)}`;
  }
  const first = Number(ends[0]);
  const last = Number(ends.at(-1));
  if (ends.length === 2 && first >= last) {
    return `non-increasing order, previous: ${first}, current: ${last}`;
  }
  return [first, last];
}
