// Admission policies drawn at random at a workspace beside a kube-apiserver (CONTRIBUTING.md): only where
// CELLPLANE_TEST_KUBE_APISERVER names one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { seedFrom } from '../harness/seed.ts';
import { countFrom, onlyNamed, oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { type DrawnPolicy, drawPolicy, makePolicies } from './policies.ts';
import { writesUnder, writtenPolicies } from './policy-cases.ts';
import { Report } from './report.ts';
import { runCases } from './run-cases.ts';

const binary = oracleProgram();
if (binary !== undefined) describePolicies(binary);

function describePolicies(file: string): void {
  describe('admission policies as kube-apiserver has them', {
    timeout: 1_800_000,
    skip: skipWithoutEtcd,
  }, () => {
    const seed = seedFrom('CELLPLANE_ORACLE_SEED');
    const random = new Random(seed);
    let pair: Pair;
    let standing: readonly DrawnPolicy[];
    before(async () => {
      pair = await Pair.start(file);
      const drawn = Array.from({ length: countFrom(200) }, (_, at) => drawPolicy(random, `p${at}`, 0));
      standing = await makePolicies(pair, drawn);
    });
    after(() => pair?.[Symbol.asyncDispose]());

    test('random policies when they are written', async () => {
      const report = new Report();
      await runCases(pair, onlyNamed(writtenPolicies(random, countFrom(200))), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });

    test('writes under random policies', async () => {
      const report = new Report();
      await runCases(pair, onlyNamed(standing.map(writesUnder)), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${standing.length} policies, ${report.summary()}`);
      assert.equal(report.different, 0);
    });
  });
}
