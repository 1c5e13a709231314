import { Random } from '../harness/random.ts';
import { describeBeside } from './describe-beside.ts';
import { countFrom } from './oracle-program.ts';
import { drawPolicy, makePolicies } from './policies.ts';
import { writesUnder, writtenPolicies } from './policy-cases.ts';
import { runCases } from './run-cases.ts';

describeBeside('admission policies as kube-apiserver has them', {
  tests: {
    'random policies when they are written': ({ pair, seed, report }) =>
      runCases(pair, writtenPolicies(new Random(seed + 1), countFrom(200)), report),

    'writes under random policies': async ({ pair, random, report }) => {
      const drawn = Array.from({ length: countFrom(200) }, (_, at) => drawPolicy(random, `p${at}`, 0));
      const standing = await makePolicies(pair, drawn);
      await runCases(pair, standing.map(writesUnder), report);
      return `${standing.length} policies`;
    },
  },
});
