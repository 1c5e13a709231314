import type { JsonObject } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import type { Case } from './case.ts';
import { drawSubject } from './expression-objects.ts';
import { collectionOfKind, crds, definitionOf, drawRules, subjectOf } from './expressions.ts';
import type { Pair } from './pair.ts';

const objectsOfEach = 8;

interface Standing {
  readonly plural: string;
  readonly name: string;
  readonly spec: JsonObject;
}

/** Kinds whose rules, of transitions too, came after their objects, which mostly break them: updates are ratcheted. */
export async function objectsBeforeRules(pair: Pair, random: Random, count: number): Promise<Standing[]> {
  const standing: Standing[] = [];
  for (let at = 0; at < count; at++) {
    const plural = `changed${at}s`;
    const of = { plural, hasBounds: true, itemsMax: 1 };
    await pair.send({ path: crds, body: JSON.stringify(definitionOf({ ...of, rules: [] })) });
    await until(`both serve ${plural}`, async () => {
      const { oracle, ours } = await pair.send({ path: collectionOfKind(plural) });
      return oracle.status === 200 && ours.status === 200;
    });
    for (let one = 0; one < objectsOfEach; one++) {
      const made = { plural, name: `o${one}`, spec: drawSubject(random) };
      const body = JSON.stringify(subjectOf(plural, made.name, made.spec));
      const { oracle, ours } = await pair.send({ path: collectionOfKind(plural), body });
      if (oracle.status === 201 && ours.status === 201) standing.push(made);
    }
    const told = { rule: '!has(self.s) || self.s != "in force"', message: 'rules are in force' };
    // First: the others may use up what all of them may cost.
    const rules = [told, ...(await drawRules(pair, random, 0.5))];
    const { spec } = definitionOf({ ...of, rules }) as { spec: JsonObject };
    const path = `${crds}/${plural}.expressions.oracle.example.com`;
    const contentType = 'application/merge-patch+json';
    const body = JSON.stringify({ spec: { versions: spec['versions'] ?? [] } });
    const patched = await pair.send({ path, method: 'PATCH', contentType, body });
    if (patched.oracle.status !== 200 || patched.ours.status !== 200)
      throw new Error(`${patched.oracle.text} ${patched.ours.text}`);
    await until(`both hold objects of ${plural} against its rules`, async () => {
      const tried = JSON.stringify(subjectOf(plural, 'tried', { ...drawSubject(random), s: 'in force' }));
      const answers = await pair.send({ path: `${collectionOfKind(plural)}?dryRun=All`, body: tried });
      return [answers.oracle, answers.ours].every(({ text }) => text.includes('rules are in force'));
    });
  }
  return standing;
}

/** Objects that stand, written again: with another label, with one field of another one, as another one; all of it tried. */
export function changedObjects(standing: readonly Standing[], random: Random): Case[] {
  return standing.map(({ plural, name, spec }) => {
    const path = `${collectionOfKind(plural)}/${name}?dryRun=All`;
    const patch = (body: JsonObject) => ({
      ...{ path, method: 'PATCH', contentType: 'application/merge-patch+json', body },
    });
    const one = () => {
      const other = drawSubject(random);
      const field = random.pick(Object.keys(other));
      return patch({ spec: { [field]: other[field] ?? null } });
    };
    return {
      name: `${plural} ${name}`,
      steps: [
        patch({ metadata: { labels: { changed: 'yes' } } }),
        ...[one(), one(), one(), one()],
        patch({ spec: { [random.pick(Object.keys(spec))]: null } }),
        patch({ spec: drawSubject(random) }),
      ],
    };
  });
}
