import { escapeLabel } from '#client/metrics/metric-text.ts';
import type { FlowClass } from './flow-configuration.ts';
import type { FlowLevels } from './flow-levels.ts';

export type RefusalReason = 'queue-full' | 'concurrency-limit' | 'time-out' | 'cancelled';

const waitBuckets = [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30] as const;
/** Schemas of the server's own configuration; more are counted under `other`. */
const schemasMax = 500;

export interface FlowCounts {
  readonly schema: string;
  readonly level: string;
  dispatched: number;
  executing: number;
  inQueue: number;
  readonly refused: Map<RefusalReason, number>;
  readonly waits: number[];
  waitSecondsSum: number;
}

/**
 * What flow control counts, under Kubernetes' names (`apiserver_flowcontrol_*`), by the server's own schemas and levels:
 * a workspace's own ones would be labels without bound.
 */
export class FlowMetrics {
  readonly #counts = new Map<string, FlowCounts>();
  readonly #byClass = new WeakMap<FlowClass, FlowCounts>();

  of(flowClass: FlowClass): FlowCounts {
    const known = this.#byClass.get(flowClass);
    if (known !== undefined) return known;
    const isOther = this.#counts.size >= schemasMax;
    const schema = isOther ? 'other' : flowClass.schema.name;
    const level = isOther ? 'other' : flowClass.level.name;
    const key = `${schema}/${level}`;
    let counts = this.#counts.get(key);
    if (counts === undefined) {
      const waits = new Array<number>(waitBuckets.length).fill(0);
      const refused = new Map<RefusalReason, number>();
      counts = { schema, level, dispatched: 0, executing: 0, inQueue: 0, refused, waits, waitSecondsSum: 0 };
      this.#counts.set(key, counts);
    }
    this.#byClass.set(flowClass, counts);
    return counts;
  }

  dispatched(flowClass: FlowClass, waitedMs: number): void {
    const counts = this.of(flowClass);
    counts.dispatched++;
    counts.executing++;
    if (waitedMs === 0) return;
    const seconds = waitedMs / 1_000;
    counts.waitSecondsSum += seconds;
    const bucket = waitBuckets.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) counts.waits[bucket]!++;
  }

  refused(flowClass: FlowClass, reason: RefusalReason): void {
    const { refused } = this.of(flowClass);
    refused.set(reason, (refused.get(reason) ?? 0) + 1);
  }

  /** Prometheus text exposition format 0.0.4. */
  render(levels: FlowLevels): string {
    const lines: string[] = [];
    const family = (
      name: string,
      type: string,
      rows: (add: (labels: string, value: number) => void) => void,
    ) => {
      lines.push(`# TYPE apiserver_flowcontrol_${name} ${type}`);
      rows((labels, value) => lines.push(`apiserver_flowcontrol_${name}{${labels}} ${value}`));
    };
    const all = [...this.#counts.values()];
    const simple = (name: string, type: string, value: (counts: FlowCounts) => number) =>
      family(name, type, (add) => {
        for (const counts of all) add(labelsOf(counts), value(counts));
      });
    simple('dispatched_requests_total', 'counter', ({ dispatched }) => dispatched);
    family('rejected_requests_total', 'counter', (add) => {
      for (const counts of all) {
        for (const [reason, count] of counts.refused) add(`${labelsOf(counts)},reason="${reason}"`, count);
      }
    });
    simple('current_inqueue_requests', 'gauge', ({ inQueue }) => inQueue);
    simple('current_executing_requests', 'gauge', ({ executing }) => executing);
    this.#renderWaits(lines, all);
    const seats = (name: string, value: (state: ReturnType<typeof levelsOf>[number]) => number) =>
      family(name, 'gauge', (add) => {
        for (const state of levelsOf(levels))
          add(`priority_level="${escapeLabel(state.settings.name)}"`, value(state));
      });
    seats('nominal_limit_seats', ({ nominalSeats }) => nominalSeats);
    seats('lower_limit_seats', ({ nominalSeats, lendableSeats }) => nominalSeats - lendableSeats);
    seats('upper_limit_seats', ({ nominalSeats, borrowableSeats }) => nominalSeats + borrowableSeats);
    seats('current_limit_seats', ({ limitSeats }) => limitSeats);
    seats('current_executing_seats', ({ node }) => node.executing);
    return `${lines.join('\n')}\n`;
  }

  #renderWaits(lines: string[], all: readonly FlowCounts[]): void {
    const name = 'apiserver_flowcontrol_request_wait_duration_seconds';
    lines.push(`# TYPE ${name} histogram`);
    for (const counts of all) {
      // Requests that were refused are not among them.
      const labels = `${labelsOf(counts)},execute="true"`;
      const waited = counts.waits.reduce((sum, count) => sum + count, 0);
      // Those that did not wait are in every bucket.
      let upTo = counts.dispatched - waited;
      lines.push(`${name}_bucket{${labels},le="0"} ${upTo}`);
      waitBuckets.forEach((bound, at) => {
        upTo += counts.waits[at] ?? 0;
        lines.push(`${name}_bucket{${labels},le="${bound}"} ${upTo}`);
      });
      lines.push(`${name}_bucket{${labels},le="+Inf"} ${counts.dispatched}`);
      lines.push(`${name}_sum{${labels}} ${counts.waitSecondsSum}`);
      lines.push(`${name}_count{${labels}} ${counts.dispatched}`);
    }
  }
}

function levelsOf(levels: FlowLevels) {
  return [...levels.all()];
}

function labelsOf({ schema, level }: FlowCounts): string {
  return `priority_level="${escapeLabel(level)}",flow_schema="${escapeLabel(schema)}"`;
}
