import { describeBeside } from './describe-beside.ts';
import { countFrom } from './oracle-program.ts';
import { queriedObjects, queries } from './queries.ts';
import { runCases } from './run-cases.ts';

// Query parameters and forms of answers.
describeBeside('requests as kube-apiserver answers them', {
  prepare: queriedObjects,
  tests: {
    'parameters in random combination': ({ pair, random, report }) =>
      runCases(pair, queries(random, countFrom(2_000)), report),
  },
});
