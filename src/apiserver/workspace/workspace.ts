import type { Scheme } from '#apimachinery/scheme.ts';

declare const clusterIdBrand: unique symbol;

/** A logical cluster's name: 16 base36 characters, or `root`, or a `system:` name (KCP.md, Addressing). */
export type ClusterId = string & { readonly [clusterIdBrand]: true };

export type WorkspacePhase =
  | 'Scheduling'
  | 'Initializing'
  | 'Ready'
  | 'Unavailable'
  | 'Inactive'
  | 'Terminating'
  | 'Deleting';

/**
 * One workspace as the request path sees it: made from its LogicalCluster when asked for, small, immutable.
 * It is looked up anew for each request; nothing holds on to it.
 */
export interface Workspace {
  readonly id: ClusterId;
  /** `root:acme:shop`. */
  readonly path: string;
  readonly type: WorkspaceKind;
  readonly phase: WorkspacePhase;
  /** What it serves now. */
  readonly scheme: Scheme;
  /** A cell workspace: a warehouse whose copies are inert (DESIGN.md, Cell workspaces are warehouses). */
  readonly inert: boolean;
}

/** The built-in workspace types; a custom WorkspaceType is served as the one that it extends, `universal` at last. */
export type WorkspaceKind = 'root' | 'organization' | 'universal' | 'project' | 'cells' | 'cell' | 'edge';

export interface ResolveOptions {
  /** True for `/openapi` and logicalclusters, which an inactive workspace still answers (KCP.md, Addressing). */
  readonly allowInactive?: boolean | undefined;
}

/** Finds workspaces. Errors are ApiErrors with the codes of KCP.md's addressing table. */
export interface WorkspaceResolver {
  /**
   * Resolves a path or id. Synchronous on the hot path (an index kept by watch events); throws ApiError: 400 for a
   * malformed ref, 404 `workspaces.tenancy.kcp.io "x" not found` for an unknown one, 503 while Unavailable, 403 while
   * inactive.
   */
  resolve(clusterRef: string, options?: ResolveOptions): Workspace;
  /**
   * Like `resolve`, but a ref is looked for again at the store's newest revision before it is refused: for a workspace that
   * another server has just created, or opened. Absent where nothing can be unknown.
   */
  resolveFresh?(clusterRef: string, options?: ResolveOptions): Promise<Workspace>;
  /** Up to the store's newest revision, where other servers write it too; undefined, or absent, where nothing can be older. */
  awaitFresh?(): Promise<void> | undefined;
  byId(id: ClusterId): Workspace | undefined;
  /** What all workspaces together serve: for `/clusters/*`. CRDs of single workspaces only as PartialObjectMetadata. */
  wildcardScheme(): Scheme;
}
