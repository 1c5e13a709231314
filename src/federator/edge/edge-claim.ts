import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { isJsonObject } from '#apimachinery/json.ts';
import { retry } from '#apimachinery/lifecycle.ts';
import type { KubeList, KubeObject } from '#apimachinery/object.ts';
import type { CallOptions, KubeClient, ObjectRef } from '#client/client.ts';
import { readControlPlane } from '#client/control-plane.ts';
import { unlessThere } from '#client/unless-there.ts';
import { checkedList } from './checked-answer.ts';
import { edgeFieldManager } from './edge-object.ts';
import { CellProblem, isUnanswered } from './edge-problem.ts';

/** Whose an edge is. */
export interface Claim {
  readonly controlPlaneId: string;
  readonly cellName: string;
  readonly cellUid: string;
  /**
   * The incarnation of the federation's store and the logical cluster of the cell's workspace that the edge follows:
   * copies that are absent at others (a store that was restored, a workspace that was made anew) were never withdrawn.
   */
  readonly incarnationId: string;
  readonly clusterId: string;
}

/** Where a cell's edge says whose it is. */
export const claimNamespace = 'cellplane-system';
export const claimName = 'cellplane-claim';
/** Within some three seconds. */
const renewAttemptsMax = 6;

const namespaces = { group: '', version: 'v1', resource: 'namespaces' } as const;
const claimRef: ObjectRef = {
  cluster: undefined,
  gvr: { group: '', version: 'v1', resource: 'configmaps' },
  namespace: claimNamespace,
  name: claimName,
};

/**
 * Writes our claim at an edge that has none, and returns the claim that stands there: a caller whose own it is not must
 * not touch the edge (DESIGN.md: a foreign claim is refused).
 */
export async function claimEdge(edgeClient: KubeClient, wanted: Claim, signal: AbortSignal): Promise<Claim> {
  const present = await readClaim(edgeClient, { signal });
  if (present !== undefined) return present;
  const options = { signal, fieldManager: edgeFieldManager };
  await unlessThere(() =>
    edgeClient.create(
      { cluster: undefined, gvr: namespaces },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: claimNamespace } },
      options,
    ),
  );
  await unlessThere(() => edgeClient.create(claimRef, claimObject(wanted), options));
  // Whoever was first stands there.
  return (await readClaim(edgeClient, { signal })) ?? wanted;
}

/**
 * Throws CellProblem for an edge that is a workspace of the control plane itself: what is brought there would be a project's object
 * again, and be placed there again under another name, without end. What any other edge answers is no matter; ApiError when it
 * does not.
 */
export async function refuseOwn(
  edgeClient: KubeClient,
  controlPlaneId: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    const there = await readControlPlane(edgeClient, signal);
    if (there.controlPlaneId !== controlPlaneId) return;
  } catch (error) {
    if (isUnanswered(error)) throw error;
    return; // no control plane
  }
  throw new CellProblem(
    'OwnControlPlane',
    'the edge is a workspace of this control plane itself: what is placed there would be placed there again and again; nothing is synced there. A cell needs an edge API server of its own, or a cell workspace of another control plane',
    { reached: true },
  );
}

export function sameClaim(a: Claim, b: Claim): boolean {
  return a.controlPlaneId === b.controlPlaneId && a.cellUid === b.cellUid;
}

export function sameSource(a: Claim, b: Claim): boolean {
  return a.incarnationId === b.incarnationId && a.clusterId === b.clusterId;
}

/**
 * The edge follows this source from now on: a person has looked at what the former one left. Tried for some seconds, as nobody asks
 * for it a second time, and an answer that is lost may be of a write that was done. Returns the claim with the source that it
 * follows; throws what is wrong when that takes too long.
 */
