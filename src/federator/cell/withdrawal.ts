import type { Cell } from '#api/federation/cell.ts';
import type { KubeClient } from '#client/client.ts';
import { isWithdrawing } from '../downsync/sync-context.ts';
import { type Claim, releaseClaim } from '../edge/edge-claim.ts';
import type { ClaimNotice } from './claim-notice.ts';

export interface WithdrawalOptions {
  readonly cell: () => Cell;
  /** All copies are known, and there is none. */
  readonly hasNoCopies: () => boolean;
  /** Something at the edge awaits a copy that will not come any more: it has yet to go. */
  readonly isAwaitingCopy: () => boolean;
  readonly notice: Pick<ClaimNotice, 'released'>;
}

/**
 * The end of a cell that is withdrawn: after its last copy the claim at the edge goes, and the edge is nobody's again. The Cell waits
 * for that, whoever holds it then.
 */
export class Withdrawal {
  readonly #on: WithdrawalOptions;
  #isReleased = false;

  constructor(options: WithdrawalOptions) {
    this.#on = options;
  }

  /** The last copy was withdrawn, and the claim is to go. */
  get isDue(): boolean {
    return !this.#isReleased && this.#isOver;
  }

  /** The claim is gone, or going: nothing is done at the edge any more. */
  get isDone(): boolean {
    return this.#isReleased && this.#isOver;
  }

  /** A copy came after the claim had gone: the edge has to be claimed again, for it may be there already. */
  get isUndone(): boolean {
    return this.#isReleased && !this.#isOver;
  }

  get #isOver(): boolean {
    return isWithdrawing(this.#on.cell()) && this.#on.hasNoCopies() && !this.#on.isAwaitingCopy();
  }

  /** The edge is being claimed. */
  begin(): void {
    this.#isReleased = false;
  }

  /**
   * Takes the claim away, unless it is another's, and says so on the Cell. Throws ApiError; then it is due again.
   * While it runs nobody may claim the edge.
   */
  async release(edgeClient: KubeClient, ours: Claim, signal: AbortSignal): Promise<void> {
    this.#isReleased = true;
    try {
      await releaseClaim(edgeClient, ours, signal);
      await this.#on.notice.released(signal);
    } catch (error) {
      this.#isReleased = false;
      throw error;
    }
  }
}
