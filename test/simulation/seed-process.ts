// A child of run-seeds.ts: runs the seed of its argument and answers with the outcome.
import { createTestPki } from '../harness/test-pki.ts';
import { simulate } from './simulate.ts';

const outcome = await simulate({ seed: Number(process.argv[2]), pki: await createTestPki() });
process.send?.(outcome, () => process.disconnect());
