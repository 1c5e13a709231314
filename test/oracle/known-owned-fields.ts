import { isJsonObject, type JsonValue } from '#apimachinery/json.ts';
import type { Difference } from './differences.ts';
import { type Exchange, isOf, type KnownDifference } from './known-difference.ts';
import { areOwnedAlike, type IsLeftOut, ownedWithout } from './known-owners.ts';

const isEmpty = (value: JsonValue | undefined) => Array.isArray(value) && value.length === 0;

const isOwner = (oracle: JsonValue | undefined, ours: JsonValue | undefined) =>
  isJsonObject(oracle) && ours === undefined;

/** Fields that a strategy gives, changes or takes away after kube-apiserver has noted who wrote what. */
const settled: readonly { readonly resource: string; readonly path: string }[] = [
  { resource: 'leases', path: 'f:spec.f:strategy' },
  { resource: 'leases', path: 'f:spec.f:preferredHolder' },
  { resource: 'persistentvolumeclaims', path: 'f:spec.f:dataSource' },
  { resource: 'persistentvolumeclaims', path: 'f:spec.f:dataSourceRef' },
  { resource: 'persistentvolumes', path: 'f:status.f:lastPhaseTransitionTime' },
  { resource: 'nodes', path: 'f:spec.f:configSource' },
  { resource: 'nodes', path: 'f:status.f:config' },
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

/** Of what a Job is given; who writes it whole owns it here, until somebody else writes labels. */
const givenToJobs =
  /^f:metadata\.f:labels\.f:(?:batch\.kubernetes\.io\/)?(?:controller-uid|job-name)$|^f:spec\.f:(?:selector|template\.f:metadata)$/;

function isGivenToJob(at: string, below: JsonValue | undefined): boolean {
  return givenToJobs.test(at) || (at === 'f:metadata.f:labels' && JSON.stringify(below) === '{}');
}

/** Fields of pods behind gates that are off: as those, in every kind that makes pods. */
const gatedPattern = /(?:^|\.)f:(?:schedulingGroup|stopSignal|clusterTrustBundle|podCertificate)$/;

/** Whether nobody owns anything else than at the oracle, but for fields that are settled or, there, `null`. */
function isOwnedAlike({ path }: Difference, { request, oracle, ours }: Exchange, settles: boolean): boolean {
  if (path[0] !== 'body' || path[1] !== 'metadata' || path[2] !== 'managedFields') return false;
  const mine = settled.filter((one) => settles && isOf(request.path, one.resource));
  const isLeftOut: IsLeftOut = (at, value, below) =>
    value === null ||
    (settles && gatedPattern.test(at)) ||
    (settles && isOf(request.path, 'jobs') && isGivenToJob(at, below)) ||
    mine.some((one) => one.path === at || (one.path.startsWith(`${at}.`) && at.endsWith('f:annotations')));
  return (
    ownedWithout(oracle.body, oracle.body, isLeftOut) === ownedWithout(ours.body, oracle.body, isLeftOut)
  );
}

/** The other fields of an object that is owned itself. */
function ownedBeside(body: JsonValue, path: Difference['path']): string {
  let at: JsonValue | undefined = body;
  for (const segment of path.slice(1, -1)) {
    at = Array.isArray(at) ? at[Number(segment)] : isJsonObject(at) ? at[segment] : undefined;
  }
  return isJsonObject(at)
    ? Object.keys(at)
        .filter((name) => name !== '.')
        .join()
    : '';
}

/** Who owns which fields, where null, strategies and scales are. */
export const knownOfOwnedFields: readonly KnownDifference[] = [
  {
    row: 'a required list that is absent, times that were never set',
    explains: ({ path, ours }, exchange) =>
      path.at(-1) === '.' && ours === undefined && ownedBeside(exchange.oracle.body, path) === 'f:time',
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
    row: "fields that a kind's strategy gives, changes or takes away (labels and selector of a Job, `spec.finalizers` of a namespace, `spec.dataSource` of a claim)",
    explains: ({ path, oracle, ours }, exchange) =>
      isOf(exchange.request.path, 'nodes') &&
      path.join('.') === 'body.metadata.resourceVersion' &&
      oracle === '<new revision>' &&
      ours === '<same revision>' &&
      /"f:config(?:Source)?":/.test(JSON.stringify(exchange.oracle.body)),
  },
  {
    row: 'a required list that is absent, times that were never set',
    explains: ({ path, oracle, ours }, { request }) =>
      // Forms of metadata do not show the `null` that is owned.
      request.path.includes('/csinodes') && path.at(-1) === 'f:topologyKeys' && isOwner(oracle, ours),
  },
  {
    row: "fields that a kind's strategy takes away (`externalTrafficPolicy` of a Service without external addresses)",
    explains: ({ path, oracle, ours }, { request }) =>
      request.path.includes('/services/') &&
      path.at(-1) === 'f:externalTrafficPolicy' &&
      isOwner(oracle, ours),
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
    // ... and one that a PUT of what was read before it conflicts with.
    row: 'a write of `/scale`',
    parts: true,
    explains: (_, { request, earlier, oracle, ours }) =>
      request.method === 'PUT' &&
      oracle.status === 409 &&
      ours.status === 200 &&
      String(request.body).includes('"resourceVersion"') &&
      (earlier ?? []).some(({ path }) => /\/scale(?:\?|$)/.test(path)),
  },
];
