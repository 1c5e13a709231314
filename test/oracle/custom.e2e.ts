// Custom kinds drawn at random at a workspace beside a kube-apiserver (CONTRIBUTING.md): only where
// CELLPLANE_TEST_KUBE_APISERVER names one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { seedFrom } from '../harness/seed.ts';
import { customKinds, customObjects, definitions } from './custom.ts';
import { countFrom, oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { Report } from './report.ts';
import { runCases } from './run-cases.ts';

const kindsOfEach = 24;
const binary = oracleProgram();
if (binary !== undefined) describeCustom(binary);

function describeCustom(file: string): void {
  describe('custom resources as kube-apiserver has them', {
    timeout: 1_800_000,
    skip: skipWithoutEtcd,
  }, () => {
    const seed = seedFrom('CELLPLANE_ORACLE_SEED');
    let pair: Pair;
    before(async () => {
      pair = await Pair.start(file);
    });
    after(() => pair?.[Symbol.asyncDispose]());

    test('definitions', async () => {
      const report = new Report();
      await runCases(pair, definitions(seed, countFrom(200)), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });

    test('objects near to what their schemas ask for', async () => {
      const report = new Report();
      const kinds = await customKinds(pair, seed, kindsOfEach);
      console.log(`${kinds.length} of ${kindsOfEach} kinds are taken`);
      await runCases(pair, customObjects(kinds, new Random(seed), countFrom(300)), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });
  });
}
