import type { JsonValue } from '#apimachinery/json.ts';

import { equalJson, isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import type { RawRequest } from '../harness/raw-http.ts';
import { customGroup } from './custom.ts';
import type { Difference } from './differences.ts';
import { knownOfApplied } from './known-applied.ts';
import { knownOfCustomKinds } from './known-custom.ts';
import type { Exchange, KnownDifference } from './known-difference.ts';
import { knownOfExpressions } from './known-expressions.ts';
import { isCause, isMessage, sortedCauses } from './known-messages.ts';
import { areOwnedAlike, type IsLeftOut, ownedWithout } from './known-owners.ts';
import type { NormalAnswer } from './normalise.ts';

const ends = (difference: Difference, ...segments: readonly string[]) =>
  segments.every((segment, at) => difference.path.at(at - segments.length) === segment);
const isEmpty = (value: JsonValue | undefined) => Array.isArray(value) && value.length === 0;
const isAbsent = (value: JsonValue | undefined) => value === undefined || value === null;

const isOwner = (oracle: JsonValue | undefined, ours: JsonValue | undefined) =>
  isJsonObject(oracle) && ours === undefined;

const isText = (value: JsonValue | undefined) => typeof value === 'string' && value !== '';
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
function generationOf({ body }: NormalAnswer): JsonValue | undefined {
  const metadata = isJsonObject(body) ? body['metadata'] : undefined;
  return isJsonObject(metadata) ? metadata['generation'] : undefined;
}
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

/** Of which resource a request is, as its path has it. */
const isOf = (path: string, resource: string) => new RegExp(`/${resource}(?:[/?]|$)`).test(path);

/** Fields that a strategy gives, changes or takes away after kube-apiserver has noted who wrote what. */
const settled: readonly { readonly resource: string; readonly path: string }[] = [
  { resource: 'leases', path: 'f:spec.f:strategy' },
  { resource: 'leases', path: 'f:spec.f:preferredHolder' },
  { resource: 'persistentvolumeclaims', path: 'f:spec.f:dataSource' },
  { resource: 'persistentvolumeclaims', path: 'f:spec.f:dataSourceRef' },
  { resource: 'persistentvolumes', path: 'f:status.f:lastPhaseTransitionTime' },
  { resource: 'nodes', path: 'f:spec.f:configSource' },
  { resource: 'csidrivers', path: 'f:spec.f:preventPodSchedulingIfMissing' },
  { resource: 'pods', path: 'f:status.f:nodeAllocatableResourceClaimStatuses' },
  { resource: 'daemonsets', path: 'f:metadata.f:annotations.f:deprecated.daemonset.template.generation' },
  {
    resource: 'horizontalpodautoscalers',
    path: 'f:metadata.f:annotations.f:autoscaling.alpha.kubernetes.io/current-metrics',
  },
  {
    resource: 'horizontalpodautoscalers',
    path: 'f:metadata.f:annotations.f:autoscaling.alpha.kubernetes.io/conditions',
  },
];

/** Fields of pods behind gates that are off: as those, in every kind that makes pods. */
const gatedPattern = /(?:^|\.)f:(?:schedulingGroup|stopSignal|clusterTrustBundle|podCertificate)$/;

/** Whether nobody owns anything else than at the oracle, but for fields that are settled or, there, `null`. */
function isOwnedAlike({ path }: Difference, { request, oracle, ours }: Exchange, settles: boolean): boolean {
  if (path[0] !== 'body' || path[1] !== 'metadata' || path[2] !== 'managedFields') return false;
  const mine = settled.filter((one) => settles && isOf(request.path, one.resource));
  const isLeftOut: IsLeftOut = (at, value) =>
    value === null ||
    (settles && gatedPattern.test(at)) ||
    mine.some((one) => one.path === at || (one.path.startsWith(`${at}.`) && at.endsWith('f:annotations')));
  return (
    ownedWithout(oracle.body, oracle.body, isLeftOut) === ownedWithout(ours.body, oracle.body, isLeftOut)
  );
}

/** What Go quotes between `patch: Invalid value: ` and the reason. */
const patchPattern = /patch: Invalid value: "(?:[^"\\]|\\.)*": |^Invalid value: "[[{](?:[^"\\]|\\.)*": /s;
function sameWithoutPatch({ oracle, ours }: Difference): boolean {
  const without = (value: JsonValue | undefined) => String(value).replace(patchPattern, '');
  return patchPattern.test(String(ours)) && without(oracle) === without(ours);
}

/** A fault that ANTLR tells, with the lines that show where it is. */
const syntaxErrorPattern = /ERROR: <input>:\d+:\d+: Syntax error: .*?\n \| [^\n]*\n \| [.^]*\n?/gs;

/** Whether two refusals, or a refusal and what was written, differ in nothing but causes of one sort. */
function differInCauses(oracle: NormalAnswer, ours: NormalAnswer, isMeant: RegExp): boolean {
  const others = ({ status, body }: NormalAnswer) => {
    const causes = sortedCauses(body);
    if (Array.isArray(causes)) return causes.filter((cause) => !isMeant.test(String(cause)));
    return status < 300 ? [] : undefined;
  };
  if (![oracle, ours].some(({ body }) => isMeant.test(String(sortedCauses(body))))) return false;
  const [theirs, own] = [others(oracle), others(ours)];
  return theirs !== undefined && own !== undefined && theirs.join() === own.join();
}

/** Causes without the words of Go's parsers of what is in PEM. */
function withoutParsers(body: JsonValue): string {
  const words =
    /(Invalid value: \\*"(?:[\w+/=]+|<certificate data>)\\*"): (?:asn1|x509|crypto|ecdsa|rsa|P\d+)[^"\]]*?(?=, s(?:pec|tatus)\.|"|\])/g;
  return JSON.stringify(body).replace(words, '$1: …');
}

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

export const knownDifferences: readonly KnownDifference[] = [
  ...knownOfApplied,
  ...knownOfCustomKinds,
  ...knownOfExpressions,
  {
    row: 'every object of a workspace',
    explains: (difference) =>
      isAbsent(difference.oracle) &&
      (ends(difference, 'annotations', 'kcp.io/cluster') ||
        (ends(difference, 'annotations') &&
          isJsonObject(difference.ours) &&
          Object.keys(difference.ours).join() === 'kcp.io/cluster')),
  },
  {
    row: 'a required list that is absent, times that were never set',
    explains: ({ oracle, ours }) => oracle === null && (ours === undefined || isEmpty(ours)),
  },
  {
    row: 'a required list that is absent, times that were never set',
    explains: ({ path, oracle, ours }, exchange) => {
      const owned = String(path.at(-1));
      const printed = `${JSON.stringify(owned.slice(2))}:null`;
      const isOwned = isJsonObject(oracle) && path.includes('fieldsV1') && owned.startsWith('f:');
      return isOwned && ours === undefined && JSON.stringify(exchange.oracle.body).includes(printed);
    },
  },
  {
    row: 'a required list that is absent, times that were never set',
    explains: (difference, exchange) => isOwnedAlike(difference, exchange, false),
  },
  {
    row: 'a required list that is absent, times that were never set',
    explains: ({ path, ours }, { request }) =>
      path.includes('fieldsV1') &&
      ours === undefined &&
      ((isOf(request.path, 'csinodes') && path.at(-1) === 'f:topologyKeys') ||
        (isOf(request.path, 'events') && path.at(-2) === 'f:series' && path.at(-1) === '.')),
  },
  {
    row: "fields that a kind's strategy gives, changes or takes away (labels and selector of a Job, `spec.finalizers` of a namespace, `spec.dataSource` of a claim)",
    explains: (difference, exchange) => isOwnedAlike(difference, exchange, true),
  },
  {
    row: 'an item without the key of its list, owned fields within a pod template',
    explains: ({ path, oracle, ours }, { request }) =>
      path.join('.') === 'body.metadata.managedFields' &&
      oracle === undefined &&
      Array.isArray(ours) &&
      (['serviceaccounts', 'flowschemas', 'prioritylevelconfigurations'].some((one) =>
        isOf(request.path, one),
      ) ||
        /"template":.*"managedFields":/s.test(String(request.body))),
  },
  {
    row: "fields that a kind's strategy gives, changes or takes away (labels and selector of a Job, `spec.finalizers` of a namespace, `spec.dataSource` of a claim)",
    explains: ({ path, oracle, ours }, { request }) =>
      path.includes('fieldsV1') &&
      oracle === undefined &&
      ((isOf(request.path, 'jobs') &&
        (/controller-uid/.test(JSON.stringify(ours)) || path.at(-1) === 'f:selector')) ||
        (isOf(request.path, 'namespaces') && /"f:finalizers"/.test(JSON.stringify(ours)))),
  },
  {
    // Whoever updates next owns them, which is a change.
    row: "fields that a kind's strategy gives, changes or takes away (labels and selector of a Job, `spec.finalizers` of a namespace, `spec.dataSource` of a claim)",
    explains: ({ path, oracle, ours }, { request }) =>
      isOf(request.path, 'jobs') &&
      path.join('.') === 'body.metadata.resourceVersion' &&
      oracle === '<new revision>' &&
      ours === '<same revision>',
  },
  {
    row: 'a required list that is absent, times that were never set',
    explains: ({ path, oracle, ours }, { request }) =>
      // Forms of metadata do not show the `null` that is owned.
      request.path.includes('/csinodes') && path.at(-1) === 'f:topologyKeys' && isOwner(oracle, ours),
  },
  {
    row: 'ResourceQuota status',
    explains: ({ path, oracle }, { request }) =>
      request.path.includes('/resourcequotas') &&
      ((path.includes('status') && oracle === undefined) || (path.includes('cells') && oracle === '')),
  },
  {
    row: 'third cell of an IPAddress in a Table',
    explains: ({ path, oracle, ours }, { request }) =>
      request.path.includes('/ipaddresses') &&
      path.at(-2) === 'cells' &&
      oracle === '<age>' &&
      ours === undefined,
  },
  {
    row: 'annotation `deprecated.daemonset.template.generation` in Tables and PartialObjectMetadata',
    explains: ({ path, oracle, ours }, { request }) =>
      request.path.includes('/daemonsets') &&
      request.headers?.['accept']?.includes(';as=') === true &&
      ((oracle === undefined && path.at(-1) === 'deprecated.daemonset.template.generation') ||
        (isAbsent(oracle) && path.at(-1) === 'annotations' && isJsonObject(ours))),
  },
  {
    row: 'phase of a PersistentVolumeClaim that was just created',
    explains: ({ path, oracle, ours }, { request }) =>
      request.path.includes('/persistentvolumeclaims/') &&
      path.at(-1) === 'resourceVersion' &&
      oracle === '<new revision>' &&
      ours === '<same revision>',
  },
  {
    row: "fields that a kind's strategy takes away (`externalTrafficPolicy` of a Service without external addresses)",
    explains: ({ path, oracle, ours }, { request }) =>
      request.path.includes('/services/') &&
      path.at(-1) === 'f:externalTrafficPolicy' &&
      isOwner(oracle, ours),
  },
  {
    row: 'why a request for a certificate, or a certificate, cannot be parsed',
    explains: (difference, { request, oracle, ours }) =>
      isOf(request.path, 'certificatesigningrequests') &&
      (isMessage(difference) || isCause(difference.path)) &&
      withoutParsers(oracle.body) === withoutParsers(ours.body),
  },
  {
    row: 'certificates that hold what nobody can use: points beside the curve, times that are none',
    parts: true,
    explains: (_, { request, oracle, ours }) =>
      isOf(request.path, 'certificatesigningrequests') &&
      oracle.status === 422 &&
      ours.status !== oracle.status &&
      /status\.certificate: Invalid value/.test(JSON.stringify(oracle.body)),
  },
  {
    row: 'certificates that hold what nobody can use: points beside the curve, times that are none',
    explains: ({ path }, { request, oracle, ours }) =>
      isOf(request.path, 'certificatesigningrequests') &&
      oracle.status === 422 &&
      ours.status === 422 &&
      (isCause(path) || isMessage({ path })) &&
      differInCauses(oracle, ours, /"field":"status\.certificate"/),
  },
  {
    row: undefined, // flow control's controller looks for dangling schemas when it comes to it
    explains: ({ path }, { request, oracle, ours }) =>
      isOf(request.path, 'flowschemas') &&
      [oracle, ours].some(({ body }) => JSON.stringify(body).includes('"Dangling"')) &&
      (path.includes('status') || path.includes('managedFields') || path.at(-1) === 'resourceVersion'),
  },
  {
    row: undefined, // types of policies are checked by a controller
    explains: ({ path }, { request }) =>
      request.path.includes('/validatingadmissionpolicies') &&
      (path.at(-1) === 'resourceVersion' || path.includes('status') || path.includes('managedFields')),
  },
  {
    row: 'descriptions of built-in kinds and of columns',
    explains: ({ path, oracle, ours }) =>
      path.includes('columnDefinitions') &&
      path.at(-1) === 'description' &&
      isText(oracle) &&
      typeof ours === 'string',
  },
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
    row: 'a write of `/scale`',
    explains: ({ path }, { request, earlier, oracle, ours }) =>
      path.includes('managedFields') &&
      [request, ...(earlier ?? [])].some((one) => /\/scale(?:\?|$)/.test(one.path)) &&
      areOwnedAlike(oracle.body, ours.body, (at) => at === 'f:spec.f:replicas'),
  },
  {
    // The split is a change, of which the Scale shows the revision alone.
    row: 'a write of `/scale`',
    explains: ({ path, oracle, ours }, { request, earlier }) =>
      [request, ...(earlier ?? [])].some((one) => /\/scale(?:\?|$)/.test(one.path)) &&
      path.join('.') === 'body.metadata.resourceVersion' &&
      oracle === '<new revision>' &&
      ours === '<same revision>',
  },
  {
    row: 'generation of a Deployment, when its annotations change',
    explains: ({ path, oracle, ours }, { request, earlier }) =>
      isOf(request.path, 'deployments') &&
      path.at(-1) === 'generation' &&
      Number(oracle) > Number(ours) &&
      [request, ...(earlier ?? [])].some(({ body }) => String(body).includes('annotations')),
  },
  {
    row: 'generation of a Deployment, when its annotations change',
    explains: ({ path, oracle, ours }, { request, ...both }) =>
      // Its warnings are told again when the generation rises.
      request.path.includes('/deployments') &&
      path.join() === 'header,warning' &&
      isText(oracle) &&
      ours === undefined &&
      generationOf(both.oracle) !== generationOf(both.ours),
  },
  {
    row: 'a stream of metadata in the form of a list, or in YAML beside wrong parameters, and such a form of an object that is not there',
    explains: ({ path }, { request, oracle, ours }) => {
      if (ours.status !== 406) return false;
      // What has been written is warned of.
      if (oracle.status === 406)
        return path.join() === 'header,warning' && ours.headers['warning'] === undefined;
      // Another fault is told, or a deletion's Status, which is in no form.
      if (/you requested PartialObjectMetadata/.test(JSON.stringify(ours.body)))
        return oracle.status >= 400 || request.method === 'DELETE';
      const accept = String(request.headers?.['accept']);
      const isStream = /[?/&]watch[=/]/.test(request.path);
      if (oracle.status === 200) return isStream && accept.includes('as=PartialObjectMetadataList');
      return isStream && oracle.status === 422 && /yaml|as=PartialObjectMetadataList/.test(accept);
    },
  },
  {
    row: 'what a 406 names: the kind of a Scale, protobuf for streams of custom kinds',
    explains: (difference, { oracle, ours }) => {
      const plain = (value: JsonValue | undefined) =>
        String(value)
          .replace(/\(\*(?:autoscaling\.Scale|apps\.\w+)\)$/, '(…)')
          .replace(', application/vnd.kubernetes.protobuf;stream=watch', '');
      const isBoth = oracle.status === 406 && ours.status === 406;
      return isBoth && isMessage(difference) && plain(difference.oracle) === plain(difference.ours);
    },
  },
  {
    row: 'list with `resourceVersion=0` and `limit`',
    explains: ({ path }, { request, oracle, ours }) => {
      const query = new URL(request.path, 'http://x').searchParams;
      const isMeant = query.get('resourceVersion') === '0' && Number(query.get('limit')) > 0;
      const isPage =
        path[1] === 'items' || path[1] === 'rows' || path.slice(1).join('.') === 'metadata.continue';
      const isCounted = path.slice(1).join('.') === 'metadata.remainingItemCount';
      return isMeant && oracle.status === 200 && ours.status === 200 && (isPage || isCounted);
    },
  },
  {
    row: 'malformed resourceVersion of a read or watch, resourceVersion in a POST',
    explains: (_, { request, oracle, ours }) =>
      oracle.status === 500 &&
      ours.status === 400 &&
      (/strconv\.ParseUint/.test(JSON.stringify(ours.body)) ||
        (ours.body === '<protobuf>' && /[?&]resourceVersion=(?!\d+(?:&|$))/.test(request.path))),
  },
  {
    row: 'malformed resourceVersion of a read or watch, resourceVersion in a POST',
    explains: ({ path, ours }, { request }) =>
      path.join('.') === 'body.metadata.resourceVersion' &&
      request.method === 'POST' &&
      request.path.includes('dryRun=All') &&
      isAbsent(ours),
  },
  {
    row: 'a `timeout` below zero',
    explains: (_, { request, ours }) => ours.status === 400 && /[?&]timeout=-/.test(request.path),
  },
  {
    row: undefined, // an etcd before 3.4.25 tells no progress, which its kube-apiserver then does without
    explains: ({ path }, { oracle, ours }) =>
      (path[1] === 'events' || (oracle.status === 504 && ours.status === 200)) &&
      /feature RequestWatchProgress is disabled|Too large resource version/.test(JSON.stringify(oracle.body)),
  },
  {
    row: '`selfLink` that an update writes',
    explains: ({ path }) => path.at(-1) === 'selfLink',
  },
  {
    row: 'order of what is wrong with an object of a built-in kind',
    explains: ({ path }, { request, oracle, ours }) =>
      !request.path.includes(customGroup) &&
      (isCause(path) || isMessage({ path })) &&
      sameCauses(oracle.body, ours.body),
  },
  {
    row: 'a Service whose addresses cannot be allocated',
    explains: (_, { request, oracle, ours }) => {
      const causes = sortedCauses(oracle.body);
      const isOfAddresses = (cause: JsonValue) =>
        /"field":"spec\.(?:ipFamil(?:ies|yPolicy)|clusterIPs?)/.test(String(cause));
      return (
        isOf(request.path, 'services') &&
        oracle.status === 422 &&
        ours.status === 422 &&
        Array.isArray(causes) &&
        causes.every(isOfAddresses)
      );
    },
  },
  {
    row: undefined, // an etcd tells of more in its range than what the selector takes
    explains: ({ path, ours }, { request }) =>
      (request.method === 'DELETE' || /[?&](?:label|field)Selector=/.test(request.path)) &&
      path.join('.') === 'body.metadata.continue' &&
      isAbsent(ours),
  },
  {
    row: 'continue tokens',
    explains: (difference, { oracle, ours }) =>
      (oracle.status === 410 || oracle.status === 400) &&
      ((ours.status === 410 && isMessage(difference)) ||
        /^invalid continue token/.test(String(isJsonObject(ours.body) ? ours.body['message'] : ''))),
  },
  {
    row: undefined, // a name that each server makes up itself
    explains: ({ oracle, ours }, { request }) => {
      const given = /"generateName":"((?:[^"\\]|\\.)+)"/.exec(String(request.body))?.[1];
      if (given === undefined || typeof oracle !== 'string' || typeof ours !== 'string') return false;
      const made = (text: string) =>
        text
          .split(given)
          .map((part) => part.replace(/^[bcdfghjklmnpqrstvwxz2456789]{5}/, '<chance>'))
          .join(given);
      return made(oracle) === made(ours);
    },
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
      ours.status < 300 &&
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
  {
    row: 'scaleIO volume without secretRef',
    parts: true,
    explains: (_, { oracle, ours }) => differInCauses(oracle, ours, /scaleIO\.secretRef/),
  },
  {
    row: 'generation, when an empty list or map stands where nothing stood',
    explains: ({ path }, { request, earlier }) => {
      // That it is another is a write, and whoever writes it owns it.
      const isTold = ['generation', 'resourceVersion', 'managedFields'].some((one) => path.includes(one));
      const written = [request, ...(earlier ?? [])].map(({ body }) => String(body));
      if (isOf(request.path, 'endpointslices'))
        return isTold && written.some((body) => body.includes('deprecatedTopology'));
      return (
        isTold &&
        /\/(?:networkpolicies|\w+webhookconfigurations)\//.test(request.path) &&
        written.some((body) => /:(?:\[\]|\{\})/.test(body))
      );
    },
  },
  {
    row: 'an empty list in the metadata of a volumeClaimTemplate (`finalizers: []`)',
    parts: true,
    explains: (_, { request, oracle, ours }) =>
      /"volumeClaimTemplate":.*"(?:finalizers|ownerReferences|managedFields)":\[\]/s.test(
        String(request.body),
      ) && differInCauses(oracle, ours, /volumeClaimTemplate\.metadata\.\w+".*Forbidden: cannot be set/),
  },
  {
    row: undefined, // what each server calls itself, and whether a second has passed between two of its writes
    explains: ({ path, oracle, ours }, { request }) =>
      isOf(request.path, 'customresourcedefinitions') &&
      ((path.at(-1) === 'manager' && oracle === 'kube-apiserver' && ours === 'cellplane') ||
        path.slice(-2).join(' ') === 'k:{"type":"Terminating"} f:lastTransitionTime'),
  },
  {
    // `conditions: null` stands there before the first one.
    row: 'a required list that is absent, times that were never set',
    explains: ({ path, oracle }, { request }) =>
      isOf(request.path, 'customresourcedefinitions') &&
      path.slice(-3).join(' ') === 'f:status f:conditions .' &&
      oracle === undefined,
  },
  {
    row: 'CRDs',
    explains: ({ path, oracle, ours }, { request }) =>
      isOf(request.path, 'customresourcedefinitions') &&
      oracle === undefined &&
      (path.at(-1) === 'finalizers' ||
        (path.at(-2) === 'finalizers' && ours === 'customresourcecleanup.apiextensions.k8s.io') ||
        (path.includes('fieldsV1') &&
          (String(path.at(-1)) === 'v:"customresourcecleanup.apiextensions.k8s.io"' ||
            JSON.stringify(ours).includes('"f:finalizers"')))),
  },
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
    row: undefined, // documents about each server: its keys, its version, its groups
    explains: ({ path }, { request, oracle, ours }) =>
      (path[0] === 'body' || (path[0] === 'header' && request.path !== '/openid/v1/jwks')) &&
      oracle.status === 200 &&
      ours.status === 200 &&
      /^\/(?:\.well-known\/.*|openid\/.*|openapi\/v3|version\/?|api\/?|apis\/?)?$/.test(request.path),
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
  {
    row: 'items of lists',
    explains: ({ path, oracle }) =>
      path.at(-3) === 'items' && (path.at(-1) === 'apiVersion' || path.at(-1) === 'kind') && isAbsent(oracle),
  },
];

export interface Explained {
  /** Those that no known difference explains. */
  readonly left: readonly Difference[];
  /** Whether what the two store differs from here on. */
  readonly isParted: boolean;
}

export function explained(
  differences: readonly Difference[],
  exchange: Exchange,
  known: readonly KnownDifference[] = knownDifferences,
): Explained {
  const left: Difference[] = [];
  let isParted = false;
  for (const one of differences) {
    const found = known.find(({ explains }) => explains(one, exchange));
    if (found === undefined) left.push(one);
    else if (found.parts === true) isParted = true;
  }
  return { left, isParted };
}
