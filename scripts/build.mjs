// Bundles the CLI into dist/: one start costs one file to read, not hundreds. Fast enough to run before every start.
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';

// Made aside and moved into place, so that whoever starts the program meanwhile finds a whole one.
const aside = `dist.${process.pid}.partial`;
const old = `dist.${process.pid}.old`;
await build({
  entryPoints: { cellplane: 'src/cli/main.ts' },
  outdir: aside,
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
  // classic-level: binaries come inside the package. yaml, bullmq, ioredis: CommonJS, and imported only when needed.
  external: ['classic-level', 'yaml', 'bullmq', 'ioredis'],
  // CommonJS dependencies (express and its like) ask for `require` and `__dirname`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
await escapeNonAscii(aside);
await rename('dist', old).catch(ignoreMissing);
await rename(aside, 'dist');
await rm(old, { recursive: true, force: true });

function ignoreMissing(error) {
  if (error.code !== 'ENOENT') throw error;
}

/**
 * One character beyond Latin-1 makes V8 keep a whole source at two bytes a character. esbuild leaves such in comments and regular
 * expressions, which mean the same with the escape, and in templates whose raw text is read, which would not.
 */
async function escapeNonAscii(folder) {
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.js')) continue;
    const file = path.join(folder, name);
    const text = await readFile(file, 'utf8');
    const raw = /\braw`[^`]*[^\0-\x7f]/.exec(text);
    if (raw !== null) throw new Error(`${name}: the raw text ${raw[0]} cannot be escaped`);
    const ascii = text.replace(
      /[^\0-\x7f]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    if (ascii !== text) await writeFile(file, ascii);
  }
}
