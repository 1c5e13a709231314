import fc from 'fast-check';
import type { RawRequest } from '../harness/raw-http.ts';
import { protobufType, root } from './requests.ts';

/** Random requests write here, so that they cannot meet what stands. */
export const playground = `${root}/api/v1/namespaces/default`;

/** Resources that random objects are sent to: path behind the version's namespace, apiVersion, kind. */
export const resources = [
  ['configmaps', 'v1', 'ConfigMap'],
  ['secrets', 'v1', 'Secret'],
  ['pods', 'v1', 'Pod'],
  ['services', 'v1', 'Service'],
  ['serviceaccounts', 'v1', 'ServiceAccount'],
  ['endpoints', 'v1', 'Endpoints'],
  ['events', 'v1', 'Event'],
  ['limitranges', 'v1', 'LimitRange'],
  ['resourcequotas', 'v1', 'ResourceQuota'],
  ['persistentvolumeclaims', 'v1', 'PersistentVolumeClaim'],
  ['replicationcontrollers', 'v1', 'ReplicationController'],
  ['deployments', 'apps/v1', 'Deployment'],
  ['statefulsets', 'apps/v1', 'StatefulSet'],
  ['daemonsets', 'apps/v1', 'DaemonSet'],
  ['jobs', 'batch/v1', 'Job'],
  ['cronjobs', 'batch/v1', 'CronJob'],
  ['horizontalpodautoscalers', 'autoscaling/v2', 'HorizontalPodAutoscaler'],
  ['horizontalpodautoscalers', 'autoscaling/v1', 'HorizontalPodAutoscaler'],
  ['ingresses', 'networking.k8s.io/v1', 'Ingress'],
  ['networkpolicies', 'networking.k8s.io/v1', 'NetworkPolicy'],
  ['endpointslices', 'discovery.k8s.io/v1', 'EndpointSlice'],
  ['poddisruptionbudgets', 'policy/v1', 'PodDisruptionBudget'],
  ['rolebindings', 'rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['roles', 'rbac.authorization.k8s.io/v1', 'Role'],
  ['leases', 'coordination.k8s.io/v1', 'Lease'],
  ['localsubjectaccessreviews', 'authorization.k8s.io/v1', 'LocalSubjectAccessReview'],
  ['resourceclaims', 'resource.k8s.io/v1', 'ResourceClaim'],
  ['widgets', 'example.com/v1', 'Widget'],
] as const;

/** URL path of a resource's collection in the playground's namespace. */
export function collectionOf([resource, apiVersion]: (typeof resources)[number]): string {
  const base = apiVersion === 'v1' ? `${root}/api/v1` : `${root}/apis/${apiVersion}`;
  return `${base}/namespaces/default/${resource}`;
}

const words =
  `|a|api|apis|v1|apps|clusters|root|root:cells|*|namespaces|default|nowhere|configmaps|secrets|pods|deployments|
  services|serviceaccounts|customresourcedefinitions|apiextensions.k8s.io|rbac.authorization.k8s.io|clusterroles|
  example.com|widgets|workspaces|tenancy.kcp.io|cells|federation.cellplane.io|status|scale|token|finalize|eviction|
  watch|openapi|v2|v3|version|livez|metrics|__proto__|constructor|..|.|%2F|%00|%e4%b8%96|%`.split(/\|\s*/);

const queryKeys =
  `watch limit continue resourceVersion resourceVersionMatch labelSelector fieldSelector sendInitialEvents
  allowWatchBookmarks timeout dryRun fieldManager fieldValidation force pretty propagationPolicy gracePeriodSeconds
  hash __proto__`.split(/\s+/);

const queryValues = fc.oneof(
  fc.constantFrom(
    ...['', '0', '1', '-1', 'true', 'All', 'Strict', 'Exact', 'NotOlderThan', 'a=b', 'a%20in%20(b)', '%ff'],
    ...['metadata.name=a', '18446744073709551616', '9007199254740993', '1e9', 'Orphan', '!a,b', '2s'],
  ),
  fc.string({ maxLength: 20 }).map(encodeURIComponent),
);

const query = fc
  .array(fc.tuple(fc.constantFrom(...queryKeys), queryValues), { maxLength: 3 })
  .map((pairs) => pairs.map(([key, value]) => `${key}=${value}`).join('&'));

/** Names of fields of built-in kinds: what is under them is anything, the right type, or more of the same. */
const fieldNames =
  `replicas selector template spec status metadata labels annotations matchLabels matchExpressions key operator values
  containers initContainers name image ports port targetPort containerPort protocol nodePort clusterIP clusterIPs type
  externalName sessionAffinity ipFamilies volumes volumeMounts configMap secret emptyDir mountPath env envFrom value
  valueFrom resources limits requests cpu memory affinity nodeAffinity tolerations effect restartPolicy securityContext
  serviceAccountName schedule jobTemplate concurrencyPolicy parallelism completions backoffLimit strategy rollingUpdate
  maxSurge maxUnavailable minReplicas maxReplicas scaleTargetRef metrics resource target averageUtilization behavior
  rules host http paths path pathType backend service number tls hosts ingress egress from to podSelector
  namespaceSelector ipBlock cidr except subsets addresses ip endpoints addressType subjects roleRef kind apiGroup
  apiGroups verbs resourceNames hard scopes data stringData binaryData immutable holderIdentity leaseDurationSeconds
  conditions lastTransitionTime size constructor toString free accessModes storageClassName volumeName user
  resourceAttributes devices requestsPerSecond template involvedObject reason firstTimestamp count`.split(
    /\s+/,
  );

const scalars = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      '',
      'a',
      'a/b',
      'TCP',
      'ClusterIP',
      'ExternalName',
      'Always',
      '100m',
      '1Gi',
      '10.0.0.1',
      '::1',
      '50%',
    ],
    ...[
      '* * * * *',
      '2020-01-01T00:00:00Z',
      'In',
      'rbac.authorization.k8s.io',
      'http://x',
      '\u0000',
      '\ud83d',
    ],
    ...[null, true, false, 0, 1, -1, 80, 65_536, 2 ** 31, 2 ** 53, 1.5, -0, 1e300],
  ),
  fc.string({ maxLength: 8 }),
);

