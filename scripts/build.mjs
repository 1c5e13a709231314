// Bundles the CLI into dist/: one start costs one file to read, not hundreds. Fast enough to run before every start.
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: { cellplane: 'src/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
  // classic-level: binaries come inside the package. yaml: CommonJS, and imported only when needed.
  external: ['classic-level', 'yaml'],
  // CommonJS dependencies (express and its like) ask for `require` and `__dirname`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
