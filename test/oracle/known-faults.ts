import { equalJson, isJsonObject, type JsonObject, type JsonValue } from '#apimachinery/json.ts';
import { customGroup } from './custom.ts';
import type { Difference } from './differences.ts';
import type { KnownDifference } from './known-difference.ts';
import { isCause, isMessage, sortedCauses } from './known-messages.ts';

/** Objects, lists and what Go prints of them, up to the colon behind which the reason stands. */
const valuePattern =
  /((?:Invalid|Unsupported) value): (?:\{.*?\}|\[.*?\]|map\[.*?\]|null|""): (?=[A-Za-z`])/gs;

const repeatedPattern = /Duplicate value: \{.*?\}(?=: |, [a-z]|\]?$)/gs;

function withoutValues(value: JsonValue | undefined): string {
  return String(value).replace(valuePattern, '$1: …: ').replace(repeatedPattern, 'Duplicate value: …');
}

function sameWithoutValues({ oracle, ours }: Difference): boolean {
  return withoutValues(oracle) === withoutValues(ours);
}

/** Hunks of a diff, which stand where a message says what must not change. */
const diffPattern = /(?:@@ [^\n]*\n(?:[ +-][^\n]*\n)+)+/g;

const withoutDiff = (value: JsonValue | undefined) => String(value).replace(diffPattern, '');

/** An answer in the causes of which no diffs stand. */
function withoutDiffs(body: JsonValue): JsonValue {
  const details = isJsonObject(body) ? body['details'] : undefined;
  const causes = isJsonObject(details) ? details['causes'] : undefined;
  if (!Array.isArray(causes)) return body;
  const plain = causes
    .filter(isJsonObject)
    .map((cause) => ({ ...cause, message: withoutDiff(cause['message']) }));
  return { details: { causes: plain } };
}

/** As `sameWithoutValues`, of all causes, in no order and without diffs. */
function sameCauses(oracle: JsonValue, ours: JsonValue): boolean {
  const plain = (body: JsonValue) => {
    const causes = sortedCauses(withoutDiffs(body));
    if (!Array.isArray(causes)) return body;
    const { stringify, parse } = JSON;
    return causes
      .map((cause) => parse(String(cause)) as JsonObject)
      .map((cause) => stringify({ ...cause, message: withoutValues(cause['message']) }))
      .sort();
  };
  return equalJson(plain(oracle), plain(ours));
}

/** What Go quotes between `patch: Invalid value: ` and the reason. */
const patchPattern = /patch: Invalid value: "(?:[^"\\]|\\.)*": |^Invalid value: "[[{](?:[^"\\]|\\.)*": /s;

function sameWithoutPatch({ oracle, ours }: Difference): boolean {
  const without = (value: JsonValue | undefined) => String(value).replace(patchPattern, '');
  return patchPattern.test(String(ours)) && without(oracle) === without(ours);
}

/** What is told of what is wrong with an object. */
export const knownOfFaults: readonly KnownDifference[] = [
  {
    row: 'values in messages',
    explains: (difference) => isMessage(difference) && sameWithoutValues(difference),
  },
  {
    row: '`Forbidden: pod updates may not change fields …`, `spec is immutable after creation …`',
    explains: (difference) =>
      isMessage(difference) &&
      String(difference.oracle).includes('@@ ') &&
      sameWithoutValues({
        path: [],
        oracle: withoutDiff(difference.oracle),
        ours: withoutDiff(difference.ours),
      }),
  },
  {
    row: "uid in a PUT that is not the object's",
    explains: (difference) =>
      isMessage(difference) &&
      /Precondition failed: UID/.test(String(difference.oracle)) &&
      /Precondition failed: UID/.test(String(difference.ours)),
  },
  {
    row: 'malformed resourceVersion in a PUT',
    explains: (_, { oracle, ours }) =>
      oracle.status === 500 &&
      ours.status === 409 &&
      JSON.stringify(oracle.body).includes('strconv.ParseUint'),
  },
  {
    row: 'a JSON or merge patch of which comes what cannot be decoded',
    explains: (difference) => isMessage(difference) && sameWithoutPatch(difference),
  },
  {
    row: 'order of what is wrong with an object of a built-in kind',
    explains: ({ path }, { request, oracle, ours }) =>
      !request.path.includes(customGroup) &&
      (isCause(path) || isMessage({ path })) &&
      sameCauses(oracle.body, ours.body),
  },
];
