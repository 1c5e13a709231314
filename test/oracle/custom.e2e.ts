import { customKinds, customObjects, definitions } from './custom.ts';
import { describeBeside } from './describe-beside.ts';
import { countFrom } from './oracle-program.ts';
import { runCases } from './run-cases.ts';

const kindsOfEach = 24;

// Custom kinds drawn at random.
describeBeside('custom resources as kube-apiserver has them', {
  tests: {
    definitions: ({ pair, seed, report }) => runCases(pair, definitions(seed, countFrom(200)), report),

    'objects near to what their schemas ask for': async ({ pair, seed, random, report }) => {
      const kinds = await customKinds(pair, seed, kindsOfEach);
      await runCases(pair, customObjects(kinds, random, countFrom(300)), report);
      return `${kinds.length} of ${kindsOfEach} kinds are taken`;
    },
  },
});
