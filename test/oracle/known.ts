import type { JsonObject, JsonValue } from '#apimachinery/json.ts';

import { equalJson, isJsonObject } from '#apimachinery/json.ts';
import type { RawRequest } from '../harness/raw-http.ts';
import { customGroup } from './custom.ts';
import type { Difference } from './differences.ts';
import type { NormalAnswer } from './normalise.ts';

export interface Exchange {
  readonly request: RawRequest;
  readonly oracle: NormalAnswer;
  readonly ours: NormalAnswer;
}

/** A difference that is meant. */
export interface KnownDifference {
  /**
   * First cell of its row in docs/kubernetes-contract.md, Differences from kube-apiserver; undefined for what is no difference:
   * kube-controller-manager does it elsewhere, the oracle has none.
   */
  readonly row: string | undefined;
  readonly explains: (difference: Difference, exchange: Exchange) => boolean;
}

const ends = (difference: Difference, ...segments: readonly string[]) =>
  segments.every((segment, at) => difference.path.at(at - segments.length) === segment);
const isEmpty = (value: JsonValue | undefined) => Array.isArray(value) && value.length === 0;
const isAbsent = (value: JsonValue | undefined) => value === undefined || value === null;

const isOwner = (oracle: JsonValue | undefined, ours: JsonValue | undefined) =>
  isJsonObject(oracle) && ours === undefined;

const isText = (value: JsonValue | undefined) => typeof value === 'string' && value !== '';
function generationOf({ body }: NormalAnswer): JsonValue | undefined {
  const metadata = isJsonObject(body) ? body['metadata'] : undefined;
  return isJsonObject(metadata) ? metadata['generation'] : undefined;
}
const isMessage = ({ path }: Pick<Difference, 'path'>) => path.at(-1) === 'message' && path[0] === 'body';

const isCause = (path: Difference['path']) =>
  path[0] === 'body' && path[1] === 'details' && path[2] === 'causes';

/** Undefined for an answer without causes, which is like no other. */
function sortedCauses(body: JsonValue): JsonValue {
  const details = isJsonObject(body) ? body['details'] : undefined;
  const causes = isJsonObject(details) ? details['causes'] : undefined;
  return Array.isArray(causes) ? causes.map((cause) => JSON.stringify(cause)).sort() : JSON.stringify(body);
}

