import type { RequestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import type { Workspace } from '../workspace/workspace.ts';

export interface AuthorizationAttributes {
  readonly user: UserInfo;
  /** Undefined for `/clusters/*`. */
  readonly workspace: Workspace | undefined;
  readonly verb: string;
  /** Undefined for a non-resource path. */
  readonly resource: RequestInfo['resource'];
  readonly path: string;
  /**
   * The `label=value` requirements of a list's or watch's field selector that must all hold, for authorizers that allow
   * a selection (KEP-4601). Absent or undefined: nothing is known of the selection.
   */
  readonly fieldRequirements?: ReadonlyMap<string, string> | undefined;
}

/** `deny` ends the chain at once; `noOpinion` asks the next; all without opinion is a refusal (KUBERNETES.md E4). */
export interface AuthorizationDecision {
  readonly decision: 'allow' | 'deny' | 'noOpinion';
  readonly reason: string;
  /** What kept an authorizer from its answer: where nobody allows it the request fails and is not refused (500). */
  readonly error?: string | undefined;
}

/** Synchronous where the answer is in memory (RBAC), a promise where it must be asked for (webhook). */
export interface Authorizer {
  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision>;
}
