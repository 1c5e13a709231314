import type { Cell } from '#api/federation/cell.ts';
import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient, ObjectRef } from '#client/client.ts';
import type { Logger } from '#client/logger.ts';
import type { CellMetrics } from '../cell/cell-metrics.ts';
import type { CellWorkspace } from '../cell/cell-workspace.ts';
import type { CopyKey, ObjectPlace } from '../cell/copy-keys.ts';
import type { HeldDeletions } from '../cell/held-deletions.ts';
import type { SyncTally } from '../cell/sync-tally.ts';
import type { Claim } from '../edge/edge-claim.ts';
import type { ServedKinds } from '../edge/edge-kinds.ts';
import type { EdgeMirror } from '../edge/edge-mirror.ts';
import type { ServedKind } from '../edge/served-kind.ts';
import type { NoteTurn } from './copy-notes.ts';
import type { DeletionBudget } from './deletion-budget.ts';

/** A cell's copies as downsync looks at them. */
export interface KnownCopies {
  get(key: CopyKey): KubeObject | undefined;
  keys(): Iterable<CopyKey>;
  /** The whole copy as its event has just told it, if it did; given once. */
  takeWhole(key: CopyKey): KubeObject | undefined;
  hasVanished(key: CopyKey, origin: string): boolean;
}

/** What the parts of one cell's downsync work with. */
export interface SyncContext {
  /** Guarded: it waits while the edge is away, and has its timeouts. */
  readonly edgeClient: KubeClient;
  readonly workspace: CellWorkspace;
  readonly copies: KnownCopies;
  readonly mirror: EdgeMirror;
  readonly kinds: ServedKinds;
  readonly cell: () => Cell;
  /** As it stands at the edge. */
  readonly claim: () => Claim;
  readonly held: HeldDeletions;
  readonly budget: DeletionBudget;
  readonly tally: SyncTally;
  readonly metrics: CellMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of notes that nobody waits for. */
  readonly noteTurn: NoteTurn;
  /** Asks for a key to be looked at. */
  readonly enqueue: (key: CopyKey) => void;
}

/** Where an object lies at the edge: its names are the copy's. */
export function edgeRefOf(kind: ServedKind, { namespace, name }: ObjectPlace): ObjectRef {
  return {
    cluster: undefined,
    gvr: { group: kind.group, version: kind.version, resource: kind.resource },
    namespace: namespace === '' ? undefined : namespace,
    name,
  };
}

/** Whether the Cell is being deleted with the wish that nothing of it stays at the edge. */
export function isWithdrawing(cell: Cell): boolean {
  return cell.metadata.deletionTimestamp !== undefined && cell.spec?.deletionPolicy === 'Withdraw';
}
