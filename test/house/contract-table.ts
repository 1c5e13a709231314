import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';

/** The cells of those rows of a document's tables whose first one is such an id. */
export function rowsOf(file: string, id: RegExp): string[][] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| |\s*\|$/g, '').trim()))
    .filter(([first = '']) => id.test(first));
}

/** The sections with the number of their rows, row for row. */
export function idsOf(sections: { readonly [section: string]: number }): string[] {
  return Object.entries(sections).flatMap(([section, rows]) =>
    Array.from({ length: rows }, (_, index) => `${section}${index + 1}`),
  );
}

const pathsIn = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, path]) => path ?? '');

/** Every row has sources that are there, and tests that name it. */
export function assertNamedByTests(rows: readonly (readonly string[])[]): void {
  for (const [id, , where, shown] of rows) {
    const sources = pathsIn(where);
    const tests = pathsIn(shown);
    assert.ok(sources.length > 0 && tests.length > 0, `${id} needs a source and a test`);
    for (const path of sources) assert.ok(existsSync(path), `${id}: there is no ${path}`);
    for (const path of tests) {
      assert.match(path, /\.(?:test|e2e)\.ts$/, `${id}: ${path} is no test`);
      assert.match(readFileSync(path, 'utf8'), new RegExp(`\\b${id}\\b`), `${path} does not name ${id}`);
    }
  }
}
