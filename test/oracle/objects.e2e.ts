import { describeBeside } from './describe-beside.ts';
import { generatedNames } from './generated-names.ts';
import { kindsOf } from './kinds.ts';
import { lifecycles } from './lifecycles.ts';
import { mutatedObjects, standingSamples } from './mutated-objects.ts';
import { countFrom } from './oracle-program.ts';
import { runCases } from './run-cases.ts';
import { plainSamples } from './samples.ts';

/** For creation, for update and for status. */
const mutationsOfEach = 40;

describeBeside('objects as kube-apiserver has them', {
  tests: {
    'each kind from its creation to its deletion': async ({ pair, report }) =>
      runCases(pair, lifecycles(await kindsOf(pair)), report),

    'each kind with a name that is generated, or too long for a label': async ({ pair, report }) =>
      runCases(pair, generatedNames(await kindsOf(pair)), report),

    'each kind with one field changed, and with two': async ({ pair, seed, report }) => {
      const kinds = await kindsOf(pair);
      const standing = await standingSamples(pair, kinds, plainSamples());
      const count = countFrom(mutationsOfEach);
      for (const fields of [1, 2])
        await runCases(pair, mutatedObjects(kinds, standing, { seed, count, fields }), report);
    },
  },
});
