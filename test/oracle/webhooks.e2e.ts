import type { JsonObject } from '#apimachinery/json.ts';
import { casesAtATime } from './cases-at-a-time.ts';
import { describeBeside } from './describe-beside.ts';
import { differencesOf } from './differences.ts';
import { explained } from './known.ts';
import { Normaliser } from './normalise.ts';
import { countFrom } from './oracle-program.ts';
import { writesUnder } from './policy-cases.ts';
import { runCase } from './run-cases.ts';
import { WebhookServer } from './webhook-server.ts';
import { drawHooks, makeHooks } from './webhooks.ts';

// Admission webhooks drawn at random: what they are asked, and what becomes of their answers.
describeBeside('webhooks as kube-apiserver calls them', {
  tests: {
    'writes under random webhooks': async ({ pair, random, report }) => {
      await using hooks = await WebhookServer.start();
      const drawn = Array.from({ length: countFrom(120) }, (_, at) => drawHooks(random, `h${at}`));
      await makeHooks(pair, hooks, drawn);
      await casesAtATime(1, drawn, async ({ name }) => {
        const asked = { oracle: new Normaliser(), ours: new Normaliser() };
        await runCase(pair, writesUnder({ name }), report, (title, request) => {
          const reviewsOf = (side: 'oracle' | 'ours') => {
            const json = { reviews: hooks.take(side, name) } as JsonObject;
            return asked[side].answer({ status: 200, headers: {}, text: '', json });
          };
          const calls = { request, oracle: reviewsOf('oracle'), ours: reviewsOf('ours') };
          const { left } = explained(differencesOf(calls.oracle, calls.ours), calls);
          report.add(`${title}, asked`, calls, left);
        });
      });
    },
  },
});
