// Deletions drawn at random at a workspace beside a kube-apiserver (CONTRIBUTING.md): only where
// CELLPLANE_TEST_KUBE_APISERVER names one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { seedFrom } from '../harness/seed.ts';
import { definitionCases } from './definitions.ts';
import { deletions } from './deletions.ts';
import { countFrom, onlyNamed, oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { Report } from './report.ts';
import { runCases } from './run-cases.ts';
import { runDefinitions } from './run-definitions.ts';

const binary = oracleProgram();
if (binary !== undefined) describeDeletions(binary);

function describeDeletions(file: string): void {
  describe('deletions as kube-apiserver has them', { timeout: 1_800_000, skip: skipWithoutEtcd }, () => {
    let pair: Pair;
    before(async () => {
      pair = await Pair.start(file);
    });
    after(() => pair?.[Symbol.asyncDispose]());

    test('options in random combination', async () => {
      const seed = seedFrom('CELLPLANE_ORACLE_SEED');
      const report = new Report();
      await runCases(pair, onlyNamed(deletions(new Random(seed), countFrom(400))), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });

    test('definitions that objects stand of, changed, deleted and made again', async () => {
      const seed = seedFrom('CELLPLANE_ORACLE_SEED');
      const report = new Report();
      await runDefinitions(pair, onlyNamed(definitionCases(new Random(seed), countFrom(100))), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });
  });
}
