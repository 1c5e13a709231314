// The end-to-end suites, bundled together: each is a process of its own, and loading one from its hundreds of sources takes
// several times as long as from its bundle (docs/decisions/0190).
import { rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { preloaded, root } from './run-suite.ts';

export interface BundledSuites {
  /** What node is to run for a source, relative to the root. */
  fileOf(source: string): string;
  /** What it is to be started with then. */
  readonly nodeOptions: readonly string[];
}

/** The sources, relative to the root, and what they share. In a folder of this run's own below dist/, removed at its end. */
export async function bundleSuites(sources: readonly string[]): Promise<BundledSuites> {
  const folder = path.join('dist', `suites-${process.pid}`);
  process.once('exit', () => rmSync(path.join(root, folder), { recursive: true, force: true }));
  await build({
    absWorkingDir: root,
    entryPoints: [...sources, ...preloaded],
    outdir: folder,
    outbase: '.',
    bundle: true,
    splitting: true,
    sourcemap: true,
    sourcesContent: false,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
    plugins: [sourcesWhereTheyStand],
  });
  const fileOf = (source: string) => path.join(folder, source.replace(/\.ts$/, '.js'));
  const imports = preloaded.flatMap((file) => ['--import', `./${fileOf(file)}`]);
  return {
    fileOf,
    nodeOptions: ['--enable-source-maps', ...imports],
  };
}

/** What a source finds beside itself (`import.meta.url`) it finds there from its bundle too. */
const sourcesWhereTheyStand: Plugin = {
  name: 'sources where they stand',
  setup(build) {
    build.onLoad({ filter: /\/(src|test)\/.*\.ts$/ }, async ({ path: file }) => {
      const text = await readFile(file, 'utf8');
      const contents = text
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(file).href))
        .replaceAll('import.meta.filename', JSON.stringify(file))
        .replaceAll('import.meta.dirname', JSON.stringify(path.dirname(file)));
      return { contents, loader: 'ts' };
    });
  },
};
