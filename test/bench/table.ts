/** One measured figure. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the figure was taken with, or what it is to be compared to. */
  readonly note?: string;
}

export function row(name: string, value: number, unit: string, note?: string): Row {
  const result: Row = { name, value, unit, ...(note === undefined ? {} : { note }) };
  process.stdout.write(`${formatRow(result)}\n`);
  return result;
}

function formatRow({ name, value, unit, note }: Row): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${name.padEnd(52)} ${value.toFixed(digits).padStart(12)} ${unit.padEnd(10)} ${note ?? ''}`.trimEnd();
}

export function percentile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}
