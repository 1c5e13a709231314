// Watches with random parameters while objects change, at a workspace beside a kube-apiserver (CONTRIBUTING.md): only where
// CELLPLANE_TEST_KUBE_APISERVER names one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { seedFrom } from '../harness/seed.ts';
import { countFrom, oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { Report } from './report.ts';
import { runWatches } from './run-watches.ts';
import { watches } from './watches.ts';

const binary = oracleProgram();
if (binary !== undefined) describeWatches(binary);

function describeWatches(file: string): void {
  describe('events as kube-apiserver tells them', { timeout: 1_800_000, skip: skipWithoutEtcd }, () => {
    let pair: Pair;
    before(async () => {
      pair = await Pair.start(file);
    });
    after(() => pair?.[Symbol.asyncDispose]());

    test('sequences of writes, seen by a watch that begins among them', async () => {
      const seed = seedFrom('CELLPLANE_ORACLE_SEED');
      const report = new Report();
      await runWatches(pair, watches(new Random(seed), countFrom(100)), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });
  });
}
