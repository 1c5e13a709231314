import { appliedKinds, applies } from './applies.ts';
import { describeBeside } from './describe-beside.ts';
import { kindsOf } from './kinds.ts';
import { countFrom } from './oracle-program.ts';
import { rowsOfWrites } from './rows-of-writes.ts';
import { runCases } from './run-cases.ts';

/** Of 150 cases; more of them, more rows. */
const casesToARow = 50;

// Who owns which fields after writes by several managers.
describeBeside('ownership as kube-apiserver tells it', {
  prepare: appliedKinds,
  tests: {
    'random writes by several managers': ({ pair, random, report }) =>
      runCases(pair, applies(random, countFrom(150)), report),

    'each built-in kind, three writes in a row': async ({ pair, seed, report }) => {
      const count = Math.ceil(countFrom(150) / casesToARow);
      await runCases(pair, rowsOfWrites(await kindsOf(pair), { seed, count }), report);
    },
  },
});
