import { declOf } from '#apimachinery/cel/decl.ts';
import { valueOfJson } from '#apimachinery/cel/json-values.ts';
import { rulesOf } from '#apimachinery/cel/rules/rule-program.ts';
import { callCostMax, objectCostMax } from '#apimachinery/cel/rules/validate-rules.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Schema } from '#apimachinery/schema.ts';
import { schemaFromJsonSchemaProps } from '#apimachinery/schema-from-openapi.ts';
import { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import type { Case } from './case.ts';
import { casesAtATime } from './cases-at-a-time.ts';
import { ExpressionGrammar } from './expression-grammar.ts';
import { drawSubject, siteAt } from './expression-objects.ts';
import { collectionOfKind, crds, definitionOf, subjectOf } from './expressions.ts';
import type { Pair } from './pair.ts';
import type { Report } from './report.ts';
import { runCase } from './run-cases.ts';

/** How many members the list may have for each of which it is evaluated so often, largest first: the first that both servers let pass is taken. */
const timesMax = [20_000, 10_000, 5_000, 2_000, 1_000, 300, 100, 30];
const inner = '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]';

/** Together they pass an object's budget before any of them passes its own. */
const rulesOfMany = 11;

/** Kinds prepared at a time. */
const kindsAtATime = 2;

interface CostlyKind {
  readonly name: string;
  readonly plural: string;
  /** But for the list that the expression is evaluated for. */
  readonly subject: JsonObject;
  readonly timesMax: number;
  /** Of what holds the list. */
  readonly schema: Schema;
}

function schemaOf(plural: string, expression: string, ruleCount: number, itemsMax: number): JsonObject {
  const rules = Array.from({ length: ruleCount }, (_, at) => ({
    rule: `self.many.all(m, ${inner}.all(t, [${expression}].size() == 1)) || ${at} < 0`,
  }));
  const definition = definitionOf({ plural, rules, hasBounds: true, itemsMax: 1 });
  specOf(definition).properties['many'] = { type: 'array', maxItems: itemsMax, items: { type: 'integer' } };
  return definition;
}

/** The schema of its objects' `spec`. */
function specOf(definition: JsonObject): JsonObject & { readonly properties: JsonObject } {
  const [version] = (definition['spec'] as JsonObject)['versions'] as unknown as {
    schema: { openAPIV3Schema: { properties: { spec: JsonObject & { readonly properties: JsonObject } } } };
  }[];
  return version!.schema.openAPIV3Schema.properties.spec;
}

/** A kind with a drawn rule that both servers take; undefined when they take it at no size. */
async function costlyKind(
  pair: Pair,
  at: number,
  random: Random,
  report: Report,
): Promise<CostlyKind | undefined> {
  const grammar = new ExpressionGrammar(random, siteAt('self'), 0);
  const expression = grammar.draw(grammar.aType(), random.between(1, 3));
  const ruleCount = at % 3 === 2 ? rulesOfMany : 1;
  const plural = `costly${at}s`;
  const { by, ...subject } = drawSubject(random);
  // Nothing at all is no bytes to kube-apiserver.
  if (by !== undefined && by !== '') subject['by'] = by;
  const name = `${ruleCount} of ${plural}: ${expression}`;
  for (const itemsMax of timesMax) {
    const definition = schemaOf(plural, expression, ruleCount, itemsMax);
    // What is said of it is compared too: whether its estimate is too high.
    const tried = {
      name: `${name}, at most ${itemsMax}`,
      steps: [{ path: `${crds}?dryRun=All`, method: 'POST', body: definition }],
    };
    await runCase(pair, tried, report);
    const { oracle, ours } = await pair.send({ path: crds, body: JSON.stringify(definition) });
    if (oracle.status !== 201 || ours.status !== 201) continue;
    await until(`both serve ${plural}`, async () => {
      const answers = await pair.send({ path: collectionOfKind(plural) });
      return answers.oracle.status === 200 && answers.ours.status === 200;
    });
    return {
      name,
      plural,
      subject,
      timesMax: itemsMax,
      schema: schemaFromJsonSchemaProps(specOf(definition)),
    };
  }
  return undefined;
}

function bodyOf({ plural, subject }: CostlyKind, times: number): JsonObject {
  return subjectOf(plural, 'x', { ...subject, many: manyOf(times) });
}

const isOverBudget = (body: JsonValue | undefined) =>
  isJsonObject(body) &&
  /cost limit exceeded|cost budget/.test(typeof body['message'] === 'string' ? body['message'] : '');

/** The oracle did not evaluate it in the time that a write has. */
class TooSlow extends Error {
  override readonly name = 'TooSlow';
}

/** Where the budget of all rules is used up by our own reckoning, which begins the search; undefined when it never is. */
function guessed({ schema, subject }: CostlyKind): number | undefined {
  const decl = declOf(schema, false);
  const rules = rulesOf(schema, false);
  const costOf = (times: number) => {
    const self = valueOfJson({ ...subject, many: manyOf(times) }, decl);
    return rules.reduce((sum, { program }) => sum + (program?.run(() => self, Infinity).cost ?? 0), 0);
  };
  const [few, more] = [100, 200];
  const each = (costOf(more) - costOf(few)) / (more - few);
  if (each <= 0) return undefined;
  const budget = rules.length === 1 ? callCostMax : objectCostMax;
  return Math.ceil((budget - costOf(few)) / each) + few;
}

const manyOf = (times: number): JsonValue[] => Array.from({ length: times }, (_, at) => at % 10);

/** The least times at which the oracle says that the budget is used up; undefined when it never does. Throws TooSlow. */
async function firstOver(pair: Pair, kind: CostlyKind): Promise<number | undefined> {
  const isOver = async (times: number) => {
    const path = `${collectionOfKind(kind.plural)}?dryRun=All`;
    const { json, status } = await pair.askOracle({ path, body: JSON.stringify(bodyOf(kind, times)) });
    if (status === 504) throw new TooSlow();
    return isOverBudget(json as JsonValue);
  };
  if (!(await isOver(kind.timesMax))) return undefined;
  let under = 0;
  let over = kind.timesMax;
  // From the guess outwards, in growing steps: each question has the oracle evaluate up to a whole budget.
  let at = guessed(kind) ?? 0;
  for (let step = 1; at > under && at < over; step *= 2) {
    const wasOver = over < kind.timesMax;
    if (await isOver(at)) {
      over = at;
      if (under > 0) break;
      at -= step;
    } else {
      under = at;
      if (wasOver) break;
      at += step;
    }
  }
  while (over - under > 1) {
    const middle = Math.floor((under + over) / 2);
    if (await isOver(middle)) over = middle;
    else under = middle;
  }
  return over;
}

/**
 * What expressions cost when they are evaluated: each is evaluated for as many members of a list as the budget just allows, and
 * for one more.
 */
export async function runCosts(pair: Pair, seed: number, count: number, report: Report): Promise<string> {
  let reached = 0;
  let slow = 0;
  const drawn = Array.from({ length: count }, (_, at) => ({ name: `costly${at}s`, at }));
  await casesAtATime(kindsAtATime, drawn, async ({ at }) => {
    const kind = await costlyKind(pair, at, new Random(seed + at), report);
    if (kind === undefined) return;
    let over: number | undefined;
    try {
      over = await firstOver(pair, kind);
    } catch (error) {
      if (!(error instanceof TooSlow)) throw error;
      slow++;
      return;
    }
    if (over !== undefined) reached++;
    const times = over === undefined ? [kind.timesMax] : [over - 1, over];
    const steps: Case['steps'] = times.map((one) => ({
      path: `${collectionOfKind(kind.plural)}?dryRun=All`,
      method: 'POST',
      body: bodyOf(kind, one),
    }));
    await runCase(pair, { name: `${kind.name}, ${times.join(' and ')} times`, steps }, report);
    await pair.send({ path: `${crds}/${kind.plural}.expressions.oracle.example.com`, method: 'DELETE' });
  });
  return `${reached} of ${count} expressions came to their budget's end, ${slow} took the oracle too long`;
}
