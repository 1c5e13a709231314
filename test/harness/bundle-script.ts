import { symlink } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * Bundles a script that is started again and again into `folder`, since loading it from its sources takes most of a
 * second. Returns what node is to run.
 */
export async function bundleScript(script: URL, folder: string): Promise<string> {
  const outfile = path.join(folder, `${path.basename(script.pathname, '.ts')}.mjs`);
  await build({
    entryPoints: [fileURLToPath(script)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  await symlink(path.resolve('node_modules'), path.join(folder, 'node_modules')).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
  return outfile;
}
