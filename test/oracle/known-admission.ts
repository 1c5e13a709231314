import { isText, type KnownDifference } from './known-difference.ts';
import { messageIn } from './known-messages.ts';

/** A fault that ANTLR tells, with the lines that show where it is. */
const syntaxErrorPattern = /ERROR: <input>:\d+:\d+: Syntax error: .*?\n \| [^\n]*\n \| [.^]*\n?/gs;

/** Of policies and webhooks. */
export const knownOfAdmission: readonly KnownDifference[] = [
  {
    row: undefined, // types of policies are checked by a controller
    explains: ({ path }, { request }) =>
      request.path.includes('/validatingadmissionpolicies') &&
      (path.at(-1) === 'resourceVersion' || path.includes('status') || path.includes('managedFields')),
  },
  {
    row: 'CEL syntax errors',
    explains: ({ path, oracle, ours }, { request }) => {
      const isPolicy =
        /\/(?:(?:validating|mutating)(?:webhookconfigurations|admissionpolicies)|deviceclasses|resourceclaim(?:template)?s)/.test(
          request.path,
        );
      if (typeof oracle !== 'string' || typeof ours !== 'string') return false;
      const plain = (value: string) => value.replace(syntaxErrorPattern, '');
      const errorsIn = (value: string) => (value.match(syntaxErrorPattern) ?? []).map((one) => one.trimEnd());
      const [theirs, own] = [errorsIn(oracle), errorsIn(ours)];
      const isTold = path.at(-1) === 'message' && own.length > 0;
      return isPolicy && isTold && plain(oracle) === plain(ours) && own.every((one) => theirs.includes(one));
    },
  },
  {
    row: 'auditAnnotations of a ValidatingAdmissionPolicy, the action `Audit` of its bindings',
    explains: ({ path, oracle, ours }) =>
      path.join() === 'header,warning' && oracle === undefined && /keeps no audit log/.test(String(ours)),
  },
  {
    row: 'a PUT without uid, creationTimestamp or resourceVersion, as mutating webhooks and policies see it',
    explains: (_, { request, oracle }) =>
      request.method === 'PUT' &&
      /no such key: (?:uid|creationTimestamp|resourceVersion)"/.test(JSON.stringify(oracle.body)),
  },
  {
    row: 'a PUT without uid, creationTimestamp or resourceVersion, as mutating webhooks and policies see it',
    explains: ({ path, oracle }, { request }) =>
      request.method === 'PUT' &&
      path[1] === 'reviews' &&
      ((path.at(-3) === 'object' &&
        oracle === undefined &&
        /^(?:uid|creationTimestamp|resourceVersion)$/.test(String(path.at(-1)))) ||
        // It is the first of the two that is seen.
        path.slice(-3).join('.') === 'oldObject.metadata.resourceVersion'),
  },
  {
    row: undefined, // each side's calls have uids of their own, numbered in the order in which they are seen
    explains: ({ path, oracle, ours }) =>
      path[1] === 'reviews' &&
      path.at(-1) === 'uid' &&
      [oracle, ours].every((uid) => /^<uid \d+>$/.test(String(uid))),
  },
  {
    row: 'a JSON patch of a MutatingAdmissionPolicy that leaves what cannot be decoded; unknown fields in it',
    parts: true,
    explains: (_, { oracle, ours }) =>
      oracle.status === 500 &&
      // Without it a further patch may not apply.
      (ours.status < 300 || /^policy .* JSON Patch: /.test(messageIn(ours.body))) &&
      /strict decoding error: unknown field/.test(JSON.stringify(oracle.body)),
  },
  {
    row: "reason of a webhook's refusal",
    explains: ({ path, oracle, ours }, exchange) =>
      path.join('.') === 'body.reason' &&
      isText(oracle) &&
      ours === undefined &&
      /admission webhook/.test(JSON.stringify(exchange.oracle.body)),
  },
];
