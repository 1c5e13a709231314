import { definitionCases } from './definitions.ts';
import { deletions } from './deletions.ts';
import { describeBeside } from './describe-beside.ts';
import { countFrom, onlyNamed } from './oracle-program.ts';
import { runCases } from './run-cases.ts';
import { runDefinitions } from './run-definitions.ts';

describeBeside('deletions as kube-apiserver has them', {
  tests: {
    'options in random combination': ({ pair, random, report }) =>
      runCases(pair, deletions(random, countFrom(400)), report),

    'definitions that objects stand of, changed, deleted and made again': ({ pair, random, report }) =>
      runDefinitions(pair, onlyNamed([...definitionCases(random, countFrom(100))]), report),
  },
});
