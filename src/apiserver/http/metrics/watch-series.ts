import { labelPairs } from '#client/metrics/metric-text.ts';
import type { RequestLabels } from './request-series.ts';

/** The watches of one set of labels: how many are open, and what was sent over them. */
export class WatchSeries {
  readonly labels: RequestLabels;
  open = 0;
  events = 0;

  constructor(labels: RequestLabels) {
    this.labels = labels;
  }

  renderOpen(lines: string[]): void {
    const { component, group, resource, scope, subresource, verb, version } = this.labels;
    const text = labelPairs({ component, group, resource, scope, subresource, verb, version });
    lines.push(`apiserver_longrunning_requests{${text}} ${this.open}`);
  }
}

/** Events by kind, over all scopes. */
export function watchEvents(series: Iterable<WatchSeries>): string[] {
  const totals = new Map<string, number>();
  for (const { labels, events } of series) {
    const { group, resource, version } = labels;
    const text = labelPairs({ group, resource, version });
    totals.set(text, (totals.get(text) ?? 0) + events);
  }
  return [...totals].map(([text, total]) => `apiserver_watch_events_total{${text}} ${total}`);
}
