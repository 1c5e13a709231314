import { Histogram } from '#apimachinery/histogram.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';

/** Prometheus' own, in seconds. */
const durationBounds: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What was asked of kept answers about tokens, and of who gives them (apiserver/pkg/authentication/token/cache/stats.go). */
export class TokenCacheMetrics {
  readonly #requests = { hit: new Histogram(durationBounds), miss: new Histogram(durationBounds) };
  readonly #fetched = { ok: 0, error: 0 };
  readonly #active = { in_flight: 0, blocked: 0 };

  hit(): void {
    this.#requests.hit.observe(0);
  }

  /** A token of which nothing is known; `isAsked`: somebody else asks already, and this one waits for it. */
  async miss<T>(isAsked: boolean, fetched: Promise<T>): Promise<T> {
    const startedAtMs = performance.now();
    const state = isAsked ? 'blocked' : 'in_flight';
    this.#active[state]++;
    let result: 'ok' | 'error' = 'error';
    try {
      const answer = await fetched;
      result = 'ok';
      return answer;
    } finally {
      this.#active[state]--;
      if (!isAsked) this.#fetched[result]++;
      this.#requests.miss.observe((performance.now() - startedAtMs) / 1_000);
    }
  }

  render(text: MetricText): void {
    const prefix = 'authentication_token_cache';
    for (const [status, seconds] of Object.entries(this.#requests)) {
      if (seconds.count === 0) continue;
      text.counter(`${prefix}_request_total`, 'Tokens that were looked for.', seconds.count, { status });
      text.histogram(`${prefix}_request_duration_seconds`, 'How long that took.', seconds, { status });
    }
    for (const [status, count] of Object.entries(this.#fetched))
      if (count > 0) text.counter(`${prefix}_fetch_total`, 'Questions to the webhook.', count, { status });
    if (this.#requests.miss.count === 0) return;
    for (const [status, count] of Object.entries(this.#active))
      text.gauge(`${prefix}_active_fetch_count`, 'Requests that wait for its answers.', count, { status });
  }
}
