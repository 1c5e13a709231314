import { levelFixture } from '../testing/fixtures.ts';
import { runStorageConformance } from '../testing/storage-conformance.ts';

runStorageConformance('level', levelFixture, { reopen: true });
