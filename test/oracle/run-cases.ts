import type { RawAnswer, RawRequest } from '../harness/raw-http.ts';
import { type Case, requestOf } from './case.ts';
import { casesAtATime } from './cases-at-a-time.ts';
import { differencesOf, groupOf } from './differences.ts';
import { explained } from './known.ts';
import { Normaliser } from './normalise.ts';
import type { Pair } from './pair.ts';
import type { Report } from './report.ts';

/** Under way at a time: both servers are busy then, and neither is asked more than it answers in seconds. */
const casesMax = 8;

/** Runs every case at both servers. */
export async function runCases(pair: Pair, cases: readonly Case[], report: Report): Promise<void> {
  await casesAtATime(casesMax, cases, (one) => runCase(pair, one, report));
}

/** `afterStep` is done before the next step is asked. */
export async function runCase(
  pair: Pair,
  { name, steps }: Case,
  report: Report,
  afterStep?: (title: string, request: RawRequest) => Promise<void> | void,
): Promise<void> {
  const sides = [new Normaliser(), new Normaliser()] as const;
  const told = new Set<string>();
  const answers: readonly [RawAnswer[], RawAnswer[]] = [[], []];
  let earlier: readonly RawRequest[] = [];
  for (const [at, step] of steps.entries()) {
    const requests = [requestOf(step, answers[0]), requestOf(step, answers[1])] as const;
    const [oracle, ours] = await Promise.all([pair.askOracle(requests[0]), pair.askOurs(requests[1])]);
    answers[0].push(oracle);
    answers[1].push(ours);
    const exchange = {
      ...{ request: requests[0], earlier },
      ...{ oracle: sides[0].answer(oracle), ours: sides[1].answer(ours) },
    };
    earlier = [...earlier, requests[0]];
    const { left, isParted } = explained(differencesOf(exchange.oracle, exchange.ours), exchange);
    // What differs in one answer mostly does in those that follow.
    const fresh = left.filter((difference) => !told.has(groupOf(difference)));
    for (const difference of fresh) told.add(groupOf(difference));
    const title = `${name}, step ${at + 1}`;
    report.add(title, exchange, fresh);
    if (isParted) return;
    await afterStep?.(title, requests[0]);
  }
}
