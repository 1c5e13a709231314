import { type Cell, cellDefinition, cellsGvr } from '#api/federation/cell.ts';
import { type Federator, federatorDefinition } from '#api/federation/federator.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { labelSelectorOf } from '#apimachinery/label-selector.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import type { CacheEntry, CacheEvent } from '#storage/cached-storage.ts';
import { rangePrefix } from '#storage/keys.ts';
import type { Revision, StorageKey } from '#storage/storage.ts';
import { cellOfEntry } from '../registry/cell-of-entry.ts';
import { objectOf } from '../registry/stored-object.ts';
import { parentPathOf } from '../workspace/cluster-ref.ts';
import { type AssignableCell, type AssignableFederator, assign } from './assign.ts';
import { type ControllerContext, KeyedController } from './controller.ts';
import type { FederatorLiveness } from './federator-liveness.ts';

const cellsPrefix = rangePrefix(cellDefinition.storedAs);
const federatorsPrefix = rangePrefix(federatorDefinition.storedAs);
/** Many changes at once make one decision. */
const settleMs = 20;
const writesMax = 16;

/** What assignment looks at of a Cell, which is little of what its federator writes there each second. */
interface KnownCell {
  readonly revision: Revision;
  readonly cell: AssignableCell;
  /** Of `spec.federator`, to tell a change by. */
  readonly wish: string;
  readonly cluster: string | undefined;
}

/**
 * Writes who holds each Cell (DESIGN: Assignment), alone, through the subresource `assignment`. Level-triggered: every
 * decision is made anew from all Cells, Federators and leases. The epoch rises with each change of hands.
 */
export class AssignmentController extends KeyedController {
  readonly #liveness: FederatorLiveness;
  /** As the last event or look showed each. Bounded by the number of Cells. */
  readonly #known = new Map<StorageKey, KnownCell>();

  constructor(context: ControllerContext, liveness: FederatorLiveness) {
    super(context, { name: 'cell-assignment', concurrency: 1, backoffMaxMs: 2_000 });
    this.#liveness = liveness;
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.#known.clear();
  }

  protected listen(): (() => void)[] {
    const { events, index } = this.context;
    const again = () => this.resync();
    return [
      events.listen(cellsPrefix, {
        event: (event) => {
          if (this.#concerns(event)) again();
        },
        reset: () => {
          this.#known.clear();
          again();
        },
      }),
      events.listen(federatorsPrefix, { event: again, reset: again }),
      index.onChange((record) => {
        if (record.kind === 'cell') again();
      }),
      this.#liveness.onChange(again),
    ];
  }

  protected resync(): void {
    this.queue.addAfter(cellsWorkspacePath, settleMs);
  }

  /** Whether it changes anything that is looked at. */
  #concerns({ key, entry }: CacheEvent): boolean {
    const before = this.#known.get(key);
    if (entry === undefined) {
      this.#known.delete(key);
      return true;
    }
    let now: KnownCell;
    try {
      now = knownCell(entry);
    } catch {
      // What cannot be read is told by the look that follows.
      this.#known.delete(key);
      return true;
    }
    this.#known.set(key, now);
    return (
      before === undefined ||
      before.wish !== now.wish ||
      before.cluster !== now.cluster ||
      before.cell.uid !== now.cell.uid ||
      before.cell.holder !== now.cell.holder
    );
  }

  protected async reconcile(_key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const cells = this.#entries(cellsPrefix).map((entry) => ({ entry, known: this.#know(entry) }));
    const federators = this.#entries(federatorsPrefix).map((entry) => objectOf(entry) as Federator);
    const wanted = assign(
      cells.map(({ known }) => known.cell),
      federators.map((federator) => this.#assignableFederator(federator)),
    );
    const changed = cells.filter(({ known }) => this.#differs(known, wanted.get(known.cell.name)));
    let next = 0;
    const work = async () => {
      for (let one = changed[next++]; one !== undefined && !signal.aborted; one = changed[next++]) {
        await this.#write(objectOf(one.entry) as Cell, wanted.get(one.known.cell.name), signal);
      }
    };
    await Promise.all(Array.from({ length: Math.min(writesMax, changed.length) }, work));
    return undefined;
  }

  #entries(prefix: string): CacheEntry[] {
    const { storage, index } = this.context;
    const cells = index.find(cellsWorkspacePath);
    return cells === undefined ? [] : [...storage.snapshot(`${prefix}${cells.id}/`).entries()];
  }

  #know(entry: CacheEntry): KnownCell {
    const before = this.#known.get(entry.key);
    if (before?.revision === entry.revision) return before;
    const now = knownCell(entry);
    this.#known.set(entry.key, now);
    return now;
  }

  #assignableFederator({ metadata, spec = {} }: Federator): AssignableFederator {
    const { name = '', labels = {}, deletionTimestamp } = metadata;
    return {
      name,
      labels,
      live: deletionTimestamp === undefined && this.#liveness.isLive(name),
      settled: this.#liveness.isSettled(name),
      unschedulable: spec.unschedulable === true,
      cellsMax: spec.capacity?.cells,
    };
  }

  /** The cell's logical cluster as the workspace of its path has it; undefined while there is none. */
  #clusterOf(name: string): string | undefined {
    const record = this.context.index.find(`${cellsWorkspacePath}:${name}`);
    return record?.kind === 'cell' && parentPathOf(record.path) === cellsWorkspacePath
      ? record.id
      : undefined;
  }

  #differs({ cell, cluster }: KnownCell, federator: string | undefined): boolean {
    return cell.holder !== federator || cluster !== this.#clusterOf(cell.name);
  }

  async #write(cell: Cell, federator: string | undefined, signal: AbortSignal): Promise<void> {
    const { client, clock, logger } = this.context;
    const before = cell.status?.assignment;
    const { name = '', uid, resourceVersion } = cell.metadata;
    const changesHands = federator !== undefined && before?.federator !== federator;
    const assignment = changesHands
      ? { federator, epoch: (before?.epoch ?? 0) + 1, since: nowTime(clock.now()) }
      : before;
    const cluster = this.#clusterOf(name);
    const status = {
      ...cell.status,
      ...(assignment === undefined ? {} : { assignment }),
      ...(cluster === undefined ? {} : { cluster }),
    };
    if (cluster === undefined) delete status.cluster;
    const body = { ...cell, metadata: { name, uid, resourceVersion }, status } as Cell;
    const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name };
    try {
      await client.update(ref, body, { subresource: 'assignment', signal });
      if (changesHands) logger.info({ cell: name, federator, from: before?.federator }, 'cell assigned');
    } catch (error) {
      if (isApiError(error, 'NotFound')) return;
      // It changed meanwhile; its event asks for the next decision.
      if (!isApiError(error, 'Conflict')) throw error;
      this.queue.addAfter(cellsWorkspacePath, settleMs);
    }
  }
}

function knownCell(entry: CacheEntry): KnownCell {
  const { metadata, spec = {}, status } = cellOfEntry(entry);
  const { federator } = spec;
  const selector = federator?.selector === undefined ? undefined : labelSelectorOf(federator.selector);
  return {
    revision: entry.revision,
    wish: federator === undefined ? '' : JSON.stringify(federator),
    cluster: status?.cluster,
    cell: {
      name: metadata.name ?? '',
      uid: metadata.uid ?? '',
      pinnedTo: federator?.name,
      admits: selector === undefined ? undefined : (labels) => selector.matches(labels),
      holder: status?.assignment?.federator,
    },
  };
}
