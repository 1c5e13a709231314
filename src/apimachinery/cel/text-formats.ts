import { parseTimestamp, parseWordedDuration } from './time.ts';
import type { TextFormat } from './types.ts';
import { CelFault, Duration, Timestamp, type Value } from './values.ts';

/** What expressions see in a text of that format: a fault where it is none. */
export function valueOfText(text: string, format: TextFormat): Value {
  switch (format) {
    case 'byte':
      return bytesOf(text);
    case 'duration':
      return durationOf(text);
    case 'date':
      return dateOf(text);
    case 'date-time':
      return timeOf(text);
  }
}

function timeOf(text: string): Value {
  return timestampOf(text) ?? new CelFault(`Invalid date-time formatted string ${text}`);
}

function dateOf(text: string): Value {
  return timestampOf(`${text}T00:00:00Z`) ?? new CelFault(`Invalid date formatted string ${text}`);
}

function timestampOf(text: string): Timestamp | undefined {
  const found = parseTimestamp(text);
  return found === undefined ? undefined : new Timestamp(found.nanos, found.offsetMinutes);
}

function durationOf(text: string): Value {
  const nanos = parseWordedDuration(text);
  return nanos === undefined ? new CelFault(`Invalid duration ${text}`) : new Duration(nanos);
}

/** base64 in the alphabet for URLs, although the schema takes the other (kube-openapi strfmt). */
function bytesOf(text: string): Value {
  const wrong = text.search(/[^A-Za-z0-9_=\r\n-]/);
  if (wrong >= 0) {
    const why = `illegal base64 data at input byte ${Buffer.byteLength(text.slice(0, wrong))}`;
    return new CelFault(`Invalid byte formatted string ${text}: ${why}`);
  }
  return new Uint8Array(Buffer.from(text, 'base64url'));
}
