// Who may do what at a workspace beside a kube-apiserver, by roles and bindings drawn at random (CONTRIBUTING.md): only where
// CELLPLANE_TEST_KUBE_APISERVER names one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { seedFrom } from '../harness/seed.ts';
import { countFrom, onlyNamed, oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { Report } from './report.ts';
import { makeWorlds, type World, worldOf } from './rights.ts';
import { rightsCases } from './rights-questions.ts';
import { runCases } from './run-cases.ts';
import { signingRequests } from './signing-requests.ts';

const binary = oracleProgram();
if (binary !== undefined) describeRights(binary);

function describeRights(file: string): void {
  describe('rights as kube-apiserver decides on them', { timeout: 1_800_000, skip: skipWithoutEtcd }, () => {
    const seed = seedFrom('CELLPLANE_ORACLE_SEED');
    const random = new Random(seed);
    const worlds: readonly World[] = Array.from({ length: countFrom(40) }, (_, at) =>
      worldOf(random, `w${at}`),
    );
    let pair: Pair;
    before(async () => {
      pair = await Pair.start(file);
      await makeWorlds(pair, worlds);
    });
    after(() => pair?.[Symbol.asyncDispose]());

    test('random roles, bindings, requests and reviews', async () => {
      const report = new Report();
      const cases = worlds.flatMap((world) => rightsCases(random, world));
      await runCases(pair, onlyNamed(cases), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });

    test('requests for certificates, approvals and certificates', async () => {
      const report = new Report();
      const cases = signingRequests(new Random(seed), 4 * countFrom(40));
      await runCases(pair, onlyNamed(cases), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });
  });
}
