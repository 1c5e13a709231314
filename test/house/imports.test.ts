import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

/** DESIGN: which top folders each folder may import. `test` may import anything; nothing imports `cli` or `test`. */
const allowed: { readonly [folder: string]: readonly string[] } = {
  apimachinery: [],
  api: ['apimachinery'],
  storage: ['apimachinery'],
  client: ['api', 'apimachinery'],
  apiserver: ['storage', 'client', 'api', 'apimachinery'],
  scheduler: ['client', 'api', 'apimachinery'],
  federator: ['client', 'api', 'apimachinery'],
  cli: ['apiserver', 'scheduler', 'federator', 'client', 'storage', 'api', 'apimachinery'],
};

const importPattern =
  /(?:^|\n)\s*(?:import|export)\b[^;'"]*?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

async function sources(): Promise<string[]> {
  const entries = await readdir('src', { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map((entry) => path.join(entry.parentPath, entry.name));
}

test('imports point one way (ARCHITECTURE.md, Folders)', async () => {
  const files = await sources();
  const wrong: string[] = [];
  let imports = 0;
  for (const file of files) {
    const folder = file.split(path.sep)[1] ?? '';
    // Conformance suites are exported for tests and may use what tests use.
    if (file.includes(`${path.sep}testing${path.sep}`)) continue;
    assert.ok(allowed[folder] !== undefined, `${file} lies in no known folder`);
    for (const match of (await readFile(file, 'utf8')).matchAll(importPattern)) {
      const target = match[1] ?? match[2] ?? '';
      imports++;
      let top: string | undefined;
      if (target.startsWith('#')) top = target.slice(1).split('/')[0];
      else if (target.startsWith('.')) {
        const resolved = path.relative('src', path.resolve(path.dirname(file), target)).split(path.sep);
        top = resolved[0] === '..' ? 'outside src' : resolved[0];
        if (top !== folder) wrong.push(`${file}: relative import leaves its folder: ${target}`);
      }
      if (top !== undefined && top !== folder && !allowed[folder]?.includes(top))
        wrong.push(`${file} → ${target}`);
    }
  }
  assert.ok(
    files.length > 20 && imports > 40,
    `the test must see the code: ${files.length} files, ${imports} imports`,
  );
  assert.deepEqual(wrong, []);
});

test('no file imports another in a circle, types included', async () => {
  assert.deepEqual(circlesOf(new Map(Object.entries({ a: ['b'], b: ['c', 'd'], c: ['a'], d: [] }))), [
    ['a', 'b', 'c'],
  ]);
  const imports = new Map<string, string[]>();
  for (const file of await sources()) {
    const targets: string[] = [];
    for (const match of (await readFile(file, 'utf8')).matchAll(importPattern)) {
      const target = match[1] ?? match[2] ?? '';
      if (target.startsWith('#')) targets.push(path.join('src', target.slice(1)));
      else if (target.startsWith('.')) targets.push(path.join(path.dirname(file), target));
    }
    imports.set(file, targets);
  }
  assert.deepEqual(circlesOf(imports), []);
});

/** Sets of two and more that reach one another (Tarjan's strongly connected components), sorted. */
function circlesOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const path: string[] = [];
  const visit = (node: string): number => {
    const own = order.size;
    let low = own;
    order.set(node, own);
    path.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!edges.has(next)) continue;
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (path.includes(next)) low = Math.min(low, order.get(next) as number);
    }
    if (low === own) {
      const circle = path.splice(path.indexOf(node));
      if (circle.length > 1) found.push(circle.sort());
    }
    return low;
  };
  for (const node of edges.keys()) if (!order.has(node)) visit(node);
  return found.sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
}

test('no barrels, and every file is kebab-case', async () => {
  for (const file of await sources()) {
    const name = path.basename(file);
    assert.match(name, /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z]+)*\.ts$/, file);
    assert.notEqual(name, 'index.ts', file);
  }
});
