import type { MetricLabels } from '#client/metrics/metric-text.ts';

/** Sets of labels of one metric; what comes beyond is told under the name `other`. */
const seriesMax = 300;

/** Values by labels of which some are tenants' own words: as many as are bounded, whatever tenants write. */
export class BoundedSeries<Value> {
  readonly #series = new Map<string, { readonly labels: MetricLabels; value: Value }>();
  readonly #names: readonly string[];
  readonly #make: () => Value;

  /** `names`: the labels that tenants give. */
  constructor(names: readonly string[], make: () => Value) {
    this.#names = names;
    this.#make = make;
  }

  /** Where the value of these labels is kept. */
  at(labels: MetricLabels): { value: Value } {
    const found = this.#series.get(keyOf(labels));
    if (found !== undefined) return found;
    const isFull = this.#series.size >= seriesMax;
    const told = isFull
      ? { ...labels, ...Object.fromEntries(this.#names.map((name) => [name, 'other'])) }
      : labels;
    const kept = this.#series.get(keyOf(told)) ?? { labels: told, value: this.#make() };
    this.#series.set(keyOf(told), kept);
    return kept;
  }

  *[Symbol.iterator](): Generator<readonly [MetricLabels, Value]> {
    for (const { labels, value } of this.#series.values()) yield [labels, value];
  }
}

function keyOf(labels: MetricLabels): string {
  return JSON.stringify(labels);
}
