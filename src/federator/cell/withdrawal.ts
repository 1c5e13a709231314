import type { Cell } from '#api/federation/cell.ts';
import type { Logger } from '#client/logger.ts';
import { isWithdrawing } from '../downsync/sync-context.ts';
import { releaseClaim } from '../edge/edge-claim.ts';
import type { Wheel } from '../wheel.ts';
import type { CellLimits } from './cell-limits.ts';
import type { Edge } from './edge.ts';

const recheckMs = 1_000;

type EdgeOfCell = Pick<Edge, 'client' | 'claim'>;

export interface WithdrawalOptions {
  /** The cell's name. */
  readonly name: string;
  readonly cell: () => Cell;
  /** Undefined while it is not connected. */
  readonly edge: () => EdgeOfCell | undefined;
  /** All copies are known, and there is none. */
  readonly hasNoCopies: () => boolean;
  readonly limits: Pick<CellLimits, 'edgeTimeoutMs'>;
  readonly wheel: Wheel;
  readonly logger: Logger;
}

/** The end of a cell that is withdrawn: with its last copy the claim at the edge goes, and the edge is nobody's again. */
export class Withdrawal {
  readonly #on: WithdrawalOptions;
  #isDone = false;
  #isStopped = false;
  #releasing: Promise<void> | undefined;

  constructor(options: WithdrawalOptions) {
    this.#on = options;
  }

  /** The last copy was withdrawn and the claim is gone: nothing is done at the edge any more. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** The Cell, its copies or the connection have changed. */
  check(): void {
    const edge = this.#on.edge();
    if (edge === undefined || this.#isDone || !isWithdrawing(this.#on.cell()) || !this.#on.hasNoCopies())
      return;
    this.#isDone = true;
    this.#releasing = this.#release(edge);
  }

  /**
   * The last thing that is done at a withdrawn edge; it has a time limit of its own. The Cell may have gone before we saw its
   * last copy go: `hasLetGo`, that we let go of all of them, is as good.
   */
  stop(hasLetGo: boolean): Promise<void> | undefined {
    this.#isStopped = true;
    this.#on.wheel.cancel(this.#timer);
    const edge = this.#on.edge();
    if (hasLetGo && edge !== undefined && !this.#isDone && isWithdrawing(this.#on.cell()))
      this.#releasing = this.#release(edge);
    return this.#releasing;
  }

  get #timer(): string {
    return `withdrawn/${this.#on.name}`;
  }

  async #release(edge: EdgeOfCell): Promise<void> {
    const { limits, logger, wheel } = this.#on;
    try {
      await releaseClaim(edge.client, edge.claim, AbortSignal.timeout(limits.edgeTimeoutMs));
    } catch (error) {
      logger.warn({ err: error }, 'the claim at the edge was not released');
      this.#isDone = false;
      if (this.#isStopped) return;
      wheel.schedule(this.#timer, recheckMs, () => this.check());
    }
  }
}
