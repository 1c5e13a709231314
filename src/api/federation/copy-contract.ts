/**
 * What a copy in a cell workspace carries, written for every syncer (docs/copies.md). The scheduler writes the origin
 * and the content hash; the syncer writes what became of the copy at its edge.
 */
export const copyLabels = {
  /** Id of the logical cluster that the project object lies in. Present on every copy and on nothing else. */
  originCluster: 'federation.cellplane.io/origin-cluster',
  originControlPlane: 'federation.cellplane.io/origin-control-plane',
} as const;

export const copyAnnotations = {
  originPath: 'federation.cellplane.io/origin-path',
  originGroup: 'federation.cellplane.io/origin-group',
  originResource: 'federation.cellplane.io/origin-resource',
  originNamespace: 'federation.cellplane.io/origin-namespace',
  originName: 'federation.cellplane.io/origin-name',
  originUid: 'federation.cellplane.io/origin-uid',
  mappingVersion: 'federation.cellplane.io/mapping-version',
  /** Hash over everything that the scheduler rendered; changes when and only when the edge must change. */
  contentHash: 'federation.cellplane.io/content-hash',
  /** `Abort` (default) or `Overwrite`: what to do about an object at the edge that no copy made. */
  conflictResolution: 'federation.cellplane.io/conflict-resolution',
  /** `true`: the syncer leaves the edge as it is. */
  suspend: 'federation.cellplane.io/suspend',
  /** `Orphan`: the edge object stays when the copy goes. */
  deletionPolicy: 'federation.cellplane.io/deletion-policy',
  /**
   * On a copy that is marked for deletion: uid of the object that wants a copy of this name in the cell again. A syncer that holds
   * the deletion for a person lets go of the copy and leaves the edge as it is, for the copy that comes next.
   */
  wantedAgain: 'federation.cellplane.io/wanted-again',
  /** JSON list of pointers (RFC 6901) to fields that stay at the edge as they are there, once the edge has the object. */
  retainedFields: 'federation.cellplane.io/retained-fields',
  /**
   * `Foreground` or `Orphan`: with which propagationPolicy the syncer deletes the edge object; absent: Background. The API server
   * writes it onto a copy that is deleted with one.
   */
  propagationPolicy: 'federation.cellplane.io/propagation-policy',
} as const;

/**
 * On a CustomResourceDefinition in a cell workspace that was made of projects' own: it belongs to the cell, and these tell
 * whose definition it follows.
 */
export const definitionAnnotations = {
  /** Id of the project's logical cluster. */
  definedBy: 'federation.cellplane.io/defined-by',
  /** Where that project was then, for people to read. */
  definedByPath: 'federation.cellplane.io/defined-by-path',
} as const;

/** Written by the syncer onto the copy. */
export const syncAnnotations = {
  /** The content hash that the edge was last seen to have. Equal to contentHash: in sync. */
  syncedHash: 'federation.cellplane.io/synced-hash',
  /** Hash over the fields that the syncer owned at the edge then: whoever takes over sees drift without a write. */
  syncedFields: 'federation.cellplane.io/synced-fields',
  /** Why the copy is not in sync: JSON {reason, message}. Absent when nothing is wrong. */
  syncError: 'federation.cellplane.io/sync-error',
} as const;

/** Written by the syncer at the edge, beside the copy's own labels and annotations. */
export const edgeAnnotations = {
  /** resourceVersion of the copy that was applied last: a stale syncer sees that it is late. */
  copyRevision: 'federation.cellplane.io/copy-revision',
  /** uid of the Cell that the object was synced for: what another Cell left behind is nobody's to delete. */
  cellUid: 'federation.cellplane.io/cell-uid',
} as const;

/**
 * As `deletion-policy` of an object at an edge: its copy went because it is wanted again, and the next one has yet to come. It is no
 * less ours, and goes only if a person says so.
 */
export const awaitsCopy = 'AwaitsCopy';

/** Why a copy that is to go has not gone (`syncError`): its deletion at the edge waits for a person. */
export const deletionHeldReason = 'DeletionHeld';

/** Stands on every copy; the syncer takes it off when the edge object is gone. */
export const edgeFinalizer = 'federation.cellplane.io/edge';
