import { afterEach, beforeEach, describe } from 'node:test';
import type { Storage } from '../storage.ts';
import { closing, compaction, reopening } from './conformance/lifetime.ts';
import { ranges } from './conformance/ranges.ts';
import { answersAfterEvents, watches } from './conformance/watches.ts';
import { writes } from './conformance/writes.ts';
import type { StorageFixture, StorageFixtureFactory } from './storage-fixture.ts';

export interface StorageSupports {
  /** Data is there again after close and open. */
  readonly reopen: boolean;
  /** Watchers have seen a write when its writer is answered. Default true; false where watches come another way. */
  readonly answersAfterEvents?: boolean | undefined;
  /** Values take as many bytes as they have. Default true; false where they are sealed. */
  readonly keepsSizes?: boolean | undefined;
}

/** Registers the tests that every Storage must pass, each on a store of its own. */
export function runStorageConformance(
  name: string,
  factory: StorageFixtureFactory,
  supports: StorageSupports,
): void {
  describe(`${name}: storage conformance`, () => {
    let fixture: StorageFixture;
    let storage: Storage;

    beforeEach(async () => {
      fixture = await factory();
      storage = fixture.storage;
    });
    afterEach(() => fixture.dispose());

    const keepsSizes = supports.keepsSizes ?? true;
    writes(() => storage, keepsSizes);
    ranges(() => storage, keepsSizes);
    watches(() => storage);
    if (supports.answersAfterEvents ?? true) answersAfterEvents(() => storage);
    compaction(() => storage);
    closing(() => storage);
    if (supports.reopen) reopening(() => fixture);
  });
}
