// Watches with random parameters while objects change, at a workspace beside a kube-apiserver (CONTRIBUTING.md): only where
// CELLPLANE_TEST_KUBE_APISERVER names one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { seedFrom } from '../harness/seed.ts';
import { until } from '../harness/until.ts';
import { expiredReads, expiredStates } from './expired.ts';
import { countFrom, onlyNamed, oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { Report } from './report.ts';
import { runExpired } from './run-expired.ts';
import { runWatches } from './run-watches.ts';
import { watchedDefinition, watches } from './watches.ts';

const binary = oracleProgram();
if (binary !== undefined) describeWatches(binary);

async function define(pair: Pair): Promise<void> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await pair.send({ path, method: 'POST', body: JSON.stringify(watchedDefinition) });
  const collection = '/apis/watched.oracle.example.com/v1/watcheds';
  await until('both serve the kind', async () => {
    const { oracle, ours } = await pair.send({ path: collection });
    return oracle.status === 200 && ours.status === 200;
  });
}

function describeWatches(file: string): void {
  describe('events as kube-apiserver tells them', { timeout: 1_800_000, skip: skipWithoutEtcd }, () => {
    let pair: Pair;
    before(async () => {
      pair = await Pair.start(file);
      await define(pair);
    });
    after(() => pair?.[Symbol.asyncDispose]());

    test('sequences of writes, seen by a watch that begins among them', async () => {
      const seed = seedFrom('CELLPLANE_ORACLE_SEED');
      const report = new Report();
      await runWatches(pair, watches(new Random(seed), countFrom(100)), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });

    test('what begins at states that are forgotten', async () => {
      const seed = seedFrom('CELLPLANE_ORACLE_SEED');
      await using forgetful = await Pair.start(file, 'etcd');
      await define(forgetful);
      const remembered = await expiredStates(forgetful);
      const report = new Report();
      const cases = onlyNamed(expiredReads(new Random(seed), remembered, 4 * countFrom(100)));
      await runExpired(forgetful, remembered, cases, report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });
  });
}