const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalars,
    fc.dictionary(fc.constantFrom(...fieldNames), tie('tree'), { maxKeys: 6 }),
    fc.array(tie('tree'), { maxLength: 3 }),
  ),
}));
const fields = fc.dictionary(fc.constantFrom(...fieldNames), tree, { maxKeys: 8 });

const metadata = fc.oneof(
  { weight: 3, arbitrary: fc.record({ name: fc.constantFrom('x1', 'x2', 'x3') }) },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        name: fc.oneof(fc.constantFrom('x1', '', 'X', 'a/b'), fc.string({ maxLength: 8 })),
        generateName: fc.constantFrom('x', 'X', ''),
        namespace: fc.constantFrom('default', 'nowhere', ''),
        labels: tree,
        annotations: tree,
        resourceVersion: fc.constantFrom('1', 'abc', '', '0'),
        finalizers: tree,
        ownerReferences: tree,
        managedFields: tree,
        deletionTimestamp: tree,
      },
      { requiredKeys: ['name'] },
    ),
  },
);

const pointers = fc.constantFrom(
  ...[
    '',
    '/',
    '/metadata',
    '/metadata/labels',
    '/metadata/labels/a',
    '/data',
    '/data/k',
    '/spec',
    '/spec/replicas',
  ],
  ...[
    '/spec/template/spec/containers/0',
    '/spec/ports/-',
    '/a~1b',
    '/~2',
    '/data/-',
    '/constructor',
    '/status',
  ],
);

