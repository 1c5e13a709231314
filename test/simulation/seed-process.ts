// A child of run-seeds.ts: runs each seed that it is sent, and answers with the outcome.
import { createTestPki } from '../harness/test-pki.ts';
import { simulate } from './simulate.ts';

const pki = await createTestPki();
process.on('message', (seed: number) => {
  // What goes wrong outside of a run ends the process, and so the seed.
  void simulate({ seed, pki }).then((outcome) => process.send?.(outcome));
});
