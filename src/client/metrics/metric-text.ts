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
  /** `#labels` as they are told, with a comma behind each. */
  readonly #told: string;

  constructor(labels: MetricLabels = {}, within?: MetricText) {
    this.#families = within === undefined ? new Map() : within.#families;
    this.#labels = within === undefined ? labels : { ...within.#labels, ...labels };
    this.#told = toldLabels(this.#labels);
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
    const bucket = `${name}_bucket{${this.#pairs(labels)}le="`;
    for (const [le, count] of histogram.cumulative()) lines.push(`${bucket}${le}"} ${count}`);
    lines.push(this.#line(`${name}_sum`, labels, histogram.sum));
    lines.push(this.#line(`${name}_count`, labels, histogram.count));
  }

  /** The text, family by family: of many series it is long, and made in one stretch it would hold up everything else. */
  *parts(): Generator<string> {
    for (const [name, { type, help, lines }] of this.#families) {
      const told = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
      yield `# HELP ${name} ${told}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
    }
  }

  toString(): string {
    return [...this.parts()].join('');
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
    const pairs = this.#pairs(labels);
    return pairs === '' ? `${name} ${value}` : `${name}{${pairs.slice(0, -1)}} ${value}`;
  }

  /** With a comma behind each. */
  #pairs(labels: MetricLabels): string {
    for (const key in labels) if (key in this.#labels) return toldLabels({ ...this.#labels, ...labels });
    return this.#told + toldLabels(labels);
  }
}

function toldLabels(labels: MetricLabels): string {
  let told = '';
  for (const key in labels) told += `${key}="${escapeLabel(labels[key] ?? '')}",`;
  return told;
}

/** Labels as that format has them, between commas. */
export function labelPairs(labels: MetricLabels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',');
}

/** A label's value as that format has it. */
export function escapeLabel(value: string): string {
  if (!/[\\"\n]/.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
