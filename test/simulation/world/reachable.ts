import type { AcceptedConnection } from '#apiserver/http/server.ts';
import type { UserInfo } from '#apiserver/request/user.ts';
import type { KubeClient } from '#client/client.ts';

/** What can be reached over the simulated network. */
export interface Reachable {
  readonly name: string;
  /** The name that it is reached by, where others on the same store are too; else its own. */
  readonly plane: string;
  /** Of its store. */
  readonly incarnationId: string;
  /** Not ours in the end: a Kubernetes. */
  readonly isEdge: boolean;
  currentRevision(): Promise<number>;
  /** Resolves when it answers, where that has to be waited for; never, once it is dead. */
  awake(): Promise<void> | undefined;
  /** Undefined while it is down. */
  clientAs(user: UserInfo): KubeClient | undefined;
  /** Serves a connection in bytes; false while it is down. */
  accept(connection: AcceptedConnection): boolean;
  /** Calls back when the server that answers now is no more. Returns how to take that back. */
  onDown(callback: () => void): () => void;
}
