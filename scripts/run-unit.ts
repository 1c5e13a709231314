// All unit tests in one process: scripts/test.ts names the files.
import path from 'node:path';
import { pathToFileURL } from 'node:url';

// The runner says which error it was, and not where it came from; it fails for it in any case.
process.on('unhandledRejection', (error) => {
  console.error(error instanceof Error ? error.stack : error);
  process.exitCode = 1;
});

for (const file of (process.env['CELLPLANE_TEST_FILES'] ?? '').split('\n')) {
  if (file !== '') await import(pathToFileURL(path.resolve(file)).href);
}