/** Objects, lists and what Go prints of them, up to the colon behind which the reason stands. */
const valuePattern =
  /((?:Invalid|Unsupported) value): (?:\{.*?\}|\[.*?\]|map\[.*?\]|null|""): (?=[A-Za-z`])/gs;
const repeatedPattern = /Duplicate value: \{.*?\}(?=, [a-z]|\]?$)/gs;
function sameWithoutValues({ oracle, ours }: Difference): boolean {
  const without = (value: JsonValue | undefined) =>
    String(value).replace(valuePattern, '$1: …: ').replace(repeatedPattern, 'Duplicate value: …');
  return without(oracle) === without(ours);
}

/** Hunks of a diff, which stand where a message says what must not change. */
const diffPattern = /(?:@@ [^\n]*\n(?:[ +-][^\n]*\n)+)+/g;
const withoutDiff = (value: JsonValue | undefined) => String(value).replace(diffPattern, '');

type IsLeftOut = (path: string, value: JsonValue | undefined) => boolean;

/** What is owned, without some fields and without who owns no other. `values`: what the fields are looked up in. */
function ownedWithout(body: JsonValue, values: JsonValue, isLeftOut: IsLeftOut): string {
  const managed = isJsonObject(body) && isJsonObject(body['metadata']) && body['metadata']['managedFields'];
  const entries = Array.isArray(managed) ? (managed as JsonObject[]) : [];
  const kept = entries.flatMap(({ fieldsV1, time: _, ...entry }) => {
    const fields = ownedOf(fieldsV1, '', values, isLeftOut);
    return fields === undefined ? [] : [{ ...entry, fieldsV1: fields }];
  });
  return JSON.stringify(kept);
}

/** Whether managers of two answers own the same but for some fields. */
function areOwnedAlike(oracle: JsonValue, ours: JsonValue, isLeftOut: IsLeftOut): boolean {
  const owned = (body: JsonValue) => ownedWithout(body, body, isLeftOut);
  return owned(oracle) === owned(ours);
}

/** Undefined when nothing is left of the set. */
function ownedOf(
  set: JsonValue | undefined,
  path: string,
  value: JsonValue | undefined,
  isLeftOut: IsLeftOut,
): JsonObject | undefined {
  if (!isJsonObject(set)) return undefined;
  const kept: JsonObject = {};
  for (const element of Object.keys(set).sort()) {
    if (element === '.') continue;
    const inner = set[element];
    const at = path === '' ? element : `${path}.${element}`;
    const member = memberAt(value, element);
    if (isLeftOut(at, member)) continue;
    if (isJsonObject(inner) && Object.keys(inner).length === 0) kept[element] = inner;
    else {
      const below = ownedOf(inner, at, member, isLeftOut);
      if (below !== undefined) kept[element] = below;
    }
  }
  return Object.keys(kept).length === 0 ? undefined : kept;
}

function memberAt(value: JsonValue | undefined, element: string): JsonValue | undefined {
  if (element.startsWith('f:')) return isJsonObject(value) ? value[element.slice(2)] : undefined;
  if (!Array.isArray(value) || !element.startsWith('k:')) return undefined;
  const key = Object.entries(JSON.parse(element.slice(2)) as JsonObject);
  return value.find((one) => isJsonObject(one) && key.every(([name, wanted]) => one[name] === wanted));
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

/** Whether nobody owns anything else than at the oracle, but for fields that are settled or, there, `null`. */
function isOwnedAlike({ path }: Difference, { request, oracle, ours }: Exchange, settles: boolean): boolean {
  if (path[0] !== 'body' || path[1] !== 'metadata' || path[2] !== 'managedFields') return false;
  const mine = settled.filter((one) => settles && isOf(request.path, one.resource));
  const isLeftOut: IsLeftOut = (at, value) =>
    value === null ||
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

/** Behind `failed to create typed patch object (…): errors:` there is a fault a line. */
function sameLines({ oracle, ours }: Difference): boolean {
  const sorted = (value: JsonValue | undefined) => String(value).split('\n').sort().join('\n');
  return String(oracle).includes(': errors:\n') && sorted(oracle) === sorted(ours);
}

/** Entries of an object's managedFields; none for an answer that has none. */
function managersIn(body: JsonValue): JsonObject[] {
  const metadata = isJsonObject(body) ? body['metadata'] : undefined;
  const managers = isJsonObject(metadata) ? metadata['managedFields'] : undefined;
  return Array.isArray(managers) ? managers.filter(isJsonObject) : [];
}

/** Whether a kube-apiserver has dropped an object's managers: to those that applied since all else was there before them. */
function haveBeenLost(body: JsonValue): boolean {
  const managers = managersIn(body);
  return managers.length === 0 || managers.some(({ manager }) => manager === 'before-first-apply');
}

/** Whether both servers tell the same conflicts but for those over status. */
function conflictAlike(oracle: JsonValue, ours: JsonValue): boolean {
  const others = (body: JsonValue) => {
    const causes = sortedCauses(body);
    return Array.isArray(causes)
      ? causes.filter((cause) => !/"field":"\.status\..*"FieldManagerConflict"/.test(String(cause)))
      : causes;
  };
  return equalJson(others(oracle), others(ours));
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
    explains: ({ path, oracle, ours }) =>
      path.includes('fieldsV1') &&
      oracle === undefined &&
      (/controller-uid|"f:finalizers"/.test(JSON.stringify(ours)) || path.at(-1) === 'f:selector'),
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
    explains: ({ path }, { request }) =>
      request.path.includes('/scale') &&
      (path.includes('managedFields') || path.at(-1) === 'resourceVersion'),
  },
  {
    row: 'a write of `/scale`',
    explains: ({ path }) => path.at(-1) === 'f:replicas' && path.includes('fieldsV1'),
  },
  {
    row: 'generation of a Deployment, when its annotations change',
    explains: ({ path }, { request }) =>
      request.path.includes('/deployments') && path.at(-1) === 'generation',
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
    explains: (_, { request, ours }) =>
      ours.status === 406 &&
      (/you requested /.test(JSON.stringify(ours.body)) ||
        (/watch/.test(request.path) &&
          /as=PartialObjectMetadataList|yaml/.test(String(request.headers?.['accept'])))),
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
    explains: ({ path }, { oracle }) =>
      path[1] === 'events' &&
      /feature RequestWatchProgress is disabled|Too large resource version/.test(JSON.stringify(oracle.body)),
  },
  {
    row: '`selfLink` that an update writes',
    explains: ({ path }) => path.at(-1) === 'selfLink',
  },
  {
    row: 'CEL syntax errors',
    explains: ({ path, oracle, ours }, { request }) => {
      const isPolicy = /\/(?:validating|mutating)(?:webhookconfigurations|admissionpolicies)/.test(
        request.path,
      );
      const plain = (value: JsonValue | undefined) =>
        String(value).replace(/ERROR: <input>:\d+:\d+: Syntax error: .*?\n \| [^\n]*\n \| [.^]*\n?/gs, '');
      const isTold = path.at(-1) === 'message' && /Syntax error: /.test(String(ours));
      return isPolicy && isTold && plain(oracle) === plain(ours);
    },
  },
  {
    row: 'scaleIO volume without secretRef',
    explains: ({ path }, { ours }) =>
      (path.at(-1) === 'message' || path.includes('causes') || path[0] === 'status') &&
      /scaleIO\.secretRef/.test(JSON.stringify(ours.body)),
  },
  {
    row: 'generation, when an empty list or map stands where nothing stood',
    explains: ({ path }, { request }) =>
      path.at(-1) === 'generation' &&
      isOf(request.path, 'endpointslices') &&
      String(request.body).includes('deprecatedTopology'),
  },
  {
    row: 'an empty list in the metadata of a volumeClaimTemplate (`finalizers: []`)',
    explains: (_, { request, oracle }) =>
      /"volumeClaimTemplate":.*"(?:finalizers|ownerReferences|managedFields)":\[\]/s.test(
        String(request.body),
      ) && /volumeClaimTemplate\.metadata\.\w+: Forbidden: cannot be set/.test(JSON.stringify(oracle.body)),
  },
  {
    row: undefined, // faults of a custom resource, and of a definition, come out of a map of Go's: in any order
    explains: ({ path }, { request, oracle, ours }) =>
      (request.path.includes(customGroup) || isOf(request.path, 'customresourcedefinitions')) &&
      (isCause(path) || isMessage({ path })) &&
      equalJson(sortedCauses(oracle.body), sortedCauses(ours.body)),
  },
  {
    row: 'CRDs',
    explains: ({ path, oracle }, { request }) =>
      request.path.includes('/customresourcedefinitions') &&
      path.at(-1) === 'finalizers' &&
      oracle === undefined,
  },
  {
    row: "managers of a CRD's other version, whose schema does not fit the object (conversion `None`)",
    explains: ({ path }, { request, oracle, ours }) =>
      request.path.includes(customGroup) &&
      // That managers are gone is a change too.
      (path.includes('managedFields') || path.at(-1) === 'resourceVersion') &&
      managersIn(ours.body).length > 0 &&
      haveBeenLost(oracle.body),
  },
  {
    row: "managers of a CRD's other version, whose schema does not fit the object (conversion `None`)",
    explains: ({ path }, { request, oracle }) =>
      request.path.includes(customGroup) &&
      (isCause(path) || isMessage({ path })) &&
      JSON.stringify(oracle.body).includes('conflict with \\"before-first-apply\\"'),
  },
  {
    row: 'an update in one version of a CRD with a status subresource',
    explains: ({ path, oracle }, { request }) =>
      request.path.includes(customGroup) &&
      path.includes('managedFields') &&
      path.includes('f:status') &&
      oracle === undefined,
  },
  {
    row: 'an update in one version of a CRD with a status subresource',
    explains: (difference, { request, oracle, ours }) => {
      if (!request.path.includes(customGroup)) return false;
      const isStatus: IsLeftOut = (at) => at === 'f:status';
      if (oracle.status === 409 && (isCause(difference.path) || isMessage(difference)))
        return conflictAlike(oracle.body, ours.body);
      return difference.path.includes('managedFields') && areOwnedAlike(oracle.body, ours.body, isStatus);
    },
  },
  {
    // What a write of it leaves stays to the writes that follow.
    row: 'a write of `/scale`',
    explains: ({ path }, { request, oracle, ours }) =>
      request.path.includes(customGroup) &&
      path.includes('managedFields') &&
      managersIn(ours.body).some(({ subresource }) => subresource === 'scale') &&
      areOwnedAlike(oracle.body, ours.body, (at) => at === 'f:spec.f:replicas'),
  },
  {
    row: undefined, // faults of what is applied come out of a map of Go's: in any order
    explains: (difference, { oracle }) =>
      isMessage(difference) && oracle.status === 500 && sameLines(difference),
  },
  {
    row: 'integers beyond 2^53 in custom resources',
    explains: (_, { request, ours }) =>
      request.path.includes(customGroup) &&
      ours.status === 422 &&
      /should be an integer between -9007199254740991/.test(JSON.stringify(ours.body)),
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

/** Those that no known difference explains. */
export function unexplained(differences: readonly Difference[], exchange: Exchange): Difference[] {
  return differences.filter((one) => !knownDifferences.some(({ explains }) => explains(one, exchange)));
}
