// CEL expressions drawn from a grammar, at a workspace beside a kube-apiserver (CONTRIBUTING.md): only where
// CELLPLANE_TEST_KUBE_APISERVER names one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { seedFrom } from '../harness/seed.ts';
import {
  kindsWithRules,
  objectsUnder,
  openKind,
  ruledObjects,
  tellingPolicies,
  writtenRules,
} from './expressions.ts';
import { countFrom, onlyNamed, oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { makePolicies } from './policies.ts';
import { Report } from './report.ts';
import { runCases } from './run-cases.ts';

const binary = oracleProgram();
if (binary !== undefined) describeExpressions(binary);

function describeExpressions(file: string): void {
  describe('CEL expressions as kube-apiserver has them', {
    timeout: 1_800_000,
    skip: skipWithoutEtcd,
  }, () => {
    const seed = seedFrom('CELLPLANE_ORACLE_SEED');
    let pair: Pair;
    before(async () => {
      pair = await Pair.start(file);
    });
    after(() => pair?.[Symbol.asyncDispose]());

    test('rules of custom kinds when they are written', async () => {
      const report = new Report();
      await runCases(pair, onlyNamed(writtenRules(new Random(seed), countFrom(1000))), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });

    test('rules of custom kinds over objects', async () => {
      const report = new Report();
      const random = new Random(seed + 1);
      const plurals = await kindsWithRules(pair, random, Math.ceil(countFrom(1000) / 50));
      await runCases(pair, onlyNamed(ruledObjects(plurals, random)), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${plurals.length} kinds, ${report.summary()}`);
      assert.equal(report.different, 0);
    });

    test('expressions of policies', async () => {
      const report = new Report();
      const random = new Random(seed + 2);
      await openKind(pair);
      const standing = await makePolicies(pair, tellingPolicies(random, Math.ceil(countFrom(1000) / 3)));
      await runCases(pair, onlyNamed(standing.map((one) => objectsUnder(one, random))), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${standing.length} policies, ${report.summary()}`);
      assert.equal(report.different, 0);
    });
  });
}
