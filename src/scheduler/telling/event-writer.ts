import { isApiError } from '#apimachinery/api-error.ts';
import { cutText } from '#apimachinery/cut-text.ts';
import { sha256Hex } from '#apimachinery/hash.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';

const eventsGvr = { group: '', version: 'v1', resource: 'events' } as const;
const component = 'cellplane-scheduler';
/** As k8s.io/kubernetes/pkg/apis/core/validation/events.go has it for notes. */
const messageLengthMax = 1_024;
/** With a dot and a hash behind it, a name is at most as long as names may be. */
const namePartMax = 200;

export interface Telling {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly now: string;
}

/** What an Event is about. */
export interface Involved {
  readonly apiVersion: string;
  readonly kind: string;
  /** Undefined: not in a namespace. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string;
}

/**
 * Tells an Event about an object of a project. Told again it is the same Event, counted, as client-go's correlator does
 * (k8s.io/client-go/tools/record/events_cache.go); its name says what it is about, so that another process counts on. Those about
 * what is in no namespace lie in `default`, as client-go puts them.
 */
export async function tellEvent(
  client: KubeClient,
  cluster: string,
  involved: Involved,
  telling: Telling,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = 'default' } = involved;
  const name = eventNameOf(involved, telling.reason);
  const collection = { cluster, gvr: eventsGvr, namespace };
  try {
    await client.create(collection, eventOf(namespace, name, involved, telling), { signal });
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
    const ref = { ...collection, name };
    const present = await client.get(ref, { signal });
    await client.update(ref, { ...present, ...again(present, telling) }, { signal });
  }
}

function eventOf(
  namespace: string,
  name: string,
  { namespace: own, ...involved }: Involved,
  { type, reason, message, now }: Telling,
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace },
    involvedObject: own === undefined ? involved : { ...involved, namespace: own },
    type,
    reason,
    message: cutText(message, messageLengthMax),
    source: { component },
    reportingComponent: component,
    reportingInstance: '',
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
}

function again({ count }: KubeObject, { message, now }: Telling): JsonObject {
  return {
    message: cutText(message, messageLengthMax),
    lastTimestamp: now,
    count: (typeof count === 'number' ? count : 0) + 1,
  };
}

function eventNameOf({ kind, name, uid }: Involved, reason: string): string {
  const hash = sha256Hex(`${kind}|${uid}|${reason}`).slice(0, 16);
  // Names of RBAC objects may hold what those of Events may not.
  const part = name
    .slice(0, namePartMax)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return `${part === '' ? 'object' : part}.${hash}`;
}
