import type { AcceptedConnection } from '#apiserver/http/server.ts';
import type { UserInfo } from '#apiserver/request/user.ts';
import type { KubeClient } from '#client/client.ts';

/** What can be reached over the simulated network. */
export interface Reachable {
  readonly name: string;
  /** Of its store. */
  readonly incarnationId: string;
  /** Not ours in the end: a Kubernetes. */
  readonly isEdge: boolean;
  currentRevision(): Promise<number>;
  /** Undefined while it is down. */
  clientAs(user: UserInfo): KubeClient | undefined;
  /** Serves a connection in bytes; false while it is down. */
  accept(connection: AcceptedConnection): boolean;
  /** Calls back when the server that answers now is no more. Returns how to take that back. */
  onDown(callback: () => void): () => void;
}
