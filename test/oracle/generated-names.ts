import type { JsonObject } from '#apimachinery/json.ts';
import type { Case, Step } from './case.ts';
import { collectionOf, type Kinds } from './kinds.ts';
import { namespace } from './pair.ts';
import { named, plainSamples } from './samples.ts';

/** A prefix is cut after 58 characters (names.SimpleNameGenerator): there this one ends in a way that the suffix is told by. */
const longPrefix = `${'q'.repeat(54)}-p0-and-more`;
/** By one longer than a label's value may be. */
const longName = 'n'.repeat(64);
/** By one longer than any name may be. */
const tooLongName = 'n'.repeat(254);

/**
 * Each kind's sample without a name, which the server is to make: tried, written, with a prefix that is cut; and with a name
 * too long for a label, or for any name, also applied.
 */
export function generatedNames({ kinds }: Kinds): Case[] {
  return plainSamples().flatMap((sample, at) => {
    const kind = kinds.get(`${String(sample.object['apiVersion'])} ${String(sample.object['kind'])}`);
    if (kind === undefined) return [];
    const path = collectionOf(kind);
    const make = (metadata: JsonObject, query = ''): Step => {
      const object = named(sample.object, 'x', namespace);
      const { name: _none, ...rest } = object['metadata'] as JsonObject;
      return {
        path: `${path}${query}`,
        method: 'POST',
        body: { ...object, metadata: { ...rest, ...metadata } },
      };
    };
    const dryRun = '?dryRun=All';
    const apply = (name: string): Step => ({
      path: `${path}/${name}${dryRun}&fieldManager=applier`,
      method: 'PATCH',
      contentType: 'application/apply-patch+yaml',
      body: named(sample.object, name, namespace),
    });
    return [
      {
        name: `generated name of ${sample.name}`,
        steps: [
          // The suffix is told apart by what stands before it.
          make({ generateName: `p${at}-` }, dryRun),
          make({ generateName: `p${at}-` }),
          make({ generateName: `p${at}-`, labels: { own: 'label' } }, dryRun),
          make({ name: longName }, dryRun),
          make({ name: longName, labels: { own: 'label' } }, dryRun),
          make({ name: tooLongName }, dryRun),
          ...[longName, tooLongName].map(apply),
          make({ generateName: longPrefix }, `${dryRun}&fieldValidation=Ignore`),
        ],
      },
    ];
  });
}
