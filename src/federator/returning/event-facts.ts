import { eventKind, returnedEventAgeMaxMs } from '#api/federation/return-contract.ts';
import { sha256Base32 } from '#apimachinery/hash.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { formatTime, parseTime } from '#apimachinery/rfc3339.ts';

/** What is kept of an Event at the edge. */
export interface EventFacts extends KubeObject {
  type: string;
  reason: string;
  involvedObject: { kind: string; name: string };
  /** What Events that say the same have in common; the name that they come back by. */
  said: string;
  count: number;
  firstMs: number;
  lastMs: number;
}

/** Several Events of one edge that say the same, as one. */
export interface EventGroup {
  readonly newest: EventFacts;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

const nameLengthMax = 200;

/** The facts of core/v1 Event `event`; undefined when it is too old to come back. `nowMs`: wall clock. */
export function eventFactsOf(event: KubeObject, nowMs: number): EventFacts | undefined {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = event.metadata;
  const series = objectAt(event, 'series');
  const seen = [series['lastObservedTime'], event['lastTimestamp'], event['eventTime']].map(timeOf);
  const createdMs = timeOf(creationTimestamp) ?? nowMs;
  // An edge whose clock is ahead gains no time by it.
  const lastMs = Math.min(nowMs, seen.find((time) => time !== undefined) ?? createdMs);
  if (lastMs + returnedEventAgeMaxMs <= nowMs) return undefined;
  const firstMs = Math.min(lastMs, timeOf(event['firstTimestamp']) ?? timeOf(event['eventTime']) ?? lastMs);
  const involved = objectAt(event, 'involvedObject');
  const source = objectAt(event, 'source');
  const type = textAt(event, 'type');
  const reason = textAt(event, 'reason');
  const involvedName = textAt(involved, 'name');
  const content = [
    type,
    reason,
    textAt(event, 'message'),
    textAt(involved, 'kind'),
    involvedName,
    textAt(involved, 'uid'),
    textAt(involved, 'fieldPath'),
    textAt(source, 'component') || textAt(event, 'reportingComponent'),
    textAt(source, 'host') || textAt(event, 'reportingInstance'),
  ];
  return {
    apiVersion: 'v1',
    kind: eventKind.kind,
    metadata: { name, namespace, uid, resourceVersion },
    type,
    reason,
    involvedObject: { kind: textAt(involved, 'kind'), name: involvedName },
    said: `${namePartOf(involvedName)}.${sha256Base32(JSON.stringify(content), 16)}`,
    count: Math.max(1, countOf(series['count']) ?? countOf(event['count']) ?? 1),
    firstMs,
    lastMs,
  } as EventFacts;
}

/** Events that say the same as one: counts add up, the times span all. Undefined of none. */
export function groupOf(events: Iterable<EventFacts>): EventGroup | undefined {
  let newest: EventFacts | undefined;
  let count = 0;
  let firstMs = Number.POSITIVE_INFINITY;
  for (const event of events) {
    count += event.count;
    firstMs = Math.min(firstMs, event.firstMs);
    if (newest === undefined || event.lastMs >= newest.lastMs) newest = event;
  }
  return newest === undefined ? undefined : { newest, count, firstMs, lastMs: newest.lastMs };
}

/**
 * What goes upward of a group of Events: the newest one's words in the core/v1 form of old, which every client shows, with
 * the group's count and times. `event`: the newest as it was read.
 */
export function eventForm(event: KubeObject, name: string, group: EventGroup): JsonObject {
  const source = objectAt(event, 'source');
  const component = textAt(source, 'component') || textAt(event, 'reportingComponent');
  const host = textAt(source, 'host');
  return {
    apiVersion: 'v1',
    kind: eventKind.kind,
    metadata: { name },
    involvedObject: objectAt(event, 'involvedObject'),
    type: textAt(event, 'type'),
    reason: textAt(event, 'reason'),
    message: textAt(event, 'message'),
    source: { component, ...(host === '' ? {} : { host }) },
    reportingComponent: component,
    reportingInstance: textAt(event, 'reportingInstance'),
    firstTimestamp: formatTime(group.firstMs),
    lastTimestamp: formatTime(group.lastMs),
    count: Math.min(group.count, 2 ** 31 - 1),
  };
}

/** Names of some kinds are none that an Event may have (`system:node`). */
function namePartOf(name: string): string {
  const part = name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, nameLengthMax)
    .replace(/^-+|-+$/g, '');
  return part === '' ? 'event' : part;
}

function objectAt(value: { readonly [field: string]: unknown }, field: string): JsonObject {
  const found = value[field];
  return isJsonObject(found) ? found : {};
}

function textAt(value: { readonly [field: string]: unknown }, field: string): string {
  const found = value[field];
  return typeof found === 'string' ? found : '';
}

function timeOf(value: unknown): number | undefined {
  return typeof value === 'string' ? parseTime(value) : undefined;
}

function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}
