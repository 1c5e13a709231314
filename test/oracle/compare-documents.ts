import type { JsonValue } from '#apimachinery/json.ts';
import type { RawAnswer } from '../harness/raw-http.ts';
import { differencesOf } from './differences.ts';
import { documentsOf, partsOf } from './documents.ts';
import { explained } from './known.ts';
import { knownOfDocuments } from './known-documents.ts';
import { type NormalAnswer, Normaliser } from './normalise.ts';
import type { Pair } from './pair.ts';
import type { Report } from './report.ts';

/** Every document, part by part. */
export async function compareDocuments(pair: Pair, report: Report, when?: string): Promise<void> {
  for (const request of await documentsOf(pair)) {
    const { oracle, ours } = await pair.send(request);
    const compare = (part: string, theirs: NormalAnswer, own: NormalAnswer) => {
      const exchange = { request, part, oracle: theirs, ours: own };
      const { left } = explained(differencesOf(theirs, own), exchange, knownOfDocuments);
      report.add([request.path, part, when].join(' ').trimEnd(), exchange, left);
    };
    compare('head', headOf(oracle), headOf(ours));
    const [theirs, own] = [oracle, ours].map(byName) as [Parts, Parts];
    for (const part of new Set([...theirs.keys(), ...own.keys()]))
      compare(part, answerOf(theirs.get(part)), answerOf(own.get(part)));
  }
}

type Parts = ReadonlyMap<string, JsonValue>;

function byName(answer: RawAnswer): Parts {
  return new Map(partsOf(answer).map((part) => [part.name, part.value]));
}

/** A part that is not there is `null`. */
function answerOf(value: JsonValue | undefined): NormalAnswer {
  return { status: 200, headers: {}, body: value ?? null };
}

function headOf(answer: RawAnswer): NormalAnswer {
  return new Normaliser().answer({ ...answer, text: 'null', json: undefined });
}
