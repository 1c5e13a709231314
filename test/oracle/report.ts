import { appendFileSync } from 'node:fs';
import type { JsonValue } from '#apimachinery/json.ts';
import { type Difference, groupOf } from './differences.ts';
import type { Exchange } from './known-difference.ts';

interface Example {
  readonly name: string;
  readonly difference: Difference;
}

/** Groups told, and examples of each: the rest is in the file that CELLPLANE_ORACLE_REPORT names. */
const groupsMax = 40;
const examplesMax = 3;
const valueCharactersMax = 400;

/** Counts what was compared and gathers what differed by the first path at which it did. */
export class Report {
  readonly #file = process.env['CELLPLANE_ORACLE_REPORT'];
  readonly #groups = new Map<string, Example[]>();
  #compared = 0;
  #different = 0;

  get different(): number {
    return this.#different;
  }

  add(name: string, exchange: Exchange, differences: readonly Difference[]): void {
    this.#compared++;
    const [first] = differences;
    if (first === undefined) return;
    this.#different++;
    const group = groupOf(first);
    const examples = this.#groups.get(group) ?? [];
    this.#groups.set(group, [...examples, { name, difference: first }]);
    if (this.#file !== undefined && this.#file !== '')
      appendFileSync(this.#file, `${JSON.stringify({ name, ...readable(exchange), differences })}\n`);
  }

  /** Largest groups first. */
  summary(): string {
    const groups = [...this.#groups].sort(([, a], [, b]) => b.length - a.length);
    const lines = [`${this.#compared} compared, ${this.#different} different`];
    for (const [group, examples] of groups.slice(0, groupsMax)) {
      lines.push(`${examples.length} × ${group}`);
      for (const { name, difference } of examples.slice(0, examplesMax))
        lines.push(
          `    ${name}`,
          `      oracle: ${shown(difference.oracle)}`,
          `      ours:   ${shown(difference.ours)}`,
        );
    }
    if (groups.length > groupsMax) lines.push(`… ${groups.length - groupsMax} more groups`);
    return lines.join('\n');
  }
}

function shown(value: JsonValue | undefined): string {
  return (JSON.stringify(value) ?? 'absent').slice(0, valueCharactersMax);
}

function readable({ request, oracle, ours }: Exchange) {
  const { method, path, body, contentType, headers } = request;
  const text = Buffer.isBuffer(body) ? body.toString('base64') : body;
  return { request: { method, path, contentType, headers, body: text }, oracle, ours };
}
