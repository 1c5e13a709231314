import {
  awaitsCopy,
  copyAnnotations,
  edgeFinalizer,
  syncAnnotations,
} from '#api/federation/copy-contract.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { EdgeObject } from '../edge/edge-object.ts';
import { originKeyOf } from '../origin.ts';

export type ApplyReason = 'absent' | 'changed' | 'drift' | 'fields-unknown';

export type Step =
  | { readonly type: 'none' }
  /** The copy says that the edge is to stay as it is. */
  | { readonly type: 'suspended' }
  /** Apply the copy at the edge; `why` goes to the log and the metrics. */
  | { readonly type: 'apply'; readonly why: ApplyReason }
  /** The edge has what it should have: say so on the copy. */
  | { readonly type: 'acknowledge' }
  /** `withdrawn`: the copy is marked for deletion. `absent`: there is no copy, and nothing more is known (DESIGN.md). */
  | { readonly type: 'delete'; readonly evidence: 'withdrawn' | 'absent' }
  /** The edge object is to outlive its copy: mark it so, then let the copy go. */
  | { readonly type: 'orphan' }
  /** Nothing of this copy is at the edge: let it go. */
  | { readonly type: 'release' }
  /** The edge object awaited this copy: take the mark that says so off it. */
  | { readonly type: 'unmark' }
  /** The edge object is on its way out: wait for its watch. */
  | { readonly type: 'await-deletion' };

export interface DecisionInput {
  /** Metadata of the copy; undefined when there is none. */
  readonly copy: KubeObject | undefined;
  /** The edge object of that place that carries a copy's labels; undefined when there is none. */
  readonly edge: EdgeObject | undefined;
  /** uid of our Cell. */
  readonly cellUid: string;
  /** What our last apply in this process brought about; undefined when that was before it began. */
  readonly known: { readonly contentHash: string; readonly fieldsHash: string } | undefined;
}

/** Decides what one object needs, from what both sides hold. Pure. */
export function decideDownsync({ copy, edge, cellUid, known }: DecisionInput): Step {
  if (copy === undefined) {
    if (edge === undefined) return { type: 'none' };
    // Controllers copy labels onto what they make (a Service's onto its EndpointSlices): only what we applied is ours.
    // What another Cell has left behind, or what was meant to stay, is nobody's.
    if (edge.fieldsHash === '' || edge.cellUid !== cellUid || edge.deletionPolicy === 'Orphan') {
      return { type: 'none' };
    }
    return edge.deleting ? { type: 'await-deletion' } : { type: 'delete', evidence: 'absent' };
  }
  const annotations = copy.metadata.annotations ?? {};
  if (copy.metadata.deletionTimestamp !== undefined) {
    if (!(copy.metadata.finalizers ?? []).includes(edgeFinalizer)) return { type: 'none' };
    if (edge === undefined || edge.origin !== originKeyOf(copy.metadata)) return { type: 'release' };
    if (annotations[copyAnnotations.deletionPolicy] === 'Orphan') return { type: 'orphan' };
    return edge.deleting ? { type: 'await-deletion' } : { type: 'delete', evidence: 'withdrawn' };
  }
  if (annotations[copyAnnotations.suspend] === 'true') return { type: 'suspended' };
  if (edge === undefined) return { type: 'apply', why: 'absent' };
  if (edge.deleting) return { type: 'await-deletion' };
  if (edge.deletionPolicy === awaitsCopy && edge.origin === originKeyOf(copy.metadata))
    return { type: 'unmark' };
  const wanted = annotations[copyAnnotations.contentHash] ?? '';
  const expected = known?.contentHash === wanted ? known.fieldsHash : syncedFieldsOf(annotations, wanted);
  if (edge.contentHash !== wanted || edge.cellUid !== cellUid) {
    return { type: 'apply', why: expected === undefined ? 'changed' : 'drift' };
  }
  if (expected === undefined) return { type: 'apply', why: 'fields-unknown' };
  return expected === edge.fieldsHash ? { type: 'acknowledge' } : { type: 'apply', why: 'drift' };
}

/** What the copy says that its last syncer owned at the edge, if that was for its present content. */
export function syncedFieldsOf(
  annotations: { readonly [key: string]: string },
  contentHash: string,
): string | undefined {
  return annotations[syncAnnotations.syncedHash] === contentHash
    ? annotations[syncAnnotations.syncedFields]
    : undefined;
}

/**
 * Whether an apply would put an older copy over a newer one: the edge was written from a copy revision that we have not
 * seen yet. Revisions of one store only rise (KUBERNETES.md L1).
 */
export function isStale(copyRevision: string, atEdge: string | undefined): boolean {
  if (atEdge === undefined || !/^\d+$/.test(atEdge) || !/^\d+$/.test(copyRevision)) return false;
  return BigInt(atEdge) > BigInt(copyRevision);
}
