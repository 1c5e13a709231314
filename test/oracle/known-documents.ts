import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { KnownDifference } from './known-difference.ts';
import type { NormalAnswer } from './normalise.ts';

/** What only workspaces have: its groups, paths and schemas. */
const ownPattern = /\b(?:kcp|karmada|cellplane)\.io\b|\bio\.(?:kcp|karmada|cellplane)\./;
/** Alphas and betas behind gates that are off in kube-apiserver, and what nothing else refers to. */
const gatedPattern =
  /\b(?:certificates\.k8s\.io\/v1(?:alpha|beta)1|scheduling\.k8s\.io\/v1alpha2|storagemigration\.k8s\.io)|\bio\.k8s\.api\.(?:certificates\.v1(?:alpha|beta)1|scheduling\.v1alpha2|storagemigration\.v1beta1)\.|\bmeta\.v1\.GroupResource$/;
const atNodesPattern = /\b(?:pods|nodes|services)(?:\/\{name\})?\/(?:attach|exec|log|portforward|proxy)\b/;
const atNodes = /^(?:attach|exec|log|portforward|proxy)$/;
/** Paths that belong to no group version, and the schemas of what is answered there. */
const aroundPattern =
  /^\w+ \/(?:api|apis(?:\/[^/]+)?|version|\.well-known\/openid-configuration|openid\/v1\/jwks)\/$|^schema io\.k8s\.apimachinery\.pkg\.(?:apis\.meta\.v1\.(?:APIGroup(?:List)?|APIVersions|GroupVersionForDiscovery|ServerAddressByClientCIDR)|version\.Info)$/;
/** Their hash says `v1beta1`, which is listed first in the scheme of their codec, or in which they are stored. */
const storedInBeta =
  /^resources (?:mutatingadmissionpolic(?:ies|ybindings)|customresourcedefinitions|devicetaintrules)$/;
const customPattern = /\.oracle\.example\.com\b/;
const times = new Set(['lastTransitionTime', 'eventTime', 'lastObservedTime']);

const isNone = (value: JsonValue | undefined) => value === null || value === undefined;
const isZero = (value: JsonValue | undefined) =>
  value === '' || value === 0 || value === false || (isJsonObject(value) && Object.keys(value).length === 0);

/** Names in the order of a list, without those that are not looked at. */
function namesIn({ body }: NormalAnswer, isLeftOut: (name: string) => boolean): JsonValue[] {
  const order = isJsonObject(body) ? body['order'] : undefined;
  return Array.isArray(order) ? order.filter((name) => !isLeftOut(String(name))) : [];
}

/** Versions of a group that both serve, in their order. */
function sharedVersions(value: JsonValue | undefined): JsonValue[] {
  const list = Array.isArray(value) ? value : [];
  return list.filter((one) => !gatedPattern.test(isJsonObject(one) ? String(one['groupVersion']) : ''));
}

