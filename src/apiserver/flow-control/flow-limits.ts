export interface FlowLimits {
  /** Requests served at once over all levels (watches aside, once they have begun). */
  readonly seatsMax: number;
  /**
   * Seats of one level that one workspace may hold where workspaces share the server. What waits for the same write to
   * disk is answered in one go, and everybody else waits for that: so many keep a thread busy, and no longer than some
   * milliseconds.
   */
  readonly workspaceSeatsMax: number;
  /** The same for our own processes (level `federation`) while nobody else has asked for anything of late. */
  readonly ownWorkspaceSeatsMax: number;
  /**
   * The same for a workspace that keeps the thread busy while others ask for something too: the fewer of its requests
   * are under way the shorter is what happens in one go, and the sooner the others have their turn.
   */
  readonly contendedSeatsMax: number;
  /** Requests waiting for a seat over all levels; a workspace above an equal part of them is refused, at twice as many all are. */
  readonly queuedMax: number;
  /** What has waited this long is refused. */
  readonly queueWaitMs: number;
  /** Main-thread time that waiting requests, and those that come meanwhile, get in one turn of the event loop. */
  readonly turnMs: number;
  /** The same while nobody but our own processes (level `federation`) has asked for anything of late. */
  readonly ownTurnMs: number;
  /**
   * What may wait of a workspace that keeps the thread busy while others ask for something too, where the connection of
   * what is refused can be left unread: what waits is kept in memory, and copied by the garbage collector in the turns of
   * all.
   */
  readonly contendedQueuedMax: number;
  /** Connections of such a workspace that may wait unread for their turn; with more of them it is refused. */
  readonly contendedUnreadMax: number;
  /** The connection of a refused request is not read for so long, where it bears one request at a time. */
  readonly parkMs: number;
  /** Other refusals are held back for so long; see HeldRefusals. */
  readonly refusalDelayMs: number;
  readonly heldRefusalsMax: number;
}

export const defaultFlowLimits: FlowLimits = {
  seatsMax: 600,
  workspaceSeatsMax: 32,
  ownWorkspaceSeatsMax: 128,
  contendedSeatsMax: 8,
  queuedMax: 4_000,
  queueWaitMs: 15_000,
  turnMs: 0.4,
  ownTurnMs: 3,
  contendedQueuedMax: 16,
  contendedUnreadMax: 128,
  parkMs: 200,
  refusalDelayMs: 100,
  heldRefusalsMax: 2_000,
};
