import { until } from '../harness/until.ts';
import { compareDocuments } from './compare-documents.ts';
import { customKinds } from './custom.ts';
import { describeBeside } from './describe-beside.ts';
import { countFrom } from './oracle-program.ts';
import { publishKinds, withdrawKinds } from './published-kinds.ts';

const kindsDrawn = 12;

// Discovery and OpenAPI.
describeBeside('documents as kube-apiserver has them', {
  tests: {
    'of built-in kinds': ({ pair, report }) => compareDocuments(pair, report),

    'of custom kinds, and when they are gone': async ({ pair, seed, report }) => {
      await publishKinds(pair);
      await customKinds(pair, seed, countFrom(kindsDrawn));
      await until('both list the groups of all kinds in OpenAPI', async () => {
        const { oracle, ours } = await pair.send({ path: '/openapi/v3' });
        const listed = [oracle, ours].map(({ text }) =>
          text
            .match(/"apis\/custom\.[^"]*(?=")/g)
            ?.sort()
            .join(),
        );
        return listed[0] !== undefined && listed[0] === listed[1];
      });
      await compareDocuments(pair, report);
      await withdrawKinds(pair);
      await compareDocuments(pair, report, 'when they are gone');
    },
  },
});
