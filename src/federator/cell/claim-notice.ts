import { withCondition } from '#api/conditions.ts';
import { type Cell, cellsGvr } from '#api/federation/cell.ts';
import { claimCondition, isClaimed } from '#api/federation/cell-claim.ts';
import { cellsWorkspacePath } from '#api/federation/group.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { Clock } from '#apimachinery/clock.ts';
import { retry } from '#apimachinery/lifecycle.ts';
import { formatTime } from '#apimachinery/rfc3339.ts';
import type { KubeClient } from '#client/client.ts';

export interface ClaimNoticeOptions {
  readonly federationClient: KubeClient;
  /** As it was last seen. */
  readonly cell: () => Cell;
  readonly clock: Clock;
}

/** Others write the Cell's status as well: reports, a few in a second. */
const attemptsMax = 10;

/**
 * Says on the Cell whether its edge has our claim, before it has it and after it has none: a Cell that is withdrawn waits for
 * that, though the federator that made the claim be gone.
 */
export class ClaimNotice {
  readonly #options: ClaimNoticeOptions;
  /** What was last seen of the Cell may be from before that. */
  #hasReleased = false;

  constructor(options: ClaimNoticeOptions) {
    this.#options = options;
  }

  /** To be called before the claim is made. Throws ApiError. */
  async claiming(signal: AbortSignal): Promise<void> {
    if (isClaimed(this.#options.cell()) && !this.#hasReleased) return;
    await this.#tell(true, signal);
    this.#hasReleased = false;
  }

  /** To be called when there is no claim of ours any more. Throws ApiError. */
  released(signal: AbortSignal): Promise<void> {
    this.#hasReleased = true;
    return this.#tell(false, signal);
  }

  #tell(stands: boolean, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const retryable = (error: unknown) => isApiError(error, 'Conflict');
    return retry(() => this.#write(stands, signal), { retryable, attemptsMax, signal, clock });
  }

  async #write(stands: boolean, signal: AbortSignal): Promise<void> {
    const { federationClient, cell, clock } = this.#options;
    const { name = '', uid } = cell().metadata;
    const ref = { cluster: cellsWorkspacePath, gvr: cellsGvr, name };
    let present: Cell;
    try {
      present = (await federationClient.get(ref, { signal })) as Cell;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return;
      throw error;
    }
    const { resourceVersion } = present.metadata;
    const before = present.status?.conditions;
    const conditions = withCondition(before, claimCondition(stands), formatTime(clock.now()));
    // A Cell of the same name is another's business.
    if (present.metadata.uid !== uid || conditions === before) return;
    await federationClient.patch(
      ref,
      { type: 'merge', body: { metadata: { resourceVersion }, status: { conditions } } },
      { subresource: 'status', metadataOnly: true, unread: true, signal },
    );
  }
}
