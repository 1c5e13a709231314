import { badRequest } from '#apimachinery/api-error.ts';
import type { ParsedRequest } from '../request/parse-request-info.ts';
import type { HttpLimits } from './limits.ts';

const singleWrites: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete']);

/** How long a request may take in all, from its coming on; 400 for a `timeout` that is none. */
export function timeoutMsOf(info: ParsedRequest, { requestTimeoutMs }: HttpLimits): number {
  // E5: a client may ask for less.
  if (info.verb === 'watch' || !info.rawQuery.includes('timeout')) return requestTimeoutMs;
  const asked = parseDuration(info.query.get('timeout') ?? '');
  return asked === undefined ? requestTimeoutMs : Math.min(asked, requestTimeoutMs);
}

/** Infinity for what is no write of one object; deletions of collections are as long as lists (E5). */
export function writeTimeoutMsOf(info: ParsedRequest, { writeTimeoutMs }: HttpLimits): number {
  const isWrite = info.resource !== undefined && singleWrites.has(info.verb);
  return isWrite ? writeTimeoutMs : Number.POSITIVE_INFINITY;
}

/** `30s`, `1m30s`, `500ms` (Go's durations), or seconds; 400 for anything else or nothing positive. */
function parseDuration(text: string): number | undefined {
  if (text === '') return undefined;
  const units: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let total = 0;
  const rest = text.replace(/(\d+(?:\.\d+)?)(ms|s|m|h)/g, (_, number: string, unit: string) => {
    total += Number(number) * units[unit]!;
    return '';
  });
  if (rest === text && /^\d+$/.test(text)) total = Number(text) * 1000;
  else if (rest !== '') {
    throw badRequest(
      `invalid timeout specified in the request URL - time: invalid duration ${JSON.stringify(text)}`,
    );
  }
  return total === 0 ? undefined : total;
}
