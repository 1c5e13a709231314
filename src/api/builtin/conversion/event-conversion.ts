import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { Conversion } from '#apimachinery/resource-definition.ts';

/** Field names of events.k8s.io/v1 → those of core/v1, in which both groups' events are stored (KUBERNETES.md O5). */
const renamed: readonly (readonly [eventsField: string, coreField: string])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
  ['reportingController', 'reportingComponent'],
];

const toCore = new Map(renamed);
const toEvents = new Map(renamed.map(([events, core]) => [core, events]));

/** events.k8s.io/v1 Event ↔ v1 Event. */
export const eventConversion: Conversion = {
  toStorage: (object) => {
    const converted = rename(object, 'v1', toCore);
    defaultReporter(converted);
    return converted;
  },
  fromStorage: (object) => {
    const converted: JsonObject = rename(object, 'events.k8s.io/v1', toEvents);
    for (const field of ['reportingController', 'reportingInstance']) {
      if (converted[field] === '') delete converted[field];
    }
    return converted as KubeObject;
  },
};

/** Who reports is always there in core/v1, if only empty. In place. */
export function defaultReporter(event: KubeObject): void {
  event['reportingComponent'] ??= '';
  event['reportingInstance'] ??= '';
}

function rename(object: KubeObject, apiVersion: string, names: ReadonlyMap<string, string>): KubeObject {
  const converted: JsonObject = {};
  for (const key in object) converted[names.get(key) ?? key] = object[key];
  converted['apiVersion'] = apiVersion;
  return converted as KubeObject;
}
