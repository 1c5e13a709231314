import type { Logger } from '#client/logger.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { WorkspaceResolver } from '../workspace/workspace.ts';
import { alwaysAllowPathsAuthorizer } from './always-allow-paths.ts';
import type { Authorizer } from './authorizer.ts';
import { CellAssignmentIndex, type CellAssignments } from './cell-assignments.ts';
import { CellContentAuthorizer } from './cell-content-authorizer.ts';
import { ComponentAuthorizer } from './component-authorizer.ts';
import type { AuthorizationMetrics } from './counted-authorizer.ts';
import { RbacAuthorizer, type RbacLimits } from './rbac.ts';
import { systemMastersAuthorizer } from './system-masters.ts';
import { UnionAuthorizer } from './union-authorizer.ts';
import type { WebhookAuthorizer } from './webhook-authorizer.ts';
import { WorkspaceAccessAuthorizer } from './workspace-access.ts';

export interface ServerAuthorizer {
  /** The whole chain: what HTTP and loopback ask. */
  readonly authorizer: Authorizer;
  /** What reviews ask: that a path is always open is a matter of requests, not of who holds what. */
  readonly reviewed: Authorizer;
  /** The RBAC part: for escalation checks and SelfSubjectRulesReview. */
  readonly rbac: RbacAuthorizer;
  readonly assignments: CellAssignments;
  /** Begins to follow the storage; idempotent. */
  start(): void;
  /** Idempotent. */
  stop(): void;
}

/**
 * The order of KCP.md (Identity and rights): groups and paths that are always allowed, our own components, then RBAC
 * inside the workspace for those who may enter it. `cellsClusterId` is undefined at a server without cells (an edge).
 */
export function createServerAuthorizer(options: {
  readonly cache: CachedStorage;
  readonly resolver: WorkspaceResolver;
  readonly cellsClusterId: string | undefined;
  readonly logger: Logger;
  readonly rbacLimits?: RbacLimits | undefined;
  /** Asked inside workspaces before RBAC, and after it (KUBERNETES.md U5). */
  readonly before?: readonly WebhookAuthorizer[] | undefined;
  readonly after?: readonly WebhookAuthorizer[] | undefined;
  readonly metrics?: AuthorizationMetrics | undefined;
}): ServerAuthorizer {
  const { cache, resolver, cellsClusterId, logger } = options;
  const rbac = new RbacAuthorizer(cache, logger, options.rbacLimits);
  const index =
    cellsClusterId === undefined ? undefined : new CellAssignmentIndex(cache, cellsClusterId, logger);
  const assignments: CellAssignments = index ?? { federatorOf: () => undefined, holdsSecret: () => false };
  const { before = [], after = [] } = options;
  const counted = (authorizer: Authorizer, type: 'RBAC' | 'Webhook', name: string) =>
    options.metrics?.counted(authorizer, type, name) ?? authorizer;
  const webhook = (one: WebhookAuthorizer) => counted(one, 'Webhook', one.name);
  const byRbac = counted(new WorkspaceAccessAuthorizer(rbac), 'RBAC', 'rbac');
  const isAlone = before.length === 0 && after.length === 0;
  const inWorkspace = isAlone
    ? byRbac
    : new UnionAuthorizer([...before.map(webhook), byRbac, ...after.map(webhook)]);
  const byRights = [
    new ComponentAuthorizer(assignments),
    new CellContentAuthorizer(inWorkspace, resolver),
    inWorkspace,
  ];
  return {
    authorizer: new UnionAuthorizer([systemMastersAuthorizer, alwaysAllowPathsAuthorizer, ...byRights]),
    reviewed: new UnionAuthorizer([systemMastersAuthorizer, ...byRights]),
    rbac,
    assignments,
    start() {
      rbac.start();
      index?.start();
    },
    stop() {
      rbac.stop();
      index?.stop();
    },
  };
}
