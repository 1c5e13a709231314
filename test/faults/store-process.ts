/**
 * A process that opens an embedded store and writes it until it is ended: `store-process <options as JSON>`. Prints one
 * JSON a line: `ready`, what it was told of each write, what its watch told; in the end `closed`, or why the store could
 * not be opened or used.
 */
import { openWithCache } from '#storage/cache/caching-storage.ts';
import { isStorageError } from '#storage/errors.ts';
import { createClassicLevel } from '#storage/level/database.ts';
import { openLevelStorage } from '#storage/level/level-storage.ts';
import type { TakeAll } from '#storage/storage.ts';
import { writeLine } from '#storage/testing/write-line.ts';
import { runLoad, type Written } from './store-load.ts';

export interface StoreProcessOptions {
  readonly directory: string;
  readonly seed: number;
  readonly session: string;
  readonly writers: number;
  readonly sync: boolean;
  readonly syncNames: boolean;
  readonly valueBytesMax: number;
  readonly historyRevisionsMax: number;
  readonly isCached: boolean;
}

export type StoreProcessLine =
  | { readonly type: 'ready' }
  | { readonly type: 'acknowledged'; readonly written: Written; readonly revision: number }
  | { readonly type: 'unknown' | 'refused'; readonly written: Written }
  | { readonly type: 'seen'; readonly revision: number }
  | { readonly type: 'closed' }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };

function say(line: StoreProcessLine): void {
  writeLine(`${JSON.stringify(line)}`);
}

async function main(): Promise<void> {
  const options = JSON.parse(process.argv[2] ?? '') as StoreProcessOptions;
  const stopping = new AbortController();
  process.on('SIGTERM', () => stopping.abort());
  const open = (takeAll?: TakeAll) =>
    openLevelStorage({
      directory: options.directory,
      historyRevisionsMax: options.historyRevisionsMax,
      compactIntervalMs: 25,
      sync: options.sync,
      createDatabase: (location) => createClassicLevel(location, { syncNames: options.syncNames }),
      takeAll,
    });
  const storage = options.isCached ? await openWithCache(open) : await open();
  say({ type: 'ready' });
  try {
    await runLoad({
      storage,
      seed: options.seed,
      writers: options.writers,
      session: options.session,
      valueBytesMax: options.valueBytesMax,
      signal: stopping.signal,
      report: {
        acknowledged: (written, revision) => say({ type: 'acknowledged', written, revision }),
        unknown: (written) => say({ type: 'unknown', written }),
        refused: (written) => say({ type: 'refused', written }),
        seen: (revision) => say({ type: 'seen', revision }),
      },
    });
  } finally {
    await storage.close();
  }
  say({ type: 'closed' });
}

await main().catch((error: unknown) => {
  const code = isStorageError(error) ? error.code : 'none';
  say({
    type: 'failed',
    code,
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
  process.exitCode = 3;
});
