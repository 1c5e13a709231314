import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import { isAbsent, type KnownDifference } from './known-difference.ts';
import { isMessage } from './known-messages.ts';

const messageOf = (body: unknown) =>
  String(isJsonObject(body as JsonObject) ? (body as JsonObject)['message'] : body);
const front = /^(?:audit-id|cache-control|x-kubernetes-pf-.*)$/;
const isSlow = /request did not complete within the allotted timeout/;

/** Of what stands behind APIServices: the answers are another server's, so that little else is to differ. */
export const knownOfAggregation: readonly KnownDifference[] = [
  {
    row: 'errors',
    explains: ({ path, oracle }) => path.join() === 'header,x-content-type-options' && oracle === undefined,
  },
  {
    row: 'every object of a workspace',
    explains: ({ path, oracle }) => path.at(-1) === 'annotations' && isAbsent(oracle),
  },
  {
    row: 'who may do nothing in a workspace',
    explains: (difference, { request, oracle, ours }) =>
      (isMessage(difference) && `${String(difference.oracle)}: access denied` === difference.ours) ||
      (request.headers?.['impersonate-user'] === 'eve' && oracle.status === 200 && ours.status === 403),
  },
  {
    row: 'the path and the query of what is passed on to a server behind an APIService',
    explains: ({ path, oracle, ours }, exchange) =>
      (['url', 'x-forwarded-uri'].includes(String(path.at(-1))) && plainUrl(oracle) === plainUrl(ours)) ||
      (exchange.ours.status === 400 && messageOf(exchange.ours.body) === 'the path has dot segments'),
  },
  {
    row: '`Location` of an answer of a server behind an APIService',
    explains: ({ path, oracle, ours }) =>
      path.join() === 'header,location' && String(oracle).replace(/^https:\/\/[^/]*/, '') === ours,
  },
  {
    row: 'why a server behind an APIService cannot be understood, or breaks off',
    explains: ({ path }, { oracle, ours }) =>
      path.join() === 'body' &&
      oracle.status === ours.status &&
      (oracle.status === 0 || /^error trying to reach service: net\/http: HTTP/.test(String(oracle.body))),
  },
  {
    row: 'an answer of a server behind an APIService that does not come in time',
    explains: (_, { oracle, ours }) =>
      oracle.status === 504 &&
      ours.status === 504 &&
      isSlow.test(messageOf(oracle.body)) &&
      isSlow.test(messageOf(ours.body)),
  },
  {
    row: 'a refusal to change the protocol, of a server behind an APIService',
    explains: ({ path, oracle, ours }) =>
      (path[0] === 'header' && front.test(String(path[1])) && oracle === undefined) ||
      (path.join() === 'body,ended' && oracle === false && ours === true),
  },
  {
    row: 'aggregated discovery',
    explains: ({ path, oracle }) =>
      (path.includes('responseKind') && oracle === '') || (path.at(-1) === 'verbs' && oracle === null),
  },
  {
    row: 'resources of a server behind an APIService that is away, in aggregated discovery',
    explains: ({ path, oracle }, { oracle: { body } }) =>
      path.at(-1) === 'resources' && isAbsent(oracle) && JSON.stringify(body).includes('"Stale"'),
  },
  {
    row: 'methods other than GET on `/`, `/apis`, `/healthz`',
    explains: (_, { request, ours }) => /^\/apis\/[^/]*$/.test(request.path) && ours.status === 405,
  },
  {
    row: undefined, // who writes conditions; definitions of Kubernetes' own, which each server has its own of
    explains: ({ path, oracle, ours }) =>
      (path.at(-1) === 'manager' && oracle === 'kube-apiserver' && ours === 'cellplane') ||
      (path.at(-1) === '$ref' && `${String(oracle)}_v2` === ours),
  },
];

function plainUrl(url: unknown): string {
  const { pathname, searchParams } = new URL(String(url), 'https://x');
  const readable = [...searchParams].filter(([name, value]) => !/[;%]/.test(name + value)).sort();
  return JSON.stringify([decodeURIComponent(pathname), readable]);
}
