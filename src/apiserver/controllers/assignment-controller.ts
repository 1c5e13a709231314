import { type Cell, cellDefinition, cellsGvr } from '#api/federation/cell.ts';
import { type Federator, federatorDefinition } from '#api/federation/federator.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import { labelSelectorOf } from '#apimachinery/label-selector.ts';
import { nowTime } from '#apimachinery/rfc3339.ts';
import type { ReconcileResult } from '#client/reconcile.ts';
import { rangePrefix } from '#storage/keys.ts';
import { objectOf } from '../registry/stored-object.ts';
import { parentPathOf } from '../workspace/cluster-ref.ts';
import { type AssignableCell, type AssignableFederator, assign } from './assign.ts';
import { type Controller, type ControllerContext, KeyedLoop } from './controller.ts';
import type { FederatorLiveness } from './federator-liveness.ts';

const cellsPrefix = rangePrefix(cellDefinition.storedAs);
const federatorsPrefix = rangePrefix(federatorDefinition.storedAs);
/** Many changes at once make one decision. */
const settleMs = 20;
const writesMax = 16;

/**
 * Writes who holds each Cell (DESIGN: Assignment), alone, through the subresource `assignment`. Level-triggered: every
 * decision is made anew from all Cells, Federators and leases. The epoch rises with each change of hands.
 */
export class AssignmentController implements Controller {
  readonly name = 'cell-assignment';
  readonly #context: ControllerContext;
  readonly #liveness: FederatorLiveness;
  readonly #loop: KeyedLoop;
  #unlisten: (() => void)[] = [];

  constructor(context: ControllerContext, liveness: FederatorLiveness) {
    this.#context = context;
    this.#liveness = liveness;
    this.#loop = new KeyedLoop({
      name: this.name,
      context,
      concurrency: 1,
      backoffMaxMs: 2_000,
      reconcile: (_key, signal) => this.#reconcile(signal),
    });
  }

  start(): void {
    if (this.#unlisten.length > 0) return;
    const { events, index } = this.#context;
    const again = () => this.#loop.queue.addAfter(cellsWorkspacePath, settleMs);
    this.#unlisten = [
      events.listen(cellsPrefix, { event: again, reset: again }),
      events.listen(federatorsPrefix, { event: again, reset: again }),
      index.onChange((record) => {
        if (record.kind === 'cell') again();
      }),
      this.#liveness.onChange(again),
    ];
    this.#loop.start();
    again();
  }

  async stop(): Promise<void> {
    for (const unlisten of this.#unlisten) unlisten();
    await this.#loop.stop();
  }

  async #reconcile(signal: AbortSignal): Promise<ReconcileResult> {
    const cells = this.#read<Cell>(cellsPrefix);
    const federators = this.#read<Federator>(federatorsPrefix);
    const wanted = assign(
      cells.map(assignableCell),
      federators.map((federator) => this.#assignableFederator(federator)),
    );
    const changed = cells.filter((cell) => this.#differs(cell, wanted.get(cell.metadata.name ?? '')));
    let next = 0;
    const work = async () => {
      for (let cell = changed[next++]; cell !== undefined && !signal.aborted; cell = changed[next++]) {
        await this.#write(cell, wanted.get(cell.metadata.name ?? ''), signal);
      }
    };
    await Promise.all(Array.from({ length: Math.min(writesMax, changed.length) }, work));
    return undefined;
  }

  #read<T>(prefix: string): T[] {
    const { storage, index } = this.#context;
    const cells = index.find(cellsWorkspacePath);
    if (cells === undefined) return [];
    return [...storage.snapshot(`${prefix}${cells.id}/`).entries()].map((entry) => objectOf(entry) as T);
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
  #clusterOf(cell: Cell): string | undefined {
    const record = this.#context.index.find(`${cellsWorkspacePath}:${cell.metadata.name}`);
    return record?.kind === 'cell' && parentPathOf(record.path) === cellsWorkspacePath
      ? record.id
      : undefined;
  }

  #differs(cell: Cell, federator: string | undefined): boolean {
    const { assignment, cluster } = cell.status ?? {};
    return assignment?.federator !== federator || cluster !== this.#clusterOf(cell);
  }

  async #write(cell: Cell, federator: string | undefined, signal: AbortSignal): Promise<void> {
    const { client, clock, logger } = this.#context;
    const before = cell.status?.assignment;
    const { name = '', uid, resourceVersion } = cell.metadata;
    const changesHands = federator !== undefined && before?.federator !== federator;
    const assignment = changesHands
      ? { federator, epoch: (before?.epoch ?? 0) + 1, since: nowTime(clock.now()) }
      : before;
    const cluster = this.#clusterOf(cell);
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
      this.#loop.queue.addAfter(cellsWorkspacePath, settleMs);
    }
  }
}

function assignableCell({ metadata, spec = {}, status }: Cell): AssignableCell {
  const { federator } = spec;
  const selector = federator?.selector === undefined ? undefined : labelSelectorOf(federator.selector);
  return {
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    pinnedTo: federator?.name,
    admits: selector === undefined ? undefined : (labels) => selector.matches(labels),
    holder: status?.assignment?.federator,
  };
}
