// A child of run-seeds.ts: runs one seed after the other as they are sent, and answers with the outcomes.
import type { ServerPki } from '#apiserver/pki/pki.ts';
import { createTestPki } from '../harness/test-pki.ts';
import { simulate } from './simulate.ts';

/** Three of four have this length; of the others the signature's numbers are shorter by chance. */
const certificateLength = 603;
const triesMax = 100;

/** Answers hold the authority's certificate, and where a damaged one is cut hangs on its length: one for all runs of a seed. */
async function createEvenPki(): Promise<ServerPki> {
  for (let tries = 0; tries < triesMax; tries++) {
    const pki = await createTestPki();
    if (pki.ca.certificatePem.length === certificateLength) return pki;
  }
  throw new Error(`none of ${triesMax} authorities has a certificate of ${certificateLength} characters`);
}

const pki = await createEvenPki();
process.on('message', (seed: number) => {
  // What goes wrong outside of a run ends the process, and so the seed.
  void simulate({ seed, pki }).then((outcome) => process.send?.(outcome));
});
