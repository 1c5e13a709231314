import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import { isAbsent, isOf, isText, type KnownDifference } from './known-difference.ts';
import { differInCauses, messageIn, sortedCauses } from './known-messages.ts';
import type { NormalAnswer } from './normalise.ts';

function generationOf({ body }: NormalAnswer): JsonValue | undefined {
  const metadata = isJsonObject(body) ? body['metadata'] : undefined;
  return isJsonObject(metadata) ? metadata['generation'] : undefined;
}

/** Of single built-in kinds. */
export const knownOfKinds: readonly KnownDifference[] = [
  {
    row: 'ResourceQuota status',
    explains: ({ path, oracle }, { request }) =>
      request.path.includes('/resourcequotas') &&
      ((path.includes('status') && oracle === undefined) || (path.includes('cells') && oracle === '')),
  },
  {
    row: undefined, // types are checked by kube-controller-manager elsewhere, which owns what it finds as ours does
    explains: (_, { request, ours }) =>
      isOf(request.path, 'validatingadmissionpolicies') &&
      ours.status === 409 &&
      JSON.stringify(ours.body).includes('conflict with \\"validatingadmissionpolicy-status\\"'),
    parts: true,
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
    row: undefined, // flow control's controller looks for dangling schemas when it comes to it
    explains: ({ path }, { request, oracle, ours }) =>
      isOf(request.path, 'flowschemas') &&
      [oracle, ours].some(({ body }) => JSON.stringify(body).includes('"Dangling"')) &&
      (path.includes('status') || path.includes('managedFields') || path.at(-1) === 'resourceVersion'),
  },
  {
    row: undefined, // ... and writes what it found between two requests, at either
    explains: (_, { request, oracle, ours }) =>
      isOf(request.path, 'flowschemas') &&
      request.method === 'PUT' &&
      (oracle.status === 409) !== (ours.status === 409) &&
      String(request.body).includes('"resourceVersion"'),
    parts: true,
  },
  {
    row: undefined, // ... so that a strategic merge patch meets a condition at one of them alone
    explains: (_, { request, oracle, ours }) =>
      isOf(request.path, 'flowschemas') &&
      request.contentType === 'application/strategic-merge-patch+json' &&
      [oracle, ours].some(({ body }) =>
        /list element types are not identical.*Dangling/.test(messageIn(body)),
      ),
    parts: true,
  },
  {
    row: undefined, // kube-controller-manager aggregates, which the oracle has none of
    parts: true,
    explains: (_, { request, ours }) =>
      isOf(request.path, 'clusterroles') &&
      JSON.stringify(ours.body).includes('"clusterrole-aggregation-controller"'),
  },
  {
    row: 'a new Job without labels whose name is too long for one, with `labels: {}` in its template',
    explains: (_, { request, oracle, ours }) =>
      isOf(request.path, 'jobs') &&
      request.method === 'POST' &&
      differInCauses(oracle, ours, /"field":"metadata\.labels".*must be no more than 63 bytes/),
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
    row: 'warnings of a patch that meets an older copy in the watch cache',
    explains: ({ path, oracle, ours }, { request, ...both }) => {
      if (request.method !== 'PATCH' || path.join() !== 'header,warning' || ours !== undefined) return false;
      if (both.oracle.status === 409) return isText(oracle);
      // What it warns of is not there any more.
      const fields = [...String(oracle).matchAll(/299 - "(?:[A-Za-z]+\.)*([A-Za-z]+)/g)].map(
        ([, field]) => field,
      );
      const text = JSON.stringify(both.oracle.body);
      return fields.length > 0 && fields.every((field) => !text.includes(`"${field}"`));
    },
  },
  {
    row: 'order of the finalizers of a namespace that is deleted',
    explains: ({ path }, { request, ...both }) => {
      const finalizersOf = ({ body }: NormalAnswer) => {
        const metadata = isJsonObject(body) ? body['metadata'] : undefined;
        const finalizers = isJsonObject(metadata) ? metadata['finalizers'] : undefined;
        return Array.isArray(finalizers) ? finalizers.map(String).sort().join() : undefined;
      };
      const isOfFinalizers = path.slice(0, 3).join() === 'body,metadata,finalizers';
      const isOfNamespace = /\/api\/v1\/namespaces\/[^/?]+(?:\?|$)/.test(request.path);
      return isOfFinalizers && isOfNamespace && finalizersOf(both.oracle) === finalizersOf(both.ours);
    },
  },
  {
    row: '`selfLink` that an update writes',
    explains: ({ path }) => path.at(-1) === 'selfLink',
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
];
