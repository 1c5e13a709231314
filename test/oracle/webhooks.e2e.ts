// Admission webhooks drawn at random at a workspace beside a kube-apiserver: what they are asked, and what becomes of their
// answers (CONTRIBUTING.md). Only where CELLPLANE_TEST_KUBE_APISERVER names one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { disposeAll } from '../harness/dispose-all.ts';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { seedFrom } from '../harness/seed.ts';
import { type Case, requestOf } from './case.ts';
import { differencesOf } from './differences.ts';
import { explained } from './known.ts';
import { Normaliser } from './normalise.ts';
import { countFrom, onlyNamed, oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { writesUnder } from './policy-cases.ts';
import { Report } from './report.ts';
import { WebhookServer } from './webhook-server.ts';
import { type DrawnHooks, drawHooks, makeHooks } from './webhooks.ts';

const binary = oracleProgram();
if (binary !== undefined) describeWebhooks(binary);

function describeWebhooks(file: string): void {
  describe('webhooks as kube-apiserver calls them', { timeout: 1_800_000, skip: skipWithoutEtcd }, () => {
    const seed = seedFrom('CELLPLANE_ORACLE_SEED');
    const random = new Random(seed);
    let pair: Pair;
    let hooks: WebhookServer;
    let drawn: readonly DrawnHooks[];
    before(async () => {
      [pair, hooks] = await Promise.all([Pair.start(file), WebhookServer.start()]);
      drawn = Array.from({ length: countFrom(120) }, (_, at) => drawHooks(random, `h${at}`));
      await makeHooks(pair, hooks, drawn);
    });
    after(() => disposeAll(pair, hooks));

    test('writes under random webhooks', async () => {
      const report = new Report();
      for (const { name } of onlyNamed(drawn)) await runCase(name, writesUnder({ name }), report);
      console.log(`CELLPLANE_ORACLE_SEED=${seed}: ${report.summary()}`);
      assert.equal(report.different, 0);
    });

    /** Each step's answers, and what the webhooks were asked for it. */
    async function runCase(name: string, { steps }: Case, report: Report): Promise<void> {
      const sides = [new Normaliser(), new Normaliser()] as const;
      const asked = [new Normaliser(), new Normaliser()] as const;
      for (const [at, step] of steps.entries()) {
        const request = requestOf(step, []);
        const { oracle, ours } = await pair.send(request);
        const answers = {
          request,
          earlier: [],
          oracle: sides[0].answer(oracle),
          ours: sides[1].answer(ours),
        };
        const title = `${name}, step ${at + 1}`;
        report.add(title, answers, explained(differencesOf(answers.oracle, answers.ours), answers).left);
        const reviews = (side: 0 | 1) => {
          const json = { reviews: hooks.take(side === 0 ? 'oracle' : 'ours', name) } as JsonObject;
          return asked[side].answer({ status: 200, headers: {}, text: '', json });
        };
        const calls = { request, earlier: [], oracle: reviews(0), ours: reviews(1) };
        report.add(`${title}, asked`, calls, explained(differencesOf(calls.oracle, calls.ours), calls).left);
      }
    }
  });
}
