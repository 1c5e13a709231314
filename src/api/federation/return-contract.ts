import { parseApiVersion } from '#apimachinery/gvk.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import { labelSelectorOf } from '#apimachinery/label-selector.ts';
import type { KubeObject } from '#apimachinery/object.ts';

/** A kind of which objects come back. */
export interface ReturnKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** As an API server serves it. */
export interface ReturnableKind extends ReturnKind {
  readonly resource: string;
}

/** What is born at an edge and told of things there; it comes back by rules of its own (decision 116). */
export const eventKind = { group: '', version: 'v1', resource: 'events', kind: 'Event' } as const;

/** What may come back from an edge into the project it belongs to, beside custom kinds (docs/copies.md, What comes back). */
export const returnableKinds: readonly ReturnableKind[] = [
  { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap' },
  { group: '', version: 'v1', resource: 'endpoints', kind: 'Endpoints' },
  eventKind,
  { group: '', version: 'v1', resource: 'secrets', kind: 'Secret' },
  { group: '', version: 'v1', resource: 'services', kind: 'Service' },
  { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices', kind: 'EndpointSlice' },
];

/** On an object in a project: the cell that it came back from. Nothing without it is ever written over or deleted. */
export const returnedFromLabel = 'federation.cellplane.io/returned-from';

export const returnAnnotations = {
  /** On the project object: `<id of the cell's workspace>|<namespace there>/<name of the ReturnedObject>`. */
  source: 'federation.cellplane.io/returned-as',
  /** On the project object and the ReturnedObject: what the edge object was at, `<uid>/<hash of its content>`. */
  edgeState: 'federation.cellplane.io/edge-state',
} as const;

export const returnedObjectBytesMax = 256 * 1024;

/** An Event whose last occurrence is longer ago does not come back, as API servers keep none for longer (KUBERNETES.md O5). */
export const returnedEventAgeMaxMs = 3_600_000;

export interface ReturnSelector extends JsonObject {
  /** Absent: of the built-in kinds. */
  apiVersion?: string;
  kind: string;
  /** Absent: any. Of Events: names of the objects that they are about. */
  names?: string[];
  labelSelector?: JsonObject;
  /** Of Events: `Normal`, `Warning`. Absent: both. */
  eventTypes?: string[];
  /** Of Events. Absent: any. */
  reasons?: string[];
  /** Of Events: kinds of the objects that they are about. Absent: any. */
  involvedKinds?: string[];
}

/** The kind that a selector, or a ReturnedObject, names; undefined when none of that kind may come back. */
export function returnKindOf({
  apiVersion,
  kind,
}: {
  readonly apiVersion?: string | undefined;
  readonly kind: string;
}): ReturnKind | undefined {
  const builtin = returnableKinds.find((one) => one.kind === kind);
  if (apiVersion === undefined) return builtin;
  const parsed = parseApiVersion(apiVersion);
  if (parsed === undefined || kind === '') return undefined;
  const { group, version } = parsed;
  if (builtin?.group === group && builtin.version === version) return builtin;
  return isCustomGroup(group) ? { group, version, kind } : undefined;
}

/** Tells kinds apart in keys and names: `Secret`; of a custom one `Database/v1/db.example.com`. */
export function returnKindKey({ group, version, kind }: ReturnKind): string {
  return isCustomGroup(group) ? `${kind}/${version}/${group}` : kind;
}

/**
 * Whether objects of the resource come back as they are, into namespaces of projects. Events do not: they are told anew.
 */
export function isReturnable(group: string, resource: string): boolean {
  if (isCustomGroup(group)) return true;
  if (group === '' && resource === eventKind.resource) return false;
  return returnableKinds.some((one) => one.group === group && one.resource === resource);
}

const ownDomains = ['k8s.io', 'kubernetes.io', 'kcp.io', 'karmada.io', 'cellplane.io'];

/** Groups of other people's CRDs: none of Kubernetes' own, of which some grant rights, and none of a control plane's. */
export function isCustomGroup(group: string): boolean {
  return group.includes('.') && !ownDomains.some((own) => group === own || group.endsWith(`.${own}`));
}

/** Whether one of the selectors opens the way for an object of this kind. They have been validated when they were written. */
export function selectsReturn(
  selectors: readonly ReturnSelector[],
  kind: ReturnKind,
  object: Pick<KubeObject, 'metadata'> & { readonly [field: string]: unknown },
): boolean {
  const key = returnKindKey(kind);
  return selectors.some((one) => {
    if (one.kind !== kind.kind) return false;
    const wanted = returnKindOf(one);
    if (wanted === undefined || returnKindKey(wanted) !== key) return false;
    return kind.kind === eventKind.kind && kind.group === ''
      ? selectsEvent(one, object)
      : selects(one, object);
  });
}

function selects(
  { names, labelSelector }: ReturnSelector,
  { metadata: { name = '', labels = {} } }: Pick<KubeObject, 'metadata'>,
): boolean {
  if (names !== undefined && !names.includes(name)) return false;
  return labelSelector === undefined || labelSelectorOf(labelSelector).matches(labels);
}

function selectsEvent(
  { names, eventTypes, reasons, involvedKinds }: ReturnSelector,
  event: { readonly [field: string]: unknown },
): boolean {
  const involved = isJsonObject(event['involvedObject']) ? event['involvedObject'] : {};
  const fits = (allowed: readonly string[] | undefined, value: unknown) =>
    allowed === undefined || (typeof value === 'string' && allowed.includes(value));
  return (
    fits(eventTypes, event['type']) &&
    fits(reasons, event['reason']) &&
    fits(involvedKinds, involved['kind']) &&
    fits(names, involved['name'])
  );
}

/** Every cluster has them, or they grant authority: they stay where they are. */
export function staysAtEdge(kind: string, object: KubeObject): boolean {
  if (kind === 'ConfigMap') return object.metadata.name === 'kube-root-ca.crt';
  if (kind !== 'Secret') return false;
  const type = String(object['type'] ?? '');
  return type === 'kubernetes.io/service-account-token' || type.startsWith('bootstrap.kubernetes.io/');
}
