import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createMemoryStorage } from './memory/memory-storage.ts';
import { cacheOverLevelFixture, cacheOverMemoryFixture, levelFixture } from './testing/fixtures.ts';
import { runSteps, stepsArbitrary } from './testing/model-commands.ts';
import type { StorageFixtureFactory } from './testing/storage-fixture.ts';

function behavesAsModel(name: string, factory: StorageFixtureFactory, numRuns: number): void {
  it(`${name} answers and delivers as the reference model does`, async () => {
    await fc.assert(
      fc.asyncProperty(stepsArbitrary, async (steps) => {
        const fixture = await factory();
        const model = createMemoryStorage();
        try {
          const reopen = fixture.reopen?.bind(fixture);
          await runSteps({ model, store: fixture.storage, reopen, watches: [] }, steps);
        } finally {
          await model.close();
          await fixture.dispose();
        }
      }),
      { numRuns, endOnFailure: false },
    );
  });
}

describe('storage against its model', () => {
  behavesAsModel('cache over memory', cacheOverMemoryFixture, 150);
  behavesAsModel(
    'a cache with a ring of four events',
    () => cacheOverMemoryFixture({ ringEventsMax: 4 }),
    100,
  );
  behavesAsModel('level', levelFixture, 25);
  behavesAsModel('cache over level', cacheOverLevelFixture, 15);
});
