import type { JsonObject } from '#apimachinery/json.ts';
import { Random } from '../harness/random.ts';
import type { Case } from './case.ts';
import { collectionOf, type Kind, type Kinds } from './kinds.ts';
import { mutationsOf } from './mutations.ts';
import { namespace, type Pair } from './pair.ts';
import { named, type Sample } from './samples.ts';

interface Standing {
  readonly sample: Sample;
  readonly kind: Kind;
  readonly name: string;
}

/** Writes each sample once: what is compared then is tried on it and leaves nothing. */
export async function standingSamples(
  pair: Pair,
  { kinds }: Kinds,
  samples: readonly Sample[],
): Promise<Standing[]> {
  const standing: Standing[] = [];
  for (const sample of samples) {
    const kind = kinds.get(`${String(sample.object['apiVersion'])} ${String(sample.object['kind'])}`);
    if (kind === undefined) continue;
    const own = (sample.object['metadata'] as JsonObject)['name'];
    const name = own === 'x' ? `mutated-${sample.name.toLowerCase()}` : String(own);
    const body = JSON.stringify(named(sample.object, name, namespace));
    const { oracle, ours } = await pair.send({ method: 'POST', path: collectionOf(kind), body });
    if (oracle.status === 201 && ours.status === 201) standing.push({ sample, kind, name });
    else
      throw new Error(`${sample.name}: ${oracle.status} ${oracle.text}; ours: ${ours.status} ${ours.text}`);
  }
  return standing;
}

interface MutatedOptions {
  readonly seed: number;
  /** For creation, for update and for status. */
  readonly count: number;
  /** How many are changed at once. */
  readonly fields: number;
}

/** Each sample with fields changed: as a new object, as an update of the one that stands, as its status. */
export function mutatedObjects(
  kinds: Kinds,
  standing: readonly Standing[],
  { seed, count, fields }: MutatedOptions,
): Case[] {
  return standing.flatMap(({ sample, kind, name }) => {
    const collection = collectionOf(kind);
    const fromSeed = (more: number) => new Random(seed + more);
    const tried = '?dryRun=All&fieldValidation=Strict';
    const made = named(sample.object, `new-${name}`, namespace);
    const present = named(sample.object, name, namespace);
    const creations = mutationsOf(kinds, kind.schema, made, { random: fromSeed(0), count, fields });
    const updates = mutationsOf(kinds, kind.schema, present, { random: fromSeed(1), count, fields });
    const statuses = kind.subresources.includes('status')
      ? mutationsOf(kinds, kind.schema, present, { random: fromSeed(2), count, fields, below: 'status' })
      : [];
    return [
      ...creations.map(({ name: what, object }) => ({
        name: `create ${sample.name} ${what}`,
        steps: [{ method: 'POST', path: `${collection}${tried}`, body: object }],
      })),
      ...updates.map(({ name: what, object }) => ({
        name: `update ${sample.name} ${what}`,
        steps: [{ method: 'PUT', path: `${collection}/${name}${tried}`, body: object }],
      })),
      ...statuses.map(({ name: what, object }) => ({
        name: `status of ${sample.name} ${what}`,
        steps: [{ method: 'PUT', path: `${collection}/${name}/status${tried}`, body: object }],
      })),
    ];
  });
}
