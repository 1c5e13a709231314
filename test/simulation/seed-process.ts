// A child of run-seeds.ts: is told seeds, answers with outcomes.
import { createTestPki } from '../harness/test-pki.ts';
import { simulate } from './simulate.ts';

const pki = await createTestPki();
process.on('message', ({ seed }: { seed: number }) => {
  void simulate({ seed, pki }).then((outcome) => process.send?.(outcome));
});
process.on('disconnect', () => process.exit(0));
