import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { skipWithoutEtcd } from '../harness/etcd-server.ts';
import { Random } from '../harness/random.ts';
import { seedFrom } from '../harness/seed.ts';
import { oracleProgram } from './oracle-program.ts';
import { Pair } from './pair.ts';
import { Report } from './report.ts';

const timeoutMs = 1_800_000;

/** What the tests of a suite are handed. */
export interface Beside {
  readonly pair: Pair;
  /** For those that start another pair. */
  readonly binary: string;
  readonly seed: number;
  /** Draws from the seed, the same in every test. */
  readonly random: Random;
  /** Empty when the test begins; what differs in it fails the test. */
  readonly report: Report;
}

/** A text that it resolves to is told before the summary. */
type Compare = (beside: Beside) => Promise<unknown>;

interface Suite {
  /** What is to stand at both servers before the first test. */
  readonly prepare?: ((pair: Pair) => Promise<unknown>) | undefined;
  readonly tests: { readonly [name: string]: Compare };
}

/**
 * A suite of comparisons at a workspace beside a kube-apiserver (CONTRIBUTING.md): only where CELLPLANE_TEST_KUBE_APISERVER
 * names one.
 */
export function describeBeside(what: string, { prepare, tests }: Suite): void {
  const binary = oracleProgram();
  if (binary === undefined) return;
  describe(what, { timeout: timeoutMs, skip: skipWithoutEtcd }, () => {
    const seed = seedFrom('CELLPLANE_ORACLE_SEED');
    let pair: Pair;
    before(async () => {
      pair = await Pair.start(binary);
      await prepare?.(pair);
    });
    after(() => pair?.[Symbol.asyncDispose]());

    for (const [name, compare] of Object.entries(tests)) {
      test(name, async () => {
        const report = new Report();
        const more = await compare({ pair, binary, seed, random: new Random(seed), report });
        console.log(
          `CELLPLANE_ORACLE_SEED=${seed}: ${typeof more === 'string' ? `${more}, ` : ''}${report.summary()}`,
        );
        assert.equal(report.different, 0);
      });
    }
  });
}
