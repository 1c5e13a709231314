// Discovery and OpenAPI of a workspace beside a kube-apiserver (CONTRIBUTING.md): only where
// CELLPLANE_TEST_KUBE_APISERVER names one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { seedFrom } from '../harness/seed.ts';
import { compareDocuments } from './compare-documents.ts';
import { customKinds } from './custom.ts';
import { countFrom, oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { publishKinds, withdrawKinds } from './published-kinds.ts';

const kindsDrawn = 12;
const binary = oracleProgram();
if (binary !== undefined) describeDocuments(binary);

function describeDocuments(file: string): void {
  describe('documents as kube-apiserver has them', { timeout: 1_800_000, skip: skipWithoutEtcd }, () => {
    let pair: Pair;
    before(async () => {
      pair = await Pair.start(file);
    });
    after(() => pair?.[Symbol.asyncDispose]());

    test('of built-in kinds', async () => {
      const report = await compareDocuments(pair);
      console.log(report.summary());
      assert.equal(report.different, 0);
    });

    test('of custom kinds, and when they are gone', async () => {
      await publishKinds(pair);
      const seed = seedFrom('CELLPLANE_ORACLE_SEED');
      await customKinds(pair, seed, countFrom(kindsDrawn));
      const report = await compareDocuments(pair);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
      await withdrawKinds(pair);
      const after = await compareDocuments(pair);
      console.log(after.summary());
      assert.equal(after.different, 0);
    });
  });
}
