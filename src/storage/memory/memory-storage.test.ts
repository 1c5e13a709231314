import { memoryFixture } from '../testing/fixtures.ts';
import { runStorageConformance } from '../testing/storage-conformance.ts';

runStorageConformance('memory', memoryFixture, { reopen: false });
