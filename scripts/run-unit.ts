// All unit tests in one process: scripts/test.ts names the files.
import path from 'node:path';
import { pathToFileURL } from 'node:url';

for (const file of (process.env['CELLPLANE_TEST_FILES'] ?? '').split('\n')) {
  if (file !== '') await import(pathToFileURL(path.resolve(file)).href);
}
