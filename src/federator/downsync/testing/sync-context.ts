import type { Clock } from '#apimachinery/clock.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { KubeClient } from '#client/client.ts';
import { silentLogger } from '#client/logger.ts';
import { CellMetrics } from '../../cell/cell-metrics.ts';
import { CellWorkspace } from '../../cell/cell-workspace.ts';
import type { CopyKey } from '../../cell/copy-keys.ts';
import { HeldDeletions } from '../../cell/held-deletions.ts';
import { SyncTally } from '../../cell/sync-tally.ts';
import { ServedKinds } from '../../edge/edge-kinds.ts';
import { EdgeMirror } from '../../edge/edge-mirror.ts';
import { DeletionBudget } from '../deletion-budget.ts';
import type { SyncContext } from '../sync-context.ts';

export interface SyncContextOptions {
  readonly edgeClient: KubeClient;
  readonly federationClient: KubeClient;
  readonly clock: Clock;
  /** uid of the Cell. */
  readonly cellUid: string;
  readonly copies: ReadonlyMap<CopyKey, KubeObject>;
}

/** What the parts of one cell's downsync work with, where a test says nothing else. */
export function syncContextOf({
  edgeClient,
  federationClient,
  clock,
  cellUid,
  copies,
}: SyncContextOptions): SyncContext {
  return {
    edgeClient,
    workspace: new CellWorkspace(federationClient, 'root:cells:cell-a'),
    copies: {
      get: (key) => copies.get(key),
      keys: () => copies.keys(),
      takeWhole: (key) => copies.get(key),
      hasVanished: () => false,
    },
    mirror: new EdgeMirror({
      edgeClient,
      clock,
      logger: silentLogger,
      timeoutMs: 1_000,
      objectsMax: 1_000,
      onOverfull: () => {},
      onChange: () => {},
      onStatus: () => {},
    }),
    kinds: new ServedKinds({ client: edgeClient, clock, signal: new AbortController().signal }),
    cell: () => ({ apiVersion: 'v1', kind: 'Cell', metadata: { name: 'cell-a', uid: cellUid } }),
    claim: () => ({ controlPlaneId: '', cellName: '', cellUid: '', incarnationId: '', clusterId: '' }),
    held: new HeldDeletions(),
    budget: new DeletionBudget(clock),
    tally: new SyncTally(clock),
    metrics: new CellMetrics(),
    clock,
    logger: silentLogger,
    noteTurn: () => undefined,
    enqueue: () => {},
  };
}