const operations = fc
  .array(
    fc.record(
      {
        op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'frob'),
        path: pointers,
        from: pointers,
        value: tree,
      },
      { requiredKeys: ['op', 'path'] },
    ),
    { maxLength: 4 },
  )
  .map((value) => JSON.stringify(value));

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const magic = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

interface Sent {
  readonly body: string | Buffer;
  readonly contentType: string;
}

function bodyFor([, apiVersion, kind]: (typeof resources)[number]): fc.Arbitrary<Sent> {
  const object = fc
    .record(
      { metadata, spec: fields, status: fields, data: tree, rest: fields },
      { requiredKeys: ['metadata'] },
    )
    .map(({ rest, ...own }) => JSON.stringify({ ...rest, ...own, apiVersion, kind }));
  const cutShort = fc
    .tuple(object, fc.nat(100))
    .map(([text, part]) => text.slice(0, Math.floor((text.length * part) / 100)));
  const as = (...types: string[]) => fc.constantFrom(...types);
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ body: object, contentType: as('application/json') }) },
    {
      weight: 1,
      arbitrary: fc.record({
        body: fc.oneof(cutShort, fc.json(), bytes),
        contentType: as('application/json', '', 'text/plain'),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        body: fc.oneof(object, fc.string(), bytes),
        contentType: as('application/yaml'),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        body: bytes.map((tail) => Buffer.concat([magic, tail])),
        contentType: as(protobufType),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        body: fc.oneof(operations, object),
        contentType: as('application/json-patch+json'),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        body: object,
        contentType: as(
          'application/merge-patch+json',
          'application/strategic-merge-patch+json',
          'application/apply-patch+yaml',
        ),
      }),
    },
  );
}

const accepts = fc.constantFrom(
  '*/*',
  'application/json',
  'application/yaml',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  'application/vnd.kubernetes.protobuf, application/json',
  'text/html;q=0.9, */*;q=0.1',
  '',
);

const anyPath = fc.array(fc.constantFrom(...words), { maxLength: 9 }).map((parts) => `/${parts.join('/')}`);
const anyResource = fc.constantFrom(...resources);

/** Requests anywhere, most of them nonsense. */
const astray: fc.Arbitrary<RawRequest> = anyResource.chain((resource) =>
  fc
    .record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'),
      path: anyPath,
      query,
      sent: bodyFor(resource),
      accept: accepts,
    })
    .map((parts) => requestOf(parts)),
);

/** Requests for resources that are there, with objects of their kind. */
const aimed: fc.Arbitrary<RawRequest> = anyResource.chain((resource) =>
  fc
    .record({
      method: fc.constantFrom('POST', 'POST', 'POST', 'PUT', 'PATCH', 'PATCH', 'GET', 'DELETE'),
      name: fc.constantFrom('/x1', '/x2', '/x3'),
      below: fc.constantFrom('', '', '', '', '/status', '/scale'),
      anyway: fc.nat(9),
      query,
      sent: bodyFor(resource),
      accept: accepts,
    })
    .map(({ name, below, anyway, ...parts }) => {
      const whole = parts.method === 'POST' ? '' : name + below;
      return requestOf({ ...parts, path: collectionOf(resource) + (anyway === 0 ? name + below : whole) });
    }),
);

export const anyRequest: fc.Arbitrary<RawRequest> = fc.oneof(
  { weight: 1, arbitrary: astray },
  { weight: 4, arbitrary: aimed },
);

function requestOf(parts: {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly sent: Sent;
  readonly accept: string;
}): RawRequest {
  const { method, path, query, sent, accept } = parts;
  return {
    method,
    // Watches that end by themselves.
    path: `${path}?${query}&timeoutSeconds=1`,
    headers: { accept },
    ...(['POST', 'PUT', 'PATCH', 'DELETE'].includes(method) ? sent : {}),
    timeoutMs: 120_000,
  };
}
