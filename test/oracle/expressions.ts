import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import type { Case, Step } from './case.ts';
import { ExpressionGrammar } from './expression-grammar.ts';
import { drawSubject, siteAt, subjectSchema } from './expression-objects.ts';
import { namespace, type Pair } from './pair.ts';
import { type DrawnPolicy, drawnPolicyOf, labelsOf } from './policies.ts';

const group = 'expressions.oracle.example.com';
export const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const rulesOfEach = 16;
const objectsOfEach = 24;

/** A rule that never holds and says in its message what the expression comes to; its faults are the rule's. */
function telling(expression: string): JsonObject {
  return { rule: `[${expression}].size() == 0`, messageExpression: `"%s".format([${expression}])` };
}

interface Definition {
  readonly plural: string;
  readonly rules: readonly JsonObject[];
  readonly hasBounds: boolean;
  /** How many such objects there may be in one. */
  readonly itemsMax: number;
}

export function definitionOf({ plural, rules, hasBounds, itemsMax }: Definition): JsonObject {
  const subject = { ...subjectSchema(hasBounds), 'x-kubernetes-validations': rules as JsonObject[] };
  const spec = itemsMax === 1 ? subject : { type: 'array', maxItems: itemsMax, items: subject };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      ...{ group, scope: 'Namespaced', names: { plural, kind: plural[0]?.toUpperCase() + plural.slice(1) } },
      versions: [
        {
          ...{ name: 'v1', served: true, storage: true },
          schema: { openAPIV3Schema: { type: 'object', properties: { spec } } },
        },
      ],
    },
  };
}

/** Rules as they are written: whether they compile, and what they may cost. */
export function writtenRules(random: Random, count: number): Case[] {
  return Array.from({ length: count }, (_, at) => {
    const grammar = new ExpressionGrammar(random, siteAt('self'), random.pick([0, 0.02, 0.06]));
    const type = random.next() < 0.6 ? 'bool' : grammar.aType();
    const expression = grammar.draw(type, random.between(1, 4));
    const rule: JsonObject = type === 'bool' ? { rule: expression } : telling(expression);
    const hasBounds = random.next() < 0.85;
    // As many as bring most estimates near to the limit, where they are told.
    const itemsMax = random.pick([1, 10, 1000, 100_000, 10_000_000]);
    const body = definitionOf({ plural: 'written', rules: [rule], hasBounds, itemsMax });
    return {
      name: `rule ${at}: ${expression}`,
      steps: [{ path: `${crds}?dryRun=All`, method: 'POST', body }],
    };
  });
}

/** Kinds with rules that both servers take, served by both. */
export async function kindsWithRules(pair: Pair, random: Random, count: number): Promise<string[]> {
  const plurals: string[] = [];
  for (let at = 0; at < count; at++) {
    const plural = `ruled${at}s`;
    const definition = { plural, rules: await drawRules(pair, random, 0.15), hasBounds: true, itemsMax: 1 };
    const { oracle, ours } = await pair.send({ path: crds, body: JSON.stringify(definitionOf(definition)) });
    if (oracle.status === 201 && ours.status === 201) plurals.push(plural);
  }
  for (const plural of plurals) {
    await until(`both serve ${plural}`, async () => {
      const { oracle, ours } = await pair.send({ path: collectionOfKind(plural) });
      return oracle.status === 200 && ours.status === 200;
    });
  }
  return plurals;
}

/** Rules that both servers take; so many of them, of one, are of transitions. */
export async function drawRules(pair: Pair, random: Random, transitions: number): Promise<JsonObject[]> {
  const rules: JsonObject[] = [];
  while (rules.length < rulesOfEach) {
    const drawn = Array.from({ length: rulesOfEach }, () => drawRule(random, transitions));
    const taken = await Promise.all(drawn.map((rule) => isTaken(pair, rule)));
    rules.push(...drawn.filter((_, index) => taken[index]));
  }
  return rules.slice(0, rulesOfEach);
}

