import type { Histogram } from '#apimachinery/histogram.ts';

export type MetricLabels = { readonly [name: string]: string };

interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly lines: string[];
}

/**
 * Samples collected for one answer in the Prometheus text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Those of one name stand together, in whatever order they
 * were told.
 */
export class MetricText {
  readonly #families: Map<string, Family>;
  readonly #labels: MetricLabels;

  constructor(labels: MetricLabels = {}, within?: MetricText) {
    this.#families = within === undefined ? new Map() : within.#families;
    this.#labels = within === undefined ? labels : { ...within.#labels, ...labels };
  }

  /** The same text, to which samples are added with these labels beside their own. */
  withLabels(labels: MetricLabels): MetricText {
    return new MetricText(labels, this);
  }

  gauge(name: string, help: string, value: number, labels: MetricLabels = {}): void {
    this.#family(name, 'gauge', help).lines.push(this.#line(name, labels, value));
  }

  counter(name: string, help: string, value: number, labels: MetricLabels = {}): void {
    this.#family(name, 'counter', help).lines.push(this.#line(name, labels, value));
  }

  histogram(name: string, help: string, histogram: Histogram, labels: MetricLabels = {}): void {
    const { lines } = this.#family(name, 'histogram', help);
    for (const [le, count] of histogram.cumulative()) {
      lines.push(this.#line(`${name}_bucket`, { ...labels, le }, count));
    }
    lines.push(this.#line(`${name}_sum`, labels, histogram.sum));
    lines.push(this.#line(`${name}_count`, labels, histogram.count));
  }

  toString(): string {
    const parts: string[] = [];
    for (const [name, { type, help, lines }] of this.#families) {
      const told = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
      parts.push(`# HELP ${name} ${told}`, `# TYPE ${name} ${type}`, ...lines);
    }
    return parts.length === 0 ? '' : `${parts.join('\n')}\n`;
  }

  #family(name: string, type: Family['type'], help: string): Family {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = { type, help, lines: [] };
      this.#families.set(name, family);
    }
    return family;
  }

  #line(name: string, labels: MetricLabels, value: number): string {
    const pairs = Object.entries({ ...this.#labels, ...labels }).map(
      ([key, text]) => `${key}="${escapeLabel(text)}"`,
    );
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
  }
}

/** A label's value as that format has it. */
export function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
