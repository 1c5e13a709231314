import type { ServedResource } from '#apimachinery/scheme.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { RequestInfo } from './request-info.ts';
import type { UserInfo } from './user.ts';

/** Everything that the stages of one request share. Made by the HTTP chain or by the loopback client. */
export interface RequestContext {
  readonly info: RequestInfo;
  readonly user: UserInfo;
  /** Undefined for wildcard requests (`/clusters/*`). */
  readonly workspace: Workspace | undefined;
  readonly auditId: string;
  /** Fires when the client is gone, the request's time is over, or the server stops. */
  readonly signal: AbortSignal;
  /** Texts for `Warning: 299` headers (N6); stages append. */
  readonly warnings: string[];
  /** Adds to the request's audit record, where there is one; `fromLevel`: if that tells bodies (KUBERNETES.md O3). */
  readonly annotate?: ((key: string, value: string, fromLevel?: 'Request') => void) | undefined;
  /** User-Agent up to the first `/`, cut to 128: the default field manager (C8). */
  readonly defaultFieldManager: string;
}

/** A context whose URL names a resource that the workspace serves. */
export interface ResourceContext extends RequestContext {
  readonly served: ServedResource;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}
