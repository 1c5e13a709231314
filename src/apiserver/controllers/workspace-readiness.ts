import { withCondition } from '#api/conditions.ts';
import {
  type LogicalClusterObject,
  logicalClusterName,
  logicalClustersGvr,
} from '#api/core-kcp/logical-cluster.ts';
import {
  phaseLabel,
  type WorkspaceObject,
  workspaceDefinition,
  workspacesGvr,
} from '#api/tenancy/workspace.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import { objectKey } from '#storage/keys.ts';
import { objectOf } from '../registry/stored-object.ts';
import { logicalClusterKey } from '../workspace/workspace-index.ts';
import { type ControllerContext, KeyedController } from './controller.ts';

/**
 * Makes workspaces Ready when their last initializer is gone, and tells in the Workspace which ones remain. Workspaces
 * of types without initializers are Ready from their creation and never come here.
 */
export class WorkspaceReadiness extends KeyedController {
  constructor(context: ControllerContext) {
    super(context, { name: 'workspace-readiness', concurrency: 4 });
  }

  protected listen(): (() => void)[] {
    const { index } = this.context;
    /** Those that have been seen initializing: their Workspace may lag behind. */
    const initializing = new Set<string>();
    return [
      index.onChange(({ id, phase }, change) => {
        if (change !== 'removed' && (phase === 'Initializing' || phase === 'Scheduling')) {
          initializing.add(id);
          this.queue.add(id);
        } else if (initializing.delete(id) && change !== 'removed') {
          this.queue.add(id);
        }
      }),
    ];
  }

  protected resync(): void {
    const { index } = this.context;
    for (const { id, phase } of index.records()) if (phase !== 'Ready') this.queue.add(id);
  }

  protected async reconcile(clusterId: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { storage, client, clock, index } = this.context;
    const record = index.recordOf(clusterId);
    const entry = storage.peek(logicalClusterKey(clusterId));
    if (record === undefined || entry === undefined || !isComing(record.phase)) return undefined;
    const cluster = objectOf(entry) as LogicalClusterObject;
    const initializers = cluster.status?.initializers ?? [];
    const now = nowTime(clock.now());
    if (initializers.length === 0 && cluster.status?.phase !== 'Ready') {
      const conditions = withCondition(cluster.status?.conditions, initialized, now);
      const status = { ...cluster.status, phase: 'Ready' as const, conditions };
      const ref = { cluster: clusterId, gvr: logicalClustersGvr, name: logicalClusterName };
      await orGone(client.update(ref, { ...cluster, status }, { subresource: 'status', signal }));
    }
    await this.#tellOwner(cluster, initializers, now, signal);
    return undefined;
  }

  async #tellOwner(
    cluster: LogicalClusterObject,
    initializers: string[],
    now: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { owner } = cluster.spec ?? {};
    if (owner === undefined) return;
    const { storage, client } = this.context;
    const { storedAs } = workspaceDefinition;
    const entry = storage.peek(
      objectKey({ ...storedAs, clusterId: owner.cluster, namespace: '', name: owner.name }),
    );
    const workspace = entry === undefined ? undefined : (objectOf(entry) as WorkspaceObject);
    if (workspace === undefined || workspace.metadata.uid !== owner.uid) return;
    const phase = initializers.length === 0 ? 'Ready' : 'Initializing';
    const ref = { cluster: owner.cluster, gvr: workspacesGvr, name: owner.name };
    const told = workspace.status?.initializers ?? [];
    if (workspace.status?.phase !== phase || told.length !== initializers.length) {
      const { initializers: _, ...kept } = workspace.status ?? {};
      const conditions =
        phase === 'Ready' ? withCondition(kept.conditions, initialized, now) : kept.conditions;
      const status: WorkspaceObject['status'] = { ...kept, phase };
      if (conditions !== undefined) status.conditions = conditions;
      if (initializers.length > 0) status.initializers = initializers;
      const body: WorkspaceObject = { ...workspace, status };
      await orGone(client.update(ref, body, { subresource: 'status', signal }));
    }
    if (workspace.metadata.labels?.[phaseLabel] !== phase) {
      const body = { metadata: { uid: owner.uid, labels: { [phaseLabel]: phase } } };
      await orGone(client.patch(ref, { type: 'merge', body }, { signal }));
    }
  }
}

const initialized = { type: 'WorkspaceInitialized', status: 'True' as const };

function isComing(phase: string): boolean {
  return phase === 'Scheduling' || phase === 'Initializing' || phase === 'Ready';
}

async function orGone(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
  }
}
