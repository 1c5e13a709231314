import { type Condition, withCondition } from '#api/conditions.ts';
import { type Cell, cellDefinition, cellsGvr } from '#api/federation/cell.ts';
import { isClaimed } from '#api/federation/cell-claim.ts';
import { copyLabels } from '#api/federation/copy-contract.ts';
import { cellFinalizer, cellsWorkspacePath } from '#api/federation/group.ts';
import { workspaceDefinition, workspacesGvr } from '#api/tenancy/workspace.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { CacheEntry, CacheEvent } from '#storage/cached-storage.ts';
import { objectKey, parseObjectKey, rangePrefix } from '#storage/keys.ts';
import { cellOfEntry } from '../registry/cell-of-entry.ts';
import { clusterOf, internalPrefix } from '../registry/key-parts.ts';
import { hasDeletionTimestamp, hasLabels, headerOf, objectOf } from '../registry/stored-object.ts';
import type { WorkspaceRecord } from '../workspace/workspace-index.ts';
import { type ControllerContext, KeyedController } from './controller.ts';
import { deleteEntries, orRaced } from './delete-entries.ts';
import type { FederatorLiveness } from './federator-liveness.ts';

const cellsPrefix = rangePrefix(cellDefinition.storedAs);
const workspacesPrefix = rangePrefix(workspaceDefinition.storedAs);
/** Looks again at a cell whose copies are being withdrawn. */
const withdrawRecheckMs = 1_000;
/** Conditions that only a living federator can vouch for. */
const vouched = ['Ready', 'Reachable', 'Synced'] as const;

/**
 * Gives each Cell its workspace and takes it away with the Cell; marks what nobody can vouch for as Unknown. Deleting a
 * Cell deletes nothing at its edge, because the copies go without being marked for deletion; with `deletionPolicy:
 * Withdraw` they are marked first, and the Cell waits until its federator has let go of the last one.
 */
export class CellController extends KeyedController {
  readonly #liveness: FederatorLiveness;

  constructor(context: ControllerContext, liveness: FederatorLiveness) {
    super(context, { name: 'cells', concurrency: 8, backoffMaxMs: 5_000 });
    this.#liveness = liveness;
  }

  protected listen(): (() => void)[] {
    const { events } = this.context;
    const add = ({ key }: { readonly key: string }) => {
      if (this.#isInCells(key)) this.queue.add(parseObjectKey(key).name);
    };
    const all = () => this.resync();
    return [
      events.listen(cellsPrefix, {
        event: (event) => {
          if (!this.#isReport(event)) add(event);
        },
        reset: all,
      }),
      // Of a cell's workspace only its going matters.
      events.listen(workspacesPrefix, {
        event: (event) => (event.entry === undefined ? add(event) : undefined),
        reset: all,
      }),
      this.#liveness.onChange(all),
    ];
  }

  /** A change by which nothing is to be done: of a Cell that stays, by a federator that lives. */
  #isReport({ entry, previous }: CacheEvent): boolean {
    if (entry === undefined || previous === undefined || hasDeletionTimestamp(entry)) return false;
    try {
      const holder = cellOfEntry(entry).status?.assignment?.federator;
      return holder !== undefined && this.#liveness.isLive(holder);
    } catch {
      return false; // the look that follows tells it
    }
  }

  #isInCells(key: string): boolean {
    return this.context.index.recordOf(clusterOf(key))?.path === cellsWorkspacePath;
  }

  protected resync(): void {
    const cells = this.context.index.find(cellsWorkspacePath);
    if (cells === undefined) return;
    for (const { key } of this.context.storage.snapshot(`${cellsPrefix}${cells.id}/`).entries()) {
      this.queue.add(parseObjectKey(key).name);
    }
  }

  protected async reconcile(name: string, signal: AbortSignal): Promise<ReconcileResult> {
    const cells = this.context.index.find(cellsWorkspacePath);
    if (cells === undefined) return undefined;
    const entry = this.#peek(cellDefinition.storedAs, cells.id, name);
    if (entry === undefined) return undefined;
    const workspace = this.#peek(workspaceDefinition.storedAs, cells.id, name);
    if (hasDeletionTimestamp(entry)) return this.#delete(entry, workspace, signal);
    if (workspace === undefined) await this.#createWorkspace(name, signal);
    await this.#markUnknown(objectOf(entry) as Cell, signal);
    return undefined;
  }

