import { type FieldError, invalid, required } from '#apimachinery/field-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { stringSchema } from '../fragments.ts';

/** A time of day that comes again, in a time zone of its own or of the cell. */
export interface TimeWindow extends JsonObject {
  /** Days on which it begins, `Mon` to `Sun`; absent: every day. */
  days?: string[];
  /** `HH:MM`. */
  from: string;
  /** `HH:MM`; not after `from` means the day after. */
  to: string;
  /** IANA name; absent: the cell's `spec.timeZone`, or else UTC. */
  timeZone?: string;
}

export const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;

export const timeWindowsSchema: JsonObject = {
  type: 'array',
  maxItems: 50,
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['from', 'to'],
    properties: {
      days: {
        type: 'array',
        maxItems: 7,
        items: { type: 'string', enum: [...weekdays] },
        description: 'Days on which the window begins. Absent: every day. An empty list is refused.',
      },
      from: {
        type: 'string',
        pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
        description: 'When it begins, HH:MM.',
      },
      to: {
        type: 'string',
        pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
        description: 'When it ends, HH:MM; on the day after where that is not after from.',
      },
      timeZone: {
        ...stringSchema,
        description:
          "IANA name, like Europe/Berlin, of the zone that the times are in. Absent: the cell's, or else UTC.",
      },
    },
  },
};

export function validateTimeWindows(
  windows: readonly TimeWindow[] | undefined,
  path: string,
  errors: FieldError[],
): void {
  windows?.forEach(({ days, timeZone }, i) => {
    if (days?.length === 0) errors.push(required(`${path}[${i}].days`, 'names no day: leave it out for all'));
    validateTimeZone(timeZone, `${path}[${i}].timeZone`, errors);
  });
}

export function validateTimeZone(timeZone: string | undefined, path: string, errors: FieldError[]): void {
  if (timeZone === undefined || timeZone === '') return;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone });
  } catch {
    errors.push(invalid(path, timeZone, 'must be the name of an IANA time zone, like Europe/Berlin'));
  }
}
