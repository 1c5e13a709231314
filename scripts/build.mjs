// Bundles the CLI into dist/: one start costs one file to read, not hundreds. Fast enough to run before every start.
import { rename, rm } from 'node:fs/promises';
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
await rename('dist', old).catch(ignoreMissing);
await rename(aside, 'dist');
await rm(old, { recursive: true, force: true });

function ignoreMissing(error) {
  if (error.code !== 'ENOENT') throw error;
}
