import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KnownDifference } from './known-difference.ts';
import { isCause, isMessage, messageIn } from './known-messages.ts';

/** What is told of each cause but its value, in the order of the answer. */
function causesIn(body: JsonValue): readonly string[] {
  const details = isJsonObject(body) ? body['details'] : undefined;
  const causes = isJsonObject(details) ? details['causes'] : undefined;
  if (!Array.isArray(causes)) return [messageIn(body)];
  return causes.map((cause) => (isJsonObject(cause) ? String(cause['message']) : ''));
}

/** The same with the fields that they are about. */
function faultsIn(body: JsonValue): string[] {
  const details = isJsonObject(body) ? body['details'] : undefined;
  const causes = isJsonObject(details) ? details['causes'] : undefined;
  if (!Array.isArray(causes)) return [];
  return causes.filter(isJsonObject).map((cause) => `${cause['field']}: ${cause['message']}`);
}

/** The words of Go's parsers and comparisons, where ours say that it cannot be done. */
const parserWords: readonly (readonly [RegExp, string])[] = [
  [
    /(?:Version string empty|No Major\.Minor\.Patch elements found|Invalid character\(s\) found in [^\n]*?|[A-Za-z]+ number must not contain leading zeroes [^\n]*?|strconv\.ParseUint: parsing [^\n]*?|Numeric PreRelease version must not contain leading zeroes [^\n]*?|Build meta data is empty|Prerelease is empty|must not contain leading zeroes|invalid semantic version "[^"]*")(?=$| evaluating rule)/g,
    '<no version>',
  ],
  [
    /((?:IP Address "[^"]*"|network address) parse error during conversion from string)(?:: [^\n]*?)?(?=$| evaluating rule)/g,
    '$1',
  ],
  [/(URL parse error during conversion from string)(?:: [^\n]*?)?(?=$| evaluating rule)/g, '$1'],
];

function withoutParserWords(text: string): string {
  return parserWords.reduce((words, [pattern, by]) => words.replace(pattern, by), text);
}

/** Answers of which every cause differs in no more than `same` takes for alike. */
function areCausesAlike(
  oracle: JsonValue,
  ours: JsonValue,
  same: (one: string, other: string) => boolean,
): boolean {
  const [theirs, own] = [causesIn(oracle), causesIn(ours)];
  return theirs.length === own.length && theirs.every((one, at) => same(one, own[at] as string));
}

/** A function that was handed a fault: Go's assertion that it is a list fails, and the panic is told. */
const panics = /internal error: interface conversion: \*?types\.\w+ is not traits\.\w+: missing method \w+/;

/** Of which rule a fault is told. */
const ruleOf = (fault: string): string | undefined => / (?:evaluating|for) rule: ([\s\S]*)$/.exec(fault)?.[1];

function isAlike(oracle: string, ours: string): boolean {
  if (withoutParserWords(oracle) === withoutParserWords(ours)) return true;
  if (!panics.test(oracle)) return false;
  return ruleOf(ours) === undefined ? / resulted in error/.test(ours) : ruleOf(oracle) === ruleOf(ours);
}

/** What cel-go ends at by a panic is a fault that `all` goes on after, and may come to the end of what a rule, or all, may cost. */
function isEndedByCost(oracle: JsonValue, ours: JsonValue): boolean {
  const [theirs, own] = [causesIn(oracle), causesIn(ours)];
  const last = own.length - 1;
  const [panicked = '', over = ''] = [theirs[last], own[last]];
  return (
    /no further validation rules will be run/.test(over) &&
    panics.test(panicked) &&
    [undefined, ruleOf(panicked)].includes(ruleOf(over)) &&
    own.slice(0, last).every((one, at) => isAlike(theirs[at] ?? '', one))
  );
}

function isOfSets(oracle: string, ours: string): boolean {
  return /'no such overload'.* for rule: .*\bsets\./s.test(oracle) && !ours.includes('no such overload');
}

/** Of expressions that are drawn from a grammar. */
export const knownOfExpressions: readonly KnownDifference[] = [
  {
    row: "lists and maps of an object in CEL's sets, beside elements of another type",
    explains: (difference, { oracle, ours }) =>
      (isCause(difference.path) || isMessage(difference)) &&
      areCausesAlike(oracle.body, ours.body, (one, other) => one === other || isOfSets(one, other)),
  },
  {
    row: 'an update of a custom object that holds fields which its schema does not declare',
    parts: true,
    explains: (_, { oracle, ours }) => {
      // What is refused at the oracle is refused or warned of at ours, of each thing once.
      const warnings = ours.headers['warning']?.match(/299 - /g)?.length ?? 0;
      const refused = ours.status === 422 ? faultsIn(ours.body) : [];
      const others = faultsIn(oracle.body);
      const areTold = refused.every((fault) => {
        const at = others.findIndex((other) => isAlike(other, fault));
        if (at >= 0) others.splice(at, 1);
        return at >= 0;
      });
      const isEachTold = warnings >= new Set(others).size && warnings <= others.length;
      return oracle.status === 422 && warnings > 0 && areTold && isEachTold;
    },
  },
  {
    row: undefined, // the oracle did not evaluate it in the time that a write has
    explains: (_, { request, oracle }) =>
      /\/costly\d+s\?/.test(request.path) &&
      oracle.status === 504 &&
      messageIn(oracle.body).startsWith('Timeout: '),
  },
  {
    row: '`lists.range` of more than a million elements',
    explains: (_, { oracle, ours }) =>
      oracle.status === 504 && /lists\.range: more than 1000000 elements/.test(JSON.stringify(ours.body)),
  },
  {
    row: 'why CEL cannot parse an address, a network, a URL or a semantic version; what it cannot compare',
    explains: (difference, { oracle, ours }) =>
      (isCause(difference.path) || isMessage(difference)) &&
      oracle.status === ours.status &&
      (areCausesAlike(oracle.body, ours.body, isAlike) || isEndedByCost(oracle.body, ours.body)),
  },
];