/** Of discovery and OpenAPI. Parts that one side alone has are `null` at the other. */
export const knownOfDocuments: readonly KnownDifference[] = [
  {
    row: undefined, // kinds of workspaces, placement and federation
    explains: ({ path, oracle }, { part }) =>
      isNone(oracle) && (ownPattern.test(part ?? '') || ownPattern.test(String(path.at(-1)))),
  },
  {
    row: "versions of Kubernetes' own groups",
    explains: ({ path, oracle }, { part }) =>
      isNone(oracle) && (gatedPattern.test(part ?? '') || gatedPattern.test(String(path.at(-1)))),
  },
  {
    row: "versions of Kubernetes' own groups",
    explains: ({ path }, { oracle, ours }) => {
      if (path[1] !== 'versions' || !isJsonObject(oracle.body) || !isJsonObject(ours.body)) return false;
      const [theirs, own] = [oracle.body['versions'], ours.body['versions']];
      return JSON.stringify(theirs) === JSON.stringify(sharedVersions(own));
    },
  },
  {
    row: undefined, // what both have stands in the same order
    explains: ({ path }, { request, part, oracle, ours }) => {
      const group = part?.startsWith('group ') === true ? part.slice('group '.length) : '';
      const isLeftOut = (name: string) =>
        ownPattern.test(name) ||
        gatedPattern.test(group === '' ? name : `${group}/${name}`) ||
        atNodesPattern.test(name);
      const [theirs, own] = [namesIn(oracle, isLeftOut), namesIn(ours, isLeftOut)];
      // Those of a group of custom kinds come out of a map of Go's.
      if (customPattern.test(`${request.path} ${part}`)) for (const names of [theirs, own]) names.sort();
      return path[1] === 'order' && JSON.stringify(theirs) === JSON.stringify(own);
    },
  },
  {
    row: 'group versions of DeleteOptions and WatchEvent in OpenAPI v2',
    explains: ({ path, ours }, { request, part }) =>
      (request.path === '/openapi/v2' || customPattern.test(request.path)) &&
      /\.(?:DeleteOptions|WatchEvent)$/.test(part ?? '') &&
      path[1] === 'x-kubernetes-group-version-kind' &&
      ours === undefined,
  },
  {
    row: 'parameters `shardSelector` and `ignoreStoreReadErrorWithClusterBreakingPotential` in OpenAPI',
    explains: ({ path, ours }) =>
      /^query (?:shardSelector|ignoreStoreReadErrorWithClusterBreakingPotential)$/.test(
        String(path.at(-1)),
      ) && ours === undefined,
  },
  {
    row: 'zero values of fields as OpenAPI defaults (`""`, `{}`, `0`)',
    explains: ({ path, oracle, ours }) => path.at(-1) === 'default' && isZero(oracle) && ours === undefined,
  },
  {
    row: 'descriptions of built-in kinds and of columns',
    explains: ({ path, ours }) => path.at(-1) === 'description' && typeof ours === 'string' && ours !== '',
  },
  {
    row: 'aggregated discovery',
    explains: ({ path, oracle }) => path.at(-2) === 'responseKind' && oracle === '',
  },
  {
    row: '`storageVersionHash` of CRDs, MutatingAdmissionPolicies, their bindings and DeviceTaintRules',
    explains: ({ path }, { part }) => path.at(-1) === 'storageVersionHash' && storedInBeta.test(part ?? ''),
  },
  {
    row: '`pods/log`, `exec`, `attach`, `portforward`, `proxy`; proxies of nodes and services',
    explains: ({ path, ours }, { part }) =>
      isNone(ours) &&
      (atNodesPattern.test(part ?? '') ||
        (path.at(-2) === 'subresources' && atNodes.test(String(path.at(-1))))),
  },
  {
    row: 'times that are required in OpenAPI (`lastTransitionTime`, `eventTime`)',
    explains: ({ path, oracle, ours }) => {
      if (path.at(-1) === 'required' && isJsonObject(oracle))
        return ours === undefined && Object.keys(oracle).every((name) => times.has(name));
      return path.at(-2) === 'required' && times.has(String(path.at(-1))) && ours === undefined;
    },
  },
  {
    row: 'Accept and `/version`, `/openapi/v3`',
    explains: ({ path, oracle }, { request }) =>
      request.path === '/openapi/v3' &&
      path.join() === 'header,content-type' &&
      /^text\/plain/.test(String(oracle)),
  },
  {
    row: '`/api` and `/apis` as plain JSON',
    explains: ({ path, oracle, ours }) =>
      path.join() === 'header,vary' && oracle === undefined && ours === 'Accept',
  },
  {
    row: undefined, // each says of which build it is
    explains: ({ path, ours }, { request }) =>
      request.path === '/version' &&
      /^(?:git(?:Version|Commit|TreeState)|buildDate|goVersion|compiler|platform)$/.test(String(path[1])) &&
      typeof ours === 'string',
  },
  {
    row: '`serverAddressByClientCIDRs`',
    explains: ({ path }) => path[1] === 'serverAddressByClientCIDRs',
  },
  {
    row: 'OpenAPI of groups without a version, of `/version` and the like',
    explains: ({ path, ours }, { request, part }) =>
      isNone(ours) &&
      (aroundPattern.test(part ?? '') ||
        (request.path === '/openapi/v3' && path[1] === 'paths' && !/^apis?\/.*v\d/.test(String(path[2])))),
  },
  {
    row: undefined, // hashes of what differs, and where each server's root is
    explains: ({ path, oracle, ours }, { request }) => {
      const plain = (url: JsonValue | undefined) =>
        String(url)
          .replace(/^\/clusters\/[^/]+/, '')
          .replace(/\?hash=[0-9A-F]{128}$/, '');
      return (
        request.path === '/openapi/v3' && path.at(-1) === 'serverRelativeURL' && plain(oracle) === plain(ours)
      );
    },
  },
];