  #peek(
    stored: { readonly group: string; readonly resource: string },
    clusterId: string,
    name: string,
  ): CacheEntry | undefined {
    return this.context.storage.peek(objectKey({ ...stored, clusterId, namespace: '', name }));
  }

  async #createWorkspace(name: string, signal: AbortSignal): Promise<void> {
    const collection = { cluster: cellsWorkspacePath, gvr: workspacesGvr };
    try {
      await this.context.client.create(
        collection,
        {
          apiVersion: 'tenancy.kcp.io/v1alpha1',
          kind: 'Workspace',
          metadata: { name },
          spec: { type: { name: 'cell', path: 'root' } },
        },
        { signal },
      );
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
  }

  async #delete(
    entry: CacheEntry,
    workspace: CacheEntry | undefined,
    signal: AbortSignal,
  ): Promise<ReconcileResult> {
    const cell = objectOf(entry) as Cell;
    const { name = '', finalizers = [] } = cell.metadata;
    if (!finalizers.includes(cellFinalizer)) return undefined;
    if (workspace !== undefined) {
      if (hasDeletionTimestamp(workspace)) return undefined;
      if (cell.spec?.deletionPolicy === 'Withdraw') {
        const left = await this.#withdraw(name, signal);
        await this.#tellWithdrawing(cell, left, signal);
        if (left > 0) return { requeueAfterMs: withdrawRecheckMs };
        // That it is taken away comes as an event of the Cell.
        if (isClaimed(cell)) return undefined;
      }
      const preconditions = { uid: headerOf(workspace).uid };
      const ref = { cluster: cellsWorkspacePath, gvr: workspacesGvr, name };
      await orRaced(this.context.client.delete(ref, { preconditions, signal }));
      return undefined;
    }
    const { uid, resourceVersion } = cell.metadata;
    const left = finalizers.filter((one) => one !== cellFinalizer);
    const metadata = { uid, resourceVersion, finalizers: left.length === 0 ? null : left };
    const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name };
    await this.context.client.patch(ref, { type: 'merge', body: { metadata } }, { signal });
    return undefined;
  }

  /** Marks all copies of the cell for deletion; returns how many there still are. */
  async #withdraw(name: string, signal: AbortSignal): Promise<number> {
    const record = this.context.index.find(`${cellsWorkspacePath}:${name}`);
    if (record === undefined) return 0;
    await this.context.storage.awaitFresh();
    await deleteEntries(this.context, this.#copiesOf(record), signal);
    return this.#copiesOf(record).length;
  }

  #copiesOf(record: WorkspaceRecord): CacheEntry[] {
    return [...this.context.events.resourcePrefixes()].flatMap((prefix) => this.#copiesIn(prefix, record));
  }

  #copiesIn(prefix: string, { id }: WorkspaceRecord): CacheEntry[] {
    if (prefix.startsWith(internalPrefix)) return [];
    const { storage } = this.context;
    return [...storage.snapshot(`${prefix}${id}/`).entries()].filter(
      (entry) => hasLabels(entry) && headerOf(entry).labels[copyLabels.originCluster] !== undefined,
    );
  }

  async #tellWithdrawing(cell: Cell, left: number, signal: AbortSignal): Promise<void> {
    const [reason, message] =
      left > 0 || !isClaimed(cell)
        ? ['CopiesRemain', `${left} copies are yet to be withdrawn from the edge`]
        : ['ClaimRemains', 'the edge is yet to be told that it is no cell’s any more'];
    await this.#putConditions(cell, [{ type: 'Withdrawing', status: 'True', reason, message }], signal);
  }

  /** A federator that is gone vouches for nothing. */
  async #markUnknown(cell: Cell, signal: AbortSignal): Promise<void> {
    const holder = cell.status?.assignment?.federator;
    if (holder !== undefined && this.#liveness.isLive(holder)) return;
    const isPinned = cell.spec?.federator?.name === holder;
    const [reason, message] =
      holder === undefined
        ? ['NoFederator', 'No federator holds the cell.']
        : [
            'FederatorGone',
            `Federator ${holder} has stopped renewing its lease${isPinned ? '; the cell is pinned to it (spec.federator.name) and waits for it' : ''}.`,
          ];
    const unknown = vouched.map((type): Condition => ({ type, status: 'Unknown', reason, message }));
    await this.#putConditions(cell, unknown, signal);
  }

  async #putConditions(cell: Cell, wanted: readonly Condition[], signal: AbortSignal): Promise<void> {
    const now = nowTime(this.context.clock.now());
    let conditions = cell.status?.conditions;
    for (const one of wanted) conditions = withCondition(conditions, one, now);
    if (conditions === undefined || conditions === cell.status?.conditions) return;
    const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name: cell.metadata.name ?? '' };
    const status = { ...cell.status, conditions };
    // A conflict means that something is told by its own event.
    await orRaced(this.context.client.update(ref, { ...cell, status }, { subresource: 'status', signal }));
  }
}
