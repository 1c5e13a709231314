import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { RawAnswer } from '../harness/raw-http.ts';
import { casesAtATime } from './cases-at-a-time.ts';
import type { DefinitionCase } from './definitions.ts';
import type { Pair, Side } from './pair.ts';
import type { Report } from './report.ts';
import { runCase } from './run-cases.ts';

/** As many as kube-apiserver looks after at once: each look at objects that are held takes up to a minute. */
const casesMax = 5;
const settledWithinMs = 120_000;

/** Runs every case at both servers, each next step when their controllers have done what they do. */
export async function runDefinitions(
  pair: Pair,
  cases: readonly DefinitionCase[],
  report: Report,
): Promise<void> {
  await casesAtATime(casesMax, cases, async (one) => {
    await runCase(pair, one, report, async (_, { method }) => {
      if (method !== undefined) await settled(pair, one);
    });
    for (const side of ['oracle', 'ours'] as const) await cleanUp(pair, side, one);
  });
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
    // What goes while none of its versions is served can be read at ours (docs/kubernetes-contract.md): for ever, as long as it is held.
    const told = goesUnserved(answers[0]?.oracle) ? answers.slice(0, 1) : answers;
    const [oracle, ours] = (['oracle', 'ours'] as const).map((side) =>
      JSON.stringify(told.map((answer) => summaryOf(answer[side]))),
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

function goesUnserved(definition: RawAnswer | undefined): boolean {
  const { metadata, spec } = (definition?.json ?? {}) as { [field: string]: JsonObject | undefined };
  const versions = (spec?.['versions'] ?? []) as readonly JsonObject[];
  return metadata?.['deletionTimestamp'] !== undefined && versions.every(({ served }) => served !== true);
}

/** Whether a controller of kube-apiserver has not begun, or not ended, what it does. */
function isUnderWay([definition, ...collections]: readonly RawAnswer[]): boolean {
  if (definition === undefined || definition.status !== 200) return false;
  const conditions = conditionsOf(definition);
  const { deletionTimestamp, finalizers } = (definition.json?.['metadata'] ?? {}) as JsonObject;
  if (deletionTimestamp === undefined) return !conditions.some(({ type }) => type === 'Established');
  if (!Array.isArray(finalizers) || !finalizers.includes(cleanup)) return false;
  const isPending = !conditions.some(
    ({ type, reason }) => type === 'Terminating' && !/Pending$/.test(reason),
  );
  // What holds it cannot be seen.
  if (goesUnserved(definition)) return isPending;
  const holds = collections.some(({ json }) => (json?.['items'] as readonly unknown[] | undefined)?.length);
  return !holds || isPending;
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
