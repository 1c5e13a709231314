import { Histogram } from '#apimachinery/histogram.ts';
import type { MetricText } from './metric-text.ts';

/** Upper ends of client-go's histograms of work queues, in seconds: ten, as multiplication makes them. */
const bounds = Array.from({ length: 9 }).reduce<number[]>((made) => [...made, made.at(-1)! * 10], [1e-8]);

/**
 * What is told of one queue: how often keys were added, how long they waited and how long the work on them took. Told by the
 * queue itself; each call costs a look at the clock.
 */
export class QueueFigures {
  readonly waitSeconds = new Histogram(bounds);
  readonly workSeconds = new Histogram(bounds);
  adds = 0;
  retries = 0;
  readonly #waitingSinceMs = new Map<string, number>();
  readonly #workingSinceMs = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get depth(): number {
    return this.#waitingSinceMs.size;
  }

  /** It waits from now on, unless it does already; one that is being worked on waits to be looked at again. */
  added(key: string): void {
    if (this.#waitingSinceMs.has(key)) return;
    this.adds++;
    this.#waitingSinceMs.set(key, this.#now());
  }

  taken(key: string): void {
    const nowMs = this.#now();
    this.waitSeconds.observe((nowMs - (this.#waitingSinceMs.get(key) ?? nowMs)) / 1_000);
    this.#waitingSinceMs.delete(key);
    this.#workingSinceMs.set(key, nowMs);
  }

  done(key: string): void {
    const sinceMs = this.#workingSinceMs.get(key);
    if (sinceMs === undefined) return;
    this.#workingSinceMs.delete(key);
    this.workSeconds.observe((this.#now() - sinceMs) / 1_000);
  }

  retried(): void {
    this.retries++;
  }

  /** What waited is dropped; what is being worked on ends by `done`. */
  closed(): void {
    this.#waitingSinceMs.clear();
  }

  /** Of the keys that are being worked on: seconds in all, and of the one that takes longest. */
  unfinished(): { readonly seconds: number; readonly longestSeconds: number } {
    const nowMs = this.#now();
    let seconds = 0;
    let longestSeconds = 0;
    for (const sinceMs of this.#workingSinceMs.values()) {
      const worked = (nowMs - sinceMs) / 1_000;
      seconds += worked;
      longestSeconds = Math.max(longestSeconds, worked);
    }
    return { seconds, longestSeconds };
  }
}

/** The queues of a process, by their controllers' names, under the names of k8s.io/component-base/metrics/prometheus/workqueue. */
export class WorkQueueMetrics {
  readonly #queues = new Map<string, QueueFigures>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The same one for a queue that is made anew, as at each term of a leader. */
  of(name: string): QueueFigures {
    let figures = this.#queues.get(name);
    if (figures === undefined) {
      figures = new QueueFigures(this.#now);
      this.#queues.set(name, figures);
    }
    return figures;
  }

  render(text: MetricText): void {
    for (const [name, figures] of this.#queues) {
      const { seconds, longestSeconds } = figures.unfinished();
      const of = { name };
      text.counter('workqueue_adds_total', 'Keys that were added.', figures.adds, of);
      text.counter('workqueue_retries_total', 'Keys that are looked at again.', figures.retries, of);
      text.gauge('workqueue_depth', 'Keys that wait.', figures.depth, of);
      text.gauge('workqueue_unfinished_work_seconds', 'Time spent on keys under way.', seconds, of);
      const longest = 'workqueue_longest_running_processor_seconds';
      text.gauge(longest, 'The same of the one that takes longest.', longestSeconds, of);
      const waited = 'workqueue_queue_duration_seconds';
      text.histogram(waited, 'How long keys waited.', figures.waitSeconds, of);
      const worked = 'workqueue_work_duration_seconds';
      text.histogram(worked, 'How long the work on a key took.', figures.workSeconds, of);
    }
  }
}
