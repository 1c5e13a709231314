import { isApiError } from '#apimachinery/api-error.ts';
import { Histogram } from '#apimachinery/histogram.ts';
import type { MetricLabels, MetricText } from './metric-text.ts';

/** `unanswered`: no answer came, or none in time; `refused`: the server answered with an error. */
export type RequestOutcome = 'ok' | 'refused' | 'unanswered';

/** Counts requests to one API server and how long they took. */
export class RequestMetrics {
  readonly #outcomes: { [outcome in RequestOutcome]: number } = { ok: 0, refused: 0, unanswered: 0 };
  readonly #durations = new Histogram();

  observe(outcome: RequestOutcome, seconds: number): void {
    this.#outcomes[outcome]++;
    this.#durations.observe(seconds);
  }

  /** Writes `<prefix>_requests_total` by outcome and `<prefix>_request_duration_seconds`. */
  write(text: MetricText, prefix: string, what: string, labels: MetricLabels = {}): void {
    for (const [outcome, count] of Object.entries(this.#outcomes)) {
      text.counter(`${prefix}_requests_total`, `Requests to ${what}, by what came of them.`, count, {
        ...labels,
        outcome,
      });
    }
    text.histogram(
      `${prefix}_request_duration_seconds`,
      `How long requests to ${what} took, watches left out.`,
      this.#durations,
      labels,
    );
  }
}

export function outcomeOf(error: unknown): RequestOutcome {
  const isUnanswered = isApiError(error, 'Timeout', 'ServiceUnavailable') && error.cause !== undefined;
  return isUnanswered || !isApiError(error) ? 'unanswered' : 'refused';
}
