import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { RawAnswer } from '../harness/raw-http.ts';
import { until } from '../harness/until.ts';
import { requestOf, type Step, type StepOf } from './case.ts';
import { casesAtATime } from './cases-at-a-time.ts';
import { differencesOf } from './differences.ts';
import { EventStream } from './event-stream.ts';
import { explained } from './known.ts';
import { Normaliser } from './normalise.ts';
import type { Pair, Side } from './pair.ts';
import type { Report } from './report.ts';
import { lastAnnotation, type WatchCase } from './watches.ts';

const casesMax = 6;

/** Runs every case at both servers. */
export async function runWatches(pair: Pair, cases: readonly WatchCase[], report: Report): Promise<void> {
  await casesAtATime(casesMax, cases, (one) => runWatch(pair, one, report));
}

const sides: readonly Side[] = ['oracle', 'ours'];

async function runWatch(pair: Pair, one: WatchCase, report: Report): Promise<void> {
  const [oracle, ours] = await Promise.all(sides.map((side) => watchedAt(pair, side, one)));
  if (oracle === undefined || ours === undefined) throw new Error('a side is missing');
  const exchange = { request: oracle.request, oracle: oracle.answer, ours: ours.answer };
  report.add(one.name, exchange, explained(differencesOf(exchange.oracle, exchange.ours), exchange).left);
}

async function watchedAt(pair: Pair, side: Side, one: WatchCase) {
  const { before, watch, after, collection } = one;
  const answers = await written(pair, side, before);
  await fresh(pair, side, collection, answers);
  const request = watch(answers);
  using stream = await EventStream.open(...pair.watchOf(side, request));
  const waits = /sendInitialEvents=true/.test(request.path) && /allowWatchBookmarks=true/.test(request.path);
  if (stream.isWatch && waits) await completed(pair, side, one, stream);
  await written(pair, side, after, answers);
  if (stream.isWatch) await stream.untilAnnotated(lastAnnotation);
  // Revisions are told apart as those who watch see them.
  return { request, answer: new Normaliser().answer(withoutRevisionOfBookmarks(await stream.answer())) };
}

/** A bookmark's revision is that of the whole server, to which other cases write. */
function withoutRevisionOfBookmarks(answer: RawAnswer): RawAnswer {
  const events = answer.json?.['events'];
  if (!Array.isArray(events)) return answer;
  const told = events.map((event: JsonObject): JsonValue => {
    const { type, object } = event;
    if (type !== 'BOOKMARK' || !isJsonObject(object) || !isJsonObject(object['metadata'])) return event;
    const { resourceVersion, ...metadata } = object['metadata'];
    return {
      type,
      object: { ...object, metadata: { ...metadata, hasRevision: resourceVersion !== undefined } },
    };
  });
  return { ...answer, json: { events: told } };
}

async function written(
  pair: Pair,
  side: Side,
  steps: readonly (Step | StepOf)[],
  answers: RawAnswer[] = [],
): Promise<RawAnswer[]> {
  for (const step of steps) answers.push(await pair.ask(side, requestOf(step, answers)));
  return answers;
}

/** Waits until the cache that watches begin from has seen all that was written. */
async function fresh(
  pair: Pair,
  side: Side,
  collection: string,
  answers: readonly RawAnswer[],
): Promise<void> {
  const revisions = answers.map(({ json }) =>
    Number((json?.['metadata'] as JsonObject | undefined)?.['resourceVersion'] ?? 0),
  );
  const path = `${collection}?resourceVersion=${Math.max(...revisions)}&resourceVersionMatch=NotOlderThan&limit=1`;
  await until('what was written is there to be watched', async () => {
    return (await pair.ask(side, { path })).status === 200;
  });
}

let pushes = 0;

/** An etcd before 3.4.25 tells no progress: what nobody here watches is written until the initial events are over. */
async function completed(
  pair: Pair,
  side: Side,
  { collection, kind: { apiVersion, kind, more } }: WatchCase,
  stream: EventStream,
): Promise<void> {
  const name = `pushed-${pushes++}`;
  const body = JSON.stringify({ apiVersion, kind, metadata: { name }, ...more });
  await until(
    'the initial events are over',
    async () => {
      if (stream.isInitiallyComplete || stream.isEnded) return true;
      await pair.ask(side, { path: collection, body });
      await pair.ask(side, { path: `${collection}/${name}`, method: 'DELETE' });
      return false;
    },
    { everyMs: 50 },
  );
}
