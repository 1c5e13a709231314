import { until } from '../harness/until.ts';
import { describeBeside } from './describe-beside.ts';
import { expiredReads, expiredStates } from './expired.ts';
import { countFrom } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { runExpired } from './run-expired.ts';
import { runWatches } from './run-watches.ts';
import { watchedDefinition, watches } from './watches.ts';

async function define(pair: Pair): Promise<void> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await pair.send({ path, method: 'POST', body: JSON.stringify(watchedDefinition) });
  const collection = '/apis/watched.oracle.example.com/v1/watcheds';
  await until('both serve the kind', async () => {
    const { oracle, ours } = await pair.send({ path: collection });
    return oracle.status === 200 && ours.status === 200;
  });
}

// Watches with random parameters while objects change.
describeBeside('events as kube-apiserver tells them', {
  prepare: define,
  tests: {
    'sequences of writes, seen by a watch that begins among them': ({ pair, random, report }) =>
      runWatches(pair, watches(random, countFrom(100)), report),

    'what begins at states that are forgotten': async ({ binary, random, report }) => {
      await using forgetful = await Pair.start(binary, 'etcd');
      await define(forgetful);
      const remembered = await expiredStates(forgetful);
      const cases = expiredReads(random, remembered, 4 * countFrom(100));
      await runExpired(forgetful, remembered, cases, report);
    },
  },
});
