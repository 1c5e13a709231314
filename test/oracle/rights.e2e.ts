import { describeBeside } from './describe-beside.ts';
import { countFrom } from './oracle-program.ts';
import { makeWorlds, worldOf } from './rights.ts';
import { rightsCases } from './rights-questions.ts';
import { runCases } from './run-cases.ts';
import { signingRequests } from './signing-requests.ts';

// Who may do what, by roles and bindings drawn at random.
describeBeside('rights as kube-apiserver decides on them', {
  tests: {
    'random roles, bindings, requests and reviews': async ({ pair, random, report }) => {
      const worlds = Array.from({ length: countFrom(40) }, (_, at) => worldOf(random, `w${at}`));
      await makeWorlds(pair, worlds);
      const cases = worlds.flatMap((world) => rightsCases(random, world));
      await runCases(pair, cases, report);
    },

    'requests for certificates, approvals and certificates': ({ pair, random, report }) =>
      runCases(pair, signingRequests(random, 4 * countFrom(40)), report),
  },
});
