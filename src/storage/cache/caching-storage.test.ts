import { cacheOverLevelFixture, cacheOverMemoryFixture, cacheWithLevelFixture } from '../testing/fixtures.ts';
import { runStorageConformance } from '../testing/storage-conformance.ts';

runStorageConformance('cache over memory', cacheOverMemoryFixture, { reopen: false });
runStorageConformance('cache over level', cacheWithLevelFixture, { reopen: true });
// A ring of three events sends nearly every look into the past to the inner store.
runStorageConformance('small cache over level', () => cacheOverLevelFixture({ ringEventsMax: 3 }), {
  reopen: true,
});
