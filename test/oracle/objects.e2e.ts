// A workspace beside a kube-apiserver, which has to be built first (CONTRIBUTING.md): it runs only where
// CELLPLANE_TEST_KUBE_APISERVER names one. What differs and is not in docs/kubernetes-contract.md is a defect.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { seedFrom } from '../harness/seed.ts';
import { type Kinds, kindsOf } from './kinds.ts';
import { lifecycles } from './lifecycles.ts';
import { mutatedObjects, standingSamples } from './mutated-objects.ts';
import { countFrom, onlyNamed, oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { Report } from './report.ts';
import { runCases } from './run-cases.ts';
import { plainSamples } from './samples.ts';

/** For creation, for update and for status. */
const mutationsOfEach = 40;
const binary = oracleProgram();
if (binary !== undefined) describeObjects(binary);

function describeObjects(file: string): void {
  describe('objects as kube-apiserver has them', { timeout: 1_800_000, skip: skipWithoutEtcd }, () => {
    let pair: Pair;
    let kinds: Kinds;
    before(async () => {
      pair = await Pair.start(file);
      kinds = await kindsOf(pair);
    });
    after(() => pair?.[Symbol.asyncDispose]());

    test('each kind from its creation to its deletion', async () => {
      const report = new Report();
      await runCases(pair, onlyNamed(lifecycles(kinds)), report);
      console.log(report.summary());
      assert.equal(report.different, 0);
    });

    test('each kind with one field changed, and with two', async () => {
      const seed = seedFrom('CELLPLANE_ORACLE_SEED');
      const standing = await standingSamples(pair, kinds, plainSamples());
      const count = countFrom(mutationsOfEach);
      for (const fields of [1, 2]) {
        const report = new Report();
        await runCases(pair, onlyNamed(mutatedObjects(kinds, standing, { seed, count, fields })), report);
        console.log(`CELLPLANE_ORACLE_SEED=${seed}, ${fields} changed: ${report.summary()}`);
        assert.equal(report.different, 0);
      }
    });
  });
}
