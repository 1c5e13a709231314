import { isAbsent, type KnownDifference } from './known-difference.ts';
import { messageIn } from './known-messages.ts';

const twice = /already set in map/;
const exponent = /cannot unmarshal number (?:\d+e\d+|\d{19,})/;

/** Of bodies that cannot be read, or not in whole. */
export const knownOfBodies: readonly KnownDifference[] = [
  {
    row: 'a field that is twice in YAML',
    explains: ({ path, oracle }, exchange) =>
      path.at(-1) === 'message' || path.join() === 'header,warning'
        ? twice.test(String(oracle)) && /duplicate field/.test(JSON.stringify(exchange.ours))
        : false,
  },
  {
    row: 'what is told of YAML that cannot be parsed',
    explains: ({ path }, { request, oracle, ours }) =>
      request.contentType === 'application/yaml' &&
      path.at(-1) === 'message' &&
      oracle.status === 400 &&
      ours.status === 400 &&
      /: (?:yaml: |unsupported map key of type)/.test(messageIn(oracle.body)),
  },
  {
    // An empty key, which is taken.
    row: 'what is told of YAML that cannot be parsed',
    parts: true,
    explains: (_, { request, oracle, ours }) =>
      request.contentType === 'application/yaml' &&
      oracle.status === 400 &&
      ours.status !== 400 &&
      /: yaml: line \d+: did not find expected key/.test(messageIn(oracle.body)) &&
      /^[ \t]*: /m.test(String(request.body)),
  },
  {
    row: 'numbers of built-in kinds that JSON writes with an exponent (`1e3`), or beyond 64 bits',
    parts: true,
    explains: ({ path, ours }, exchange) =>
      exchange.oracle.status === 400 &&
      exponent.test(messageIn(exchange.oracle.body)) &&
      (exchange.ours.status < 300 || isAbsent(ours) || path.at(-1) === 'message'),
  },
];
