// What the documents name is there, and every document is found from the README.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const folders = ['bin', 'deploy', 'docs', 'examples', 'scripts', 'src', 'test'];
const files = [
  ...readdirSync('.').filter((file) => file.endsWith('.md')),
  ...folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => !file.split(path.sep).includes('node_modules') && /\.(?:md|ts|mjs)$/.test(file))
      .map((file) => path.join(folder, file)),
  ),
];
const documents = files.filter((file) => file.endsWith('.md'));
const textOf = (file: string): string => readFileSync(file, 'utf8');

/** What stands in code blocks and code spans is no link. */
const proseOf = (file: string): string =>
  textOf(file)
    .replace(/^```.*?^```/gms, '')
    .replace(/`[^`\n]*`/g, '');

/** The anchors that a forge makes of headings. */
const anchorsOf = (file: string): string[] =>
  [...textOf(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

function linksOf(file: string): { readonly target: string; readonly anchor: string | undefined }[] {
  return [...proseOf(file).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !link.includes('://'))
    .map((link) => {
      const [name = '', anchor] = link.split('#');
      return { target: name === '' ? file : path.normalize(path.join(path.dirname(file), name)), anchor };
    });
}

test('every link of a document leads somewhere', () => {
  const broken = documents.flatMap((file) =>
    linksOf(file)
      .filter(
        ({ target, anchor }) =>
          !existsSync(target) || (anchor !== undefined && !anchorsOf(target).includes(anchor)),
      )
      .map(({ target, anchor }) => `${file}: ${target}${anchor === undefined ? '' : `#${anchor}`}`),
  );
  assert.ok(documents.length > 10);
  assert.deepEqual(broken, []);
});

test('every file of code that a document names is there, by its path or the end of it', () => {
  const known = files.map((file) => `/${file.split(path.sep).join('/')}`);
  const named = documents.flatMap((file) =>
    [...textOf(file).matchAll(/`([a-z0-9-]+(?:\/[a-z0-9.-]+)*\.(?:ts|mjs))`/g)].map(([, name = '']) => ({
      file,
      name,
    })),
  );
  const lost = named.filter(({ name }) => !known.some((one) => one.endsWith(`/${name}`)));
  assert.ok(named.length > 500);
  assert.deepEqual(
    lost.map(({ file, name }) => `${file}: ${name}`),
    [],
  );
});

test('every document is found from the README', () => {
  const found = new Set<string>();
  const waiting = ['README.md'];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    waiting.push(...linksOf(file).flatMap(({ target }) => (target.endsWith('.md') ? [target] : [])));
  }
  const isApart = (file: string) => file.startsWith('test/') || /^docs\/decisions\/\d/.test(file);
  const lost = documents.filter((file) => !isApart(file) && !found.has(file));
  assert.deepEqual(lost, []);
});

test('decisions have numbers of their own, and the index has their titles', () => {
  const titles = new Map<string, string>();
  for (const file of files.filter((name) => /^docs\/decisions\/\d/.test(name))) {
    const name = path.basename(file);
    const number = Number(name.slice(0, 4));
    const [, told, title = ''] = /^# (\d+)[.:] (.+)$/m.exec(textOf(file)) ?? [];
    assert.equal(Number(told), number, `${file} begins with another number`);
    const link = `${number}](`;
    assert.ok(![...titles.keys()].some((other) => other.startsWith(link)), `two decisions are ${number}`);
    titles.set(`${link}${name})`, title.toLowerCase());
  }
  assert.ok(titles.size > 70);
  // One that has just been made may not be in it yet.
  const lines = [...textOf('docs/decisions/README.md').matchAll(/^- \[(\d+\]\([^)]+\)): (.+)$/gm)];
  assert.ok(lines.length > 70);
  for (const [line, link = '', title = ''] of lines)
    assert.equal(title.toLowerCase(), titles.get(link), line);
});

test('decisions that code and documents cite are there', () => {
  const numbers = new Set(
    files
      .filter((file) => /^docs\/decisions\/\d/.test(file))
      .map((file) => Number(path.basename(file).slice(0, 4))),
  );
  const absent = files.flatMap((file) =>
    [...textOf(file).matchAll(/\bdecision (\d+)\b/g)]
      .filter(([, number]) => !numbers.has(Number(number)))
      .map(([words]) => `${file}: ${words}`),
  );
  assert.deepEqual(absent, []);
});

test('a table of a document has its rows in one piece', () => {
  // After an empty line a row without the line of dashes below it is no table, and shown as text.
  const torn = documents.flatMap((file) =>
    [...textOf(file).matchAll(/\n\n(\|[^\n]*\|)\n(?!\|[ :|-]+\|\n)/g)].map(([, row]) => `${file}: ${row}`),
  );
  assert.deepEqual(torn, []);
});