function drawRule(random: Random, transitions: number): JsonObject {
  const isTransition = random.next() < transitions;
  const isOptional = isTransition && random.next() < 0.3;
  const root = isOptional ? 'oldSelf.value()' : isTransition ? 'oldSelf' : 'self';
  const grammar = new ExpressionGrammar(random, siteAt(root), 0.01);
  const type = grammar.aType();
  return {
    ...telling(grammar.draw(type, random.between(1, 3))),
    ...(isOptional ? { optionalOldSelf: true } : {}),
    ...(random.next() < 0.2 ? { reason: random.pick(['FieldValueForbidden', 'FieldValueRequired']) } : {}),
    ...(random.next() < 0.2 ? { fieldPath: random.pick(['.s', '.o.x', ".mi['a']", "['a-b']", '.ls']) } : {}),
  };
}

async function isTaken(pair: Pair, rule: JsonObject): Promise<boolean> {
  const body = definitionOf({ plural: 'written', rules: [rule], hasBounds: true, itemsMax: 1 });
  const { oracle, ours } = await pair.send({ path: `${crds}?dryRun=All`, body: JSON.stringify(body) });
  return oracle.status === 201 && ours.status === 201;
}

export function collectionOfKind(plural: string): string {
  return `/apis/${group}/v1/namespaces/${namespace}/${plural}`;
}

export function subjectOf(plural: string, name: string, spec: JsonValue): JsonObject {
  const kind = plural[0]?.toUpperCase() + plural.slice(1);
  return { apiVersion: `${group}/v1`, kind, metadata: { name }, spec };
}

/** What the rules of each kind say of objects. */
export function ruledObjects(plurals: readonly string[], random: Random): Case[] {
  return plurals.flatMap((plural) =>
    Array.from({ length: objectsOfEach }, (_, at) => ({
      name: `${plural} ${at}`,
      steps: [
        {
          path: collectionOfKind(plural),
          method: 'POST',
          body: subjectOf(plural, `o${at}`, drawSubject(random)),
        },
      ],
    })),
  );
}

/** An optional element of a literal, by which kube-apiserver 1.36 panics where its type is not known. */
const optionalPart = /(?<![\w)\]])[[{]\?/;

/** Policies with an expression each, which act on custom objects, of whose types they know nothing. */
export function tellingPolicies(random: Random, count: number): DrawnPolicy[] {
  return Array.from({ length: count }, (_, at) => {
    const grammar = new ExpressionGrammar(random, siteAt('object.spec'), 0.02);
    let expression = '';
    do expression = grammar.draw(grammar.aType(), random.between(1, 4)).replaceAll('self.', 'object.spec.');
    while (optionalPart.test(expression));
    const { rule, messageExpression } = telling(expression) as { rule: string; messageExpression: string };
    return drawnPolicyOf(`e${at}`, [{ expression: rule, messageExpression }], group);
  });
}

/** Objects without rules of their own, of the kind that `openKind` makes. */
export const openPlural = 'opens';

export async function openKind(pair: Pair): Promise<void> {
  const definition = definitionOf({ plural: openPlural, rules: [], hasBounds: true, itemsMax: 1 });
  await pair.send({ path: crds, body: JSON.stringify(definition) });
  await until(`both serve ${openPlural}`, async () => {
    const { oracle, ours } = await pair.send({ path: collectionOfKind(openPlural) });
    return oracle.status === 200 && ours.status === 200;
  });
}

export function objectsUnder({ name, policy }: DrawnPolicy, random: Random): Case {
  const validations = (policy['spec'] as JsonObject)['validations'] as JsonObject[];
  const steps: Step[] = Array.from({ length: 4 }, () => {
    const body = subjectOf(openPlural, 'x', drawSubject(random));
    const labelled = { ...body, metadata: { name: 'x', labels: labelsOf(name) } };
    return { path: `${collectionOfKind(openPlural)}?dryRun=All`, method: 'POST', body: labelled };
  });
  return { name: `${name}: ${validations[0]?.['expression']}`, steps };
}
