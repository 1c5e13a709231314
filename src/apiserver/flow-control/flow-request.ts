import type { RequestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { FlowClass } from './flow-configuration.ts';

/** A request as flow control sees it. */
export interface FlowRequest {
  readonly info: RequestInfo;
  readonly user: UserInfo;
  readonly workspace: Workspace | undefined;
  /** Whether nobody is there any more to answer. */
  readonly isGone: boolean;
  /** Whether its connection bears nothing of other workspaces, and so can be left unread for a while after it. */
  readonly parks: boolean;
  /** Connections of its workspace that wait unread for their turn. */
  readonly unread: number;
}

/** A request's right to be served, until `leave` is called: once. */
export interface Seat {
  /** What the answer's headers name: the workspace's own schema and level, or the server's. */
  readonly shown: FlowClass;
  /** Whether its workspace keeps the thread busy now while others ask for something too. */
  readonly crowds: boolean;
  leave(): void;
}

/** The request is to be answered 429. */
export interface Refusal {
  readonly shown: FlowClass;
  readonly leave: undefined;
  /** The connection is not to be read for so long after the answer; 0: at once. */
  readonly parkMs: number;
}
