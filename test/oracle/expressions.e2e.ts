import { Random } from '../harness/random.ts';
import { changedObjects, objectsBeforeRules } from './changed-objects.ts';
import { describeBeside } from './describe-beside.ts';
import {
  kindsWithRules,
  objectsUnder,
  openKind,
  ruledObjects,
  tellingPolicies,
  writtenRules,
} from './expressions.ts';
import { countFrom } from './oracle-program.ts';
import { makePolicies } from './policies.ts';
import { runCases } from './run-cases.ts';
import { runCosts } from './running-costs.ts';

// CEL expressions drawn from a grammar.
describeBeside('CEL expressions as kube-apiserver has them', {
  tests: {
    'rules of custom kinds when they are written': ({ pair, random, report }) =>
      runCases(pair, writtenRules(random, countFrom(1000)), report),

    'rules of custom kinds over objects': async ({ pair, seed, report }) => {
      const random = new Random(seed + 1);
      const plurals = await kindsWithRules(pair, random, Math.ceil(countFrom(1000) / 50));
      await runCases(pair, ruledObjects(plurals, random), report);
      return `${plurals.length} kinds`;
    },

    'rules that came after the objects, over their updates': async ({ pair, seed, report }) => {
      const random = new Random(seed + 3);
      const standing = await objectsBeforeRules(pair, random, Math.ceil(countFrom(1000) / 100));
      await runCases(pair, changedObjects(standing, random), report);
      return `${standing.length} objects`;
    },

    'what rules cost when they run': ({ pair, seed, report }) =>
      runCosts(pair, seed + 4, countFrom(60), report),

    'expressions of policies': async ({ pair, seed, report }) => {
      const random = new Random(seed + 2);
      await openKind(pair);
      const standing = await makePolicies(pair, tellingPolicies(random, Math.ceil(countFrom(1000) / 3)));
      const cases = standing.map((one) => objectsUnder(one, random));
      await runCases(pair, cases, report);
      return `${standing.length} policies`;
    },
  },
});
