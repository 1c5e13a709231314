import { copyAnnotations, edgeAnnotations, edgeFinalizer } from '#api/federation/copy-contract.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { EdgeObject } from '../edge/edge-object.ts';

/** Why an object is to be deleted at the edge: seen to be wanted, or only concluded from its absence (DESIGN.md, Federator). */
export type DeletionEvidence = 'observed' | 'inferred';

export type Step =
  | { readonly type: 'none' }
  /** Apply the copy at the edge; `why` goes to the log and the metrics. */
  | { readonly type: 'apply'; readonly why: 'absent' | 'changed' | 'drift' | 'fields-unknown' }
  /** The edge has what it should have: say so on the copy. */
  | { readonly type: 'acknowledge' }
  | { readonly type: 'delete'; readonly evidence: DeletionEvidence }
  /** The edge object is gone, or is to stay: let the copy go. */
  | { readonly type: 'release' }
  /** The edge object is on its way out: wait for its watch. */
  | { readonly type: 'await-deletion' };

export interface DecisionInput {
  /** Metadata of the copy; undefined when there is none. */
  readonly copy: KubeObject | undefined;
  /** The edge object that carries our origin labels; undefined when there is none. */
  readonly edge: EdgeObject | undefined;
  /** Whether the copy's absence is known to be wanted. */
  readonly absence: DeletionEvidence;
  /** Hash of our fields at the edge after our last apply; undefined when that was before this process began. */
  readonly knownFieldsHash: string | undefined;
}

/** Decides what one object needs, from what both sides hold. Pure. */
export function decideDownsync({ copy, edge, absence, knownFieldsHash }: DecisionInput): Step {
  if (copy === undefined) {
    if (edge === undefined) return { type: 'none' };
    if (edge.deleting) return { type: 'await-deletion' };
    if (edge.deletionPolicy === 'Orphan') return { type: 'none' };
    return { type: 'delete', evidence: absence };
  }
  const annotations = copy.metadata.annotations ?? {};
  if (copy.metadata.deletionTimestamp !== undefined) {
    if (!(copy.metadata.finalizers ?? []).includes(edgeFinalizer)) return { type: 'none' };
    if (edge === undefined || annotations[copyAnnotations.deletionPolicy] === 'Orphan')
      return { type: 'release' };
    return edge.deleting ? { type: 'await-deletion' } : { type: 'delete', evidence: 'observed' };
  }
  if (annotations[copyAnnotations.suspend] === 'true') return { type: 'none' };
  if (edge === undefined) return { type: 'apply', why: 'absent' };
  if (edge.deleting) return { type: 'await-deletion' };
  if (edge.contentHash !== (annotations[copyAnnotations.contentHash] ?? ''))
    return { type: 'apply', why: 'changed' };
  if (knownFieldsHash === undefined) return { type: 'apply', why: 'fields-unknown' };
  if (knownFieldsHash !== edge.fieldsHash) return { type: 'apply', why: 'drift' };
  return { type: 'acknowledge' };
}

/**
 * Whether an apply would put an older copy over a newer one: the edge was written from a copy revision that we have not
 * seen yet. Revisions of one store only rise (KUBERNETES.md L1).
 */
export function isStale(
  copyRevision: string,
  edgeAnnotationsNow: { readonly [key: string]: string } | undefined,
): boolean {
  const atEdge = edgeAnnotationsNow?.[edgeAnnotations.copyRevision];
  if (atEdge === undefined || !/^\d+$/.test(atEdge) || !/^\d+$/.test(copyRevision)) return false;
  return BigInt(atEdge) > BigInt(copyRevision);
}
