import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { RawRequest } from '../harness/raw-http.ts';
import type { KnownDifference } from './known-difference.ts';

const isReview = ({ path }: RawRequest) => /\/apis\/auth(?:entic|oriz)ation\.k8s\.io\/.*reviews/.test(path);

/** A message with its `[… not found, … not found]` in order. */
function sortedAbsence(message: string): string {
  return message.replace(/\[((?:cluster)?roles?(?:bindings)?\.[^\]]* not found)\]/, (_, list: string) =>
    list.split(', ').sort().join(),
  );
}

/** What a SelfSubjectRulesReview tells, in order. */
function sortedRules(body: JsonValue): string {
  const status = isJsonObject(body) && isJsonObject(body['status']) ? body['status'] : {};
  const sorted = Object.entries(status).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map((rule) => JSON.stringify(rule)).sort() : sortedAbsence(String(value)),
  ]);
  return JSON.stringify(sorted);
}

/** Of rights, and of reviews of them. */
export const knownOfRights: readonly KnownDifference[] = [
  {
    row: 'managedFields of TokenRequests and reviews',
    explains: ({ path, ours }, { request }) =>
      path.join('.') === 'body.metadata.managedFields' &&
      ours === undefined &&
      (isReview(request) || request.path.includes('/token')),
  },
  {
    row: 'paths below `/healthz`, `/livez` and `/readyz`, for those who hold no right to them',
    explains: (_, { request, oracle, ours }) =>
      /^\/(?:healthz|livez|readyz)\/./.test(request.path) && oracle.status === 403 && ours.status !== 403,
  },
  {
    row: '`/metrics` of a workspace',
    explains: (_, { request, oracle, ours }) =>
      request.path === '/metrics' && oracle.status === 200 && ours.status === 501,
  },
  {
    row: undefined, // bindings come out of a map of Go's: in any order, by any of which a request may be let in
    explains: (difference, { request, oracle, ours }) => {
      const [one, other] = [difference.oracle, difference.ours].map(String) as [string, string];
      if (difference.path.includes('status') && request.path.includes('/selfsubjectrulesreviews'))
        return sortedRules(oracle.body) === sortedRules(ours.body);
      const letIn = /^RBAC: allowed by /;
      return (letIn.test(one) && letIn.test(other)) || sortedAbsence(one) === sortedAbsence(other);
    },
  },
];
