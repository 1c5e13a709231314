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
      await compareDocuments(pair, report);
      await withdrawKinds(pair);
      await compareDocuments(pair, report, 'when they are gone');
    },
  },
});
