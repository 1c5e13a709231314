import type { Clock } from '#apimachinery/clock.ts';
import type { EdgeProblem } from '../edge/edge-problem.ts';

/** What a federator knows of a cell's edge. */
export interface CellHealth {
  readonly reachable: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  /** It answers, but refuses us: nothing can be synced. */
  readonly refused: boolean;
  readonly kubernetesVersion?: string | undefined;
  readonly probe?: { readonly atMs: number; readonly latencyMs: number } | undefined;
  /** Why the last look failed, even while that is not yet held against the edge. */
  readonly lastError?: string | undefined;
}

export interface HealthThresholds {
  readonly failures: number;
  readonly successes: number;
}

/** Turns single looks at an edge into its health: a state changes after so many looks in a row (`Cell.spec.healthCheck`). */
export class HealthMonitor {
  readonly #clock: Clock;
  readonly #thresholds: () => HealthThresholds;
  readonly #onChange: () => void;
  #health: CellHealth = {
    reachable: 'Unknown',
    reason: 'Starting',
    message: 'no answer from the edge yet',
    refused: false,
  };
  #failures = 0;
  #successes = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly thresholds: () => HealthThresholds;
    readonly onChange: () => void;
  }) {
    this.#clock = options.clock;
    this.#thresholds = options.thresholds;
    this.#onChange = options.onChange;
  }

  get health(): CellHealth {
    return this.#health;
  }

  /** The next look decides: it should not be waited for long. */
  get undecided(): boolean {
    const { reachable } = this.#health;
    return reachable !== 'True' || this.#failures > 0;
  }

  /** The edge answered and accepts us. `note`: what is wrong all the same. */
  succeeded(look: {
    readonly kubernetesVersion: string;
    readonly latencyMs: number;
    readonly note?: EdgeProblem | undefined;
  }): void {
    this.#failures = 0;
    this.#successes++;
    const { kubernetesVersion, latencyMs, note } = look;
    const seen = { kubernetesVersion, probe: { atMs: this.#clock.now(), latencyMs } };
    const { reachable } = this.#health;
    // The first answer of all counts at once: nothing can have flapped yet.
    if (reachable === 'False' && this.#successes < this.#thresholds().successes) {
      this.#set({ ...this.#health, ...seen, lastError: undefined });
      return;
    }
    this.#set({
      reachable: 'True',
      reason: note?.reason ?? 'Reachable',
      message: note?.message ?? 'the edge API server answers',
      refused: false,
      ...seen,
      lastError: note?.message,
    });
  }

  /** The edge did not answer, or refused us. */
  failed(problem: EdgeProblem): void {
    this.#successes = 0;
    this.#failures++;
    const { reason, message, reached } = problem;
    const { kubernetesVersion, probe } = this.#health;
    const patient =
      !reached &&
      this.#health.reachable === 'True' &&
      !this.#health.refused &&
      this.#failures < this.#thresholds().failures;
    if (patient) {
      this.#set({ ...this.#health, lastError: message });
      return;
    }
    this.#set({
      reachable: reached ? 'True' : 'False',
      reason,
      message,
      refused: reached,
      kubernetesVersion,
      probe,
      lastError: message,
    });
  }

  #set(health: CellHealth): void {
    this.#health = health;
    this.#onChange();
  }
}