export function renewSource(
  edgeClient: KubeClient,
  claim: Claim,
  readSource: () => Promise<Pick<Claim, 'incarnationId' | 'clusterId'> | undefined>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Claim> {
  const renew = async (): Promise<Claim> => {
    const source = await readSource();
    if (source === undefined) return claim;
    const wanted = { ...claim, ...source };
    await renewClaim(edgeClient, wanted, signal);
    return wanted;
  };
  return retry(renew, { retryable: () => true, attemptsMax: renewAttemptsMax, signal, clock });
}

async function renewClaim(edgeClient: KubeClient, wanted: Claim, signal: AbortSignal): Promise<void> {
  const present = await readClaimObject(edgeClient, { signal });
  if (present === undefined || !sameClaim(present.claim, wanted)) return;
  if (sameSource(present.claim, wanted)) return;
  await writeClaim(edgeClient, present.object, wanted, signal);
}

/**
 * Makes the edge another's in one write, if it is still the former one's, and returns the claim that stands there then. Throws
 * ApiError.
 */
export async function replaceClaim(
  edgeClient: KubeClient,
  { former, wanted }: { readonly former: Claim; readonly wanted: Claim },
  signal: AbortSignal,
): Promise<Claim> {
  const present = await readClaimObject(edgeClient, { signal });
  if (present === undefined) return claimEdge(edgeClient, wanted, signal);
  if (!sameClaim(present.claim, former)) return present.claim;
  await writeClaim(edgeClient, present.object, wanted, signal);
  return wanted;
}

/** Takes our claim away, so that the edge can be joined to another cell; another's stays. */
export async function releaseClaim(edgeClient: KubeClient, ours: Claim, signal: AbortSignal): Promise<void> {
  const present = await readClaimObject(edgeClient, { signal });
  if (present === undefined || !sameClaim(present.claim, ours)) return;
  const { uid, resourceVersion } = present.object.metadata;
  try {
    await edgeClient.delete(claimRef, { preconditions: { uid, resourceVersion }, signal });
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
  }
}

/** Whose an edge is, and how far its store has come; '' when it does not say. */
export interface ClaimLook {
  readonly claim: Claim | undefined;
  readonly revision: string;
}

/** Reads the claim together with the store's revision: a list has it. Throws ApiError. */
export async function lookAtClaim(edgeClient: KubeClient, options: CallOptions): Promise<ClaimLook> {
  let list: KubeList;
  try {
    const fieldSelector = `metadata.name=${claimName}`;
    list = checkedList(await edgeClient.list(claimRef, { ...options, fieldSelector }), claimRef);
  } catch (error) {
    if (!isApiError(error, 'Forbidden')) throw error;
    // Credentials by hand may be good for reading it alone.
    return { claim: await readClaim(edgeClient, options), revision: '' };
  }
  const { items, metadata } = list;
  const object = items.find((item) => item.metadata.name === claimName);
  return { claim: object && claimOf(object), revision: metadata.resourceVersion ?? '' };
}

/** The claim that stands at the edge; undefined when there is none. */
export async function readClaim(edgeClient: KubeClient, options: CallOptions): Promise<Claim | undefined> {
  return (await readClaimObject(edgeClient, options))?.claim;
}

async function readClaimObject(
  edgeClient: KubeClient,
  options: CallOptions,
): Promise<{ readonly claim: Claim; readonly object: KubeObject } | undefined> {
  let object: KubeObject;
  try {
    object = await edgeClient.get(claimRef, options);
  } catch (error) {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  }
  return { claim: claimOf(object), object };
}

function claimOf(object: KubeObject): Claim {
  const data = isJsonObject(object['data']) ? object['data'] : {};
  const text = (key: string) => (typeof data[key] === 'string' ? data[key] : '');
  return {
    controlPlaneId: text('controlPlaneId'),
    cellName: text('cellName'),
    cellUid: text('cellUid'),
    incarnationId: text('incarnationId'),
    clusterId: text('clusterId'),
  };
}

/** Throws Conflict when somebody has written it since. */
async function writeClaim(
  edgeClient: KubeClient,
  { metadata: { resourceVersion } }: KubeObject,
  wanted: Claim,
  signal: AbortSignal,
): Promise<void> {
  const object = claimObject(wanted);
  await edgeClient.update(
    claimRef,
    {
      ...object,
      metadata: { ...object.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    },
    { signal, fieldManager: edgeFieldManager },
  );
}

function claimObject(claim: Claim): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: claimName, namespace: claimNamespace },
    data: { ...claim },
  };
}
