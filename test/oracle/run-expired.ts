import type { RawAnswer, RawRequest } from '../harness/raw-http.ts';
import { until } from '../harness/until.ts';
import { casesAtATime } from './cases-at-a-time.ts';
import { differencesOf } from './differences.ts';
import { EventStream } from './event-stream.ts';
import { type ExpiredCase, goingOn, type Remembered } from './expired.ts';
import { explained } from './known.ts';
import { Normaliser } from './normalise.ts';
import type { Pair, Side } from './pair.ts';
import type { Report } from './report.ts';

const casesMax = 6;
/** Pages of a list that are read at most. */
const pagesMax = 4;

/** Asks both servers all of it; each with what it has told itself. */
export async function runExpired(
  pair: Pair,
  remembered: Remembered,
  cases: readonly ExpiredCase[],
  report: Report,
): Promise<void> {
  await casesAtATime(casesMax, cases, (one) => runOne(pair, remembered, one, report));
}

async function runOne(pair: Pair, remembered: Remembered, one: ExpiredCase, report: Report): Promise<void> {
  const normalisers = { oracle: new Normaliser(), ours: new Normaliser() };
  let requests: { readonly [side in Side]: RawRequest | undefined } = {
    oracle: one.request(remembered.oracle),
    ours: one.request(remembered.ours),
  };
  const earlier: RawRequest[] = [];
  for (let page = 0; page < pagesMax; page++) {
    const { oracle: request, ours: own } = requests;
    if (request === undefined || own === undefined) return;
    const [oracle, ours] = await Promise.all([
      answerOf(pair, 'oracle', request),
      answerOf(pair, 'ours', own),
    ]);
    const exchange = {
      ...{ request, earlier: [...earlier] },
      oracle: normalisers.oracle.answer(oracle),
      ours: normalisers.ours.answer(ours),
    };
    const { left, isParted } = explained(differencesOf(exchange.oracle, exchange.ours), exchange);
    report.add(`${one.name}, page ${page + 1}`, exchange, left);
    if (left.length > 0 || isParted) return;
    earlier.push(request);
    requests = {
      oracle: goingOn(request, oracle, one.goesOnWith),
      ours: goingOn(own, ours, one.goesOnWith),
    };
  }
}

async function answerOf(pair: Pair, side: Side, request: RawRequest): Promise<RawAnswer> {
  if (!/[?&]watch=true/.test(request.path)) return pair.ask(side, request);
  using stream = await EventStream.open(...pair.watchOf(side, request));
  // Its time is over after a second.
  await until('the watch ends', () => stream.isEnded);
  return stream.answer();
}
