// Who owns which fields after writes by several managers, at a workspace beside a kube-apiserver (CONTRIBUTING.md): only where
// CELLPLANE_TEST_KUBE_APISERVER names one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { seedFrom } from '../harness/seed.ts';
import { appliedKinds, applies } from './applies.ts';
import { kindsOf } from './kinds.ts';
import { countFrom, onlyNamed, oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { Report } from './report.ts';
import { rowsOfWrites } from './rows-of-writes.ts';
import { runCases } from './run-cases.ts';

/** Of 150 cases; more of them, more rows. */
const casesToARow = 50;
const binary = oracleProgram();
if (binary !== undefined) describeApplies(binary);

function describeApplies(file: string): void {
  describe('ownership as kube-apiserver tells it', { timeout: 1_800_000, skip: skipWithoutEtcd }, () => {
    let pair: Pair;
    before(async () => {
      pair = await Pair.start(file);
      await appliedKinds(pair);
    });
    after(() => pair?.[Symbol.asyncDispose]());

    test('random writes by several managers', async () => {
      const seed = seedFrom('CELLPLANE_ORACLE_SEED');
      const report = new Report();
      await runCases(pair, onlyNamed(applies(new Random(seed), countFrom(150))), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });

    test('each built-in kind, three writes in a row', async () => {
      const seed = seedFrom('CELLPLANE_ORACLE_SEED');
      const report = new Report();
      const count = Math.ceil(countFrom(150) / casesToARow);
      await runCases(pair, onlyNamed(rowsOfWrites(await kindsOf(pair), { seed, count })), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });
  });
}
