// The figures of docs/limits.md are those of the code.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

/** By a constant's name: how much one of it is in the document's units. */
const units: { readonly [unit: string]: number } = {
  ...{ KiB: 1024, MiB: 1024 * 1024, s: 1_000, ms: 1 },
  ...{ bytes: 1, characters: 1, levels: 1, steps: 1 },
};

/** `3 MiB`, `34 s`, `10,000,000 steps`, `250`; undefined for anything else. */
function figureOf(told: string): number | undefined {
  const [, digits, unit] = /^([\d,]+)(?: (\w+))?$/.exec(told) ?? [];
  const one = unit === undefined ? 1 : units[unit];
  return digits === undefined || one === undefined ? undefined : Number(digits.replaceAll(',', '')) * one;
}

/** The product that stands behind `name =` or `name:`. */
function constantOf(source: string, name: string): number | undefined {
  const [, product] =
    new RegExp(`^(?:export const |const |  )${name}(?: =|:) ([\\d_]+(?: \\* [\\d_]+)*)[;,]$`, 'm').exec(
      source,
    ) ?? [];
  return product?.split(' * ').reduce((so, factor) => so * Number(factor.replaceAll('_', '')), 1);
}

const rows = readFileSync('docs/limits.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| what |'))
  .map((line) => line.slice(2, -2).split(' | '));

test('every limit is that of the code', () => {
  assert.ok(rows.length > 50);
  for (const row of rows) {
    const [what = '', told = ''] = row;
    const [, path = '', name = ''] = /^`([^`]+)` (\w+)$/.exec(row.at(-1) ?? '') ?? [];
    assert.ok(name !== '', `${what}: names no constant`);
    const figure = figureOf(told);
    assert.ok(figure !== undefined, `${what}: ${told} is no figure`);
    assert.equal(constantOf(readFileSync(path, 'utf8'), name), figure, `${what}: ${told}, ${path} ${name}`);
  }
});
