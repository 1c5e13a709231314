import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { RawAnswer, RawRequest } from '../harness/raw-http.ts';
import { requestOf } from './case.ts';
import type { DefinitionCase } from './definitions.ts';
import { differencesOf, groupOf } from './differences.ts';
import { explained } from './known.ts';
import { Normaliser } from './normalise.ts';
import type { Pair, Side } from './pair.ts';
import type { Report } from './report.ts';

/** As many as kube-apiserver looks after at once: each look at objects that are held takes up to a minute. */
const casesAtATime = 5;
const settledWithinMs = 120_000;

/** Runs every case at both servers, each next step when their controllers have done what they do. */
export async function runDefinitions(
  pair: Pair,
  cases: readonly DefinitionCase[],
  report: Report,
): Promise<void> {
  const left = cases.values();
  const worker = async () => {
    for (const one of left) {
      await runCase(pair, one, report);
      for (const side of ['oracle', 'ours'] as const) await cleanUp(pair, side, one);
    }
  };
  await Promise.all(Array.from({ length: casesAtATime }, worker));
}

async function runCase(pair: Pair, one: DefinitionCase, report: Report): Promise<void> {
  const sides = [new Normaliser(), new Normaliser()] as const;
  const told = new Set<string>();
  const answers: readonly [RawAnswer[], RawAnswer[]] = [[], []];
  let earlier: readonly RawRequest[] = [];
  for (const [at, step] of one.steps.entries()) {
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
    const fresh = left.filter((difference) => !told.has(groupOf(difference)));
    for (const difference of fresh) told.add(groupOf(difference));
    report.add(`${one.name}, step ${at + 1}`, exchange, fresh);
    if (isParted) return;
    if (requests[0].method !== undefined) await settled(pair, one);
  }
}

/** Lets go of all that is held: controllers would come back to it for ever. */
async function cleanUp(pair: Pair, side: Side, { definition, collections }: DefinitionCase): Promise<void> {
  const release = (path: string, finalizers: JsonValue) =>
    pair.ask(side, {
      ...{ path, method: 'PATCH', contentType: 'application/merge-patch+json' },
      body: JSON.stringify({ metadata: { finalizers } }),
    });
  const { json: found } = await pair.ask(side, { path: definition });
  const { versions = [] } = (found?.['spec'] ?? {}) as { versions?: readonly JsonObject[] };
  const served = versions.map((_, at) => ({
    op: 'replace',
    path: `/spec/versions/${at}/served`,
    value: true,
  }));
  const contentType = 'application/json-patch+json';
  await pair.ask(side, { path: definition, method: 'PATCH', contentType, body: JSON.stringify(served) });
  await pair.ask(side, { path: definition, method: 'DELETE' });
  for (const collection of collections) {
    const { json } = await pair.ask(side, { path: collection });
    for (const { metadata } of (json?.['items'] ?? []) as readonly JsonObject[])
      await release(`${collection}/${String((metadata as JsonObject)['name'])}`, null);
  }
  await release(definition, [cleanup]);
}

/** Until both have come to the same, or long enough to say that they do not: what is asked next tells. */
async function settled(pair: Pair, { definition, collections }: DefinitionCase): Promise<void> {
  const until = Date.now() + settledWithinMs;
  const paths = [definition, ...collections];
  let before = '';
  for (;;) {
    const answers = await Promise.all(paths.map((path) => pair.send({ path })));
    const [oracle, ours] = (['oracle', 'ours'] as const).map((side) =>
      JSON.stringify(answers.map((answer) => summaryOf(answer[side]))),
    );
    const isDone = oracle === ours && oracle === before && !isUnderWay(answers.map((one) => one.oracle));
    if (isDone || Date.now() > until) return;
    before = oracle ?? '';
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

const cleanup = 'customresourcecleanup.apiextensions.k8s.io';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

function conditionsOf({ json }: RawAnswer): readonly Condition[] {
  const status = json?.['status'] as { readonly conditions?: readonly Condition[] } | undefined;
  return status?.conditions ?? [];
}

/** Whether a controller of kube-apiserver has not begun, or not ended, what it does. */
function isUnderWay([definition, ...collections]: readonly RawAnswer[]): boolean {
  if (definition === undefined || definition.status !== 200) return false;
  const conditions = conditionsOf(definition);
  const { deletionTimestamp, finalizers } = (definition.json?.['metadata'] ?? {}) as JsonObject;
  if (deletionTimestamp === undefined) return !conditions.some(({ type }) => type === 'Established');
  if (!Array.isArray(finalizers) || !finalizers.includes(cleanup)) return false;
  const holds = collections.some(({ json }) => (json?.['items'] as readonly unknown[] | undefined)?.length);
  return !holds || !conditions.some(({ type, reason }) => type === 'Terminating' && !/Pending$/.test(reason));
}

function summaryOf(answer: RawAnswer): unknown {
  const { status, json } = answer;
  const items = (json?.['items'] as readonly JsonObject[] | undefined)?.map(
    ({ metadata }) => (metadata as JsonObject)['name'] ?? null,
  );
  const conditions = conditionsOf(answer)
    .map(({ type, ...one }) => `${type} ${one.status} ${one.reason}`)
    .sort();
  return { status, items, conditions };
}
