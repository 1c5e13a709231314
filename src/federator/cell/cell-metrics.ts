import { conditionOf } from '#api/conditions.ts';
import type { Cell } from '#api/federation/cell.ts';
import { Histogram } from '#apimachinery/histogram.ts';
import type { MetricText } from '#client/metrics/metric-text.ts';
import { RequestMetrics } from '#client/metrics/request-metrics.ts';

/** What is counted of one cell while this federator holds it. */
export class CellMetrics {
  readonly edgeRequests = new RequestMetrics();
  /** From when a change was heard of to when the edge had it. */
  readonly delays = new Histogram();
  driftRepaired = 0;
  statusesWritten = 0;
}

/** What a cell is at now. */
export interface CellState {
  readonly cell: Cell;
  readonly objects: { readonly synced: number; readonly pending: number; readonly failed: number };
  readonly held: number;
  readonly lagMs: number;
  readonly queued: number;
  readonly isBreakerOpen: boolean;
  readonly edgeBytes: number;
  readonly edgeThrottledMs: number;
}

const reported = ['Reachable', 'Ready', 'Synced'] as const;

/** Series of a cell: a fixed number of them. */
export function writeCellMetrics(text: MetricText, metrics: CellMetrics, state: CellState): void {
  const cell = state.cell.metadata.name ?? '';
  const labels = { cell };
  for (const [name, count] of Object.entries(state.objects)) {
    text.gauge('cellplane_cell_objects', 'Copies of the cell, by what they are at.', count, {
      cell,
      state: name,
    });
  }
  for (const type of reported) {
    const { status = 'Unknown', reason = '' } = conditionOf(state.cell.status?.conditions, type) ?? {};
    text.gauge(
      'cellplane_cell_condition',
      'Conditions of the Cell: 1 True, 0 False, -1 Unknown; the reason says what ails it.',
      status === 'True' ? 1 : status === 'False' ? 0 : -1,
      { cell, condition: type, reason },
    );
  }
  text.gauge(
    'cellplane_cell_held_deletions',
    'Deletions at the edge that wait for a person.',
    state.held,
    labels,
  );
  text.gauge(
    'cellplane_cell_lag_seconds',
    'Age of the oldest change that the edge has not got.',
    state.lagMs / 1_000,
    labels,
  );
  text.gauge('cellplane_cell_queue_length', 'Objects that wait or are worked on.', state.queued, labels);
  text.gauge(
    'cellplane_cell_breaker_open',
    '1 while the edge does not answer and is asked by trials alone.',
    state.isBreakerOpen ? 1 : 0,
    labels,
  );
  text.counter(
    'cellplane_cell_drift_repaired_total',
    'Objects at the edge that were put right.',
    metrics.driftRepaired,
    labels,
  );
  text.counter(
    'cellplane_cell_statuses_written_total',
    'Statuses brought from the edge to copies.',
    metrics.statusesWritten,
    labels,
  );
  text.counter('cellplane_cell_edge_read_bytes_total', 'Bytes read from the edge.', state.edgeBytes, labels);
  text.counter(
    'cellplane_cell_edge_throttled_seconds_total',
    'How long answers and events of the edge have waited because it sends too much.',
    state.edgeThrottledMs / 1_000,
    labels,
  );
  text.histogram(
    'cellplane_cell_apply_delay_seconds',
    'From when a change was heard of to when the edge had it.',
    metrics.delays,
    labels,
  );
  metrics.edgeRequests.write(text, 'cellplane_cell_edge', "the cell's edge", labels);
}
