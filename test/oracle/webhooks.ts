import type { JsonObject } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { namespace, type Pair, type Side } from './pair.ts';
import { admission, labelsOf, some } from './policies.ts';
import type { HookAnswer, WebhookServer } from './webhook-server.ts';

/** Webhook configurations of one case: they are asked about objects that bear its label alone. */
export interface DrawnHooks {
  readonly name: string;
  readonly configurations: readonly {
    readonly kind: string;
    readonly hooks: readonly {
      readonly name: string;
      readonly spec: JsonObject;
      readonly answer: HookAnswer;
    }[];
  }[];
}

const rules: readonly JsonObject[] = [
  { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] },
  { apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] },
  { apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] },
  { apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments', 'deployments/scale'] },
  { apiGroups: ['autoscaling'], apiVersions: ['v1'], resources: ['horizontalpodautoscalers'] },
  { apiGroups: ['autoscaling'], apiVersions: ['v2', 'v1'], resources: ['horizontalpodautoscalers'] },
];

const patches: readonly (readonly JsonObject[])[] = [
  [{ op: 'add', path: '/metadata/labels/hooked', value: 'yes' }],
  [{ op: 'add', path: '/data/h', value: '1' }],
  [{ op: 'replace', path: '/data/a', value: 'h' }],
  [{ op: 'remove', path: '/data/absent' }],
  [{ op: 'test', path: '/data/a', value: 'no' }],
  [{ op: 'add', path: '/spec/replicas', value: 5 }],
  [{ op: 'add', path: '/spec/maxReplicas', value: 7 }],
  [{ op: 'nope', path: '/data' }],
  [{ op: 'add', path: '/data', value: 'text' }],
  [{ op: 'add', path: '/metadata/annotations', value: { hooked: 'yes' } }],
  [],
];

function patched(random: Random): JsonObject {
  const patch = Buffer.from(JSON.stringify(random.pick(patches))).toString('base64');
  return { allowed: true, patchType: 'JSONPatch', patch };
}

const statuses: readonly JsonObject[] = [
  {},
  { message: 'no' },
  { message: 'no', code: 403 },
  { message: 'no', code: 418, reason: 'Forbidden' },
  { reason: 'Because' },
  { message: 'no', code: 200 },
  { message: 'no', details: { causes: [{ message: 'm', field: 'f', reason: 'r' }] } },
  { status: 'Success', message: 'well' },
];

/** What some webhooks get wrong. */
const wrong: readonly HookAnswer[] = [
  { response: { uid: 'other', allowed: true } },
  { review: { apiVersion: 'v1', kind: 'Pod' }, response: { allowed: true } },
  { review: { apiVersion: 'admission.k8s.io/v1beta1' }, response: { allowed: true } },
  { status: 500, text: 'broken' },
  { status: 200, text: 'no json' },
  { status: 404, text: '{}' },
  { text: '{}' },
  { response: { allowed: true, patch: 'W10=' } },
  { response: { allowed: true, patchType: 'JSONPatch' } },
  { response: { allowed: true, patchType: 'Merge', patch: 'e30=' } },
  { response: { allowed: true, patchType: 'JSONPatch', patch: '!' } },
];

function answerOf(random: Random, isMutating: boolean): HookAnswer {
  const warned = some(random, 0.2)
    ? { warnings: random.pick([['careful'], ['a', 'b'], ['x'.repeat(300)]]) }
    : {};
  switch (random.weighted({ allow: 4, patch: isMutating ? 5 : 0, deny: 3, fail: 2 })) {
    case 'patch':
      return { response: { ...patched(random), ...warned } };
    case 'deny':
      return { response: { allowed: false, status: random.pick(statuses), ...warned } };
    case 'fail':
      return random.pick(wrong);
    default:
      return { response: { allowed: true, auditAnnotations: { k: 'v' }, ...warned } };
  }
}

const conditions = [
  ...[
    'true',
    'request.operation != "DELETE"',
    'object.data.a == "1"',
    'has(object.data)',
    'oldObject == null',
  ],
  ...['request.resource.version == "v2"', 'object.metadata.name == "x"', 'request.dryRun'],
];

function specOf(random: Random, name: string, isMutating: boolean): JsonObject {
  const drawn = random.pick([rules[0], rules[0], ...rules] as JsonObject[]);
  const operations = random.pick([['*'], ['CREATE'], ['CREATE', 'UPDATE'], ['UPDATE', 'DELETE']]);
  return {
    rules: [{ ...drawn, operations, ...(some(random, 0.1) ? { scope: 'Namespaced' } : {}) }],
    objectSelector: { matchLabels: labelsOf(name) },
    sideEffects: random.pick(['None', 'None', 'NoneOnDryRun']),
    admissionReviewVersions: random.pick([['v1'], ['v1', 'v1beta1'], ['v2', 'v1']]),
    ...(some(random, 0.7) ? { failurePolicy: random.pick(['Fail', 'Ignore']) } : {}),
    ...(some(random, 0.4) ? { matchPolicy: random.pick(['Exact', 'Equivalent']) } : {}),
    ...(some(random, 0.3) ? { timeoutSeconds: random.pick([5, 30]) } : {}),
    ...(some(random, 0.3) ? { matchConditions: [{ name: 'm', expression: random.pick(conditions) }] } : {}),
    ...(isMutating && some(random, 0.4) ? { reinvocationPolicy: random.pick(['Never', 'IfNeeded']) } : {}),
  };
}

export function drawHooks(random: Random, name: string): DrawnHooks {
  const kinds = random.pick([
    ['Mutating'],
    ['Validating'],
    ['Mutating', 'Validating'],
    ['Mutating', 'Mutating'],
  ]);
  return {
    name,
    configurations: kinds.map((kind, at) => ({
      kind: `${kind}WebhookConfiguration`,
      hooks: [
        {
          name: `h${at}.${name}.example.com`,
          spec: specOf(random, name, kind === 'Mutating'),
          answer: answerOf(random, kind === 'Mutating'),
        },
      ],
    })),
  };
}

/** In both, each side's with its own addresses, and known to what calls them. */
export async function makeHooks(
  pair: Pair,
  server: WebhookServer,
  drawn: readonly DrawnHooks[],
): Promise<void> {
  for (const one of [...drawn, ...lastOnes]) {
    for (const [at, { kind, hooks }] of one.configurations.entries()) {
      for (const { name, answer } of hooks) server.answer(one.name, name, answer);
      const body = (side: Side) => ({
        ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name: `${one.name}-${at}` } },
        webhooks: hooks.map(({ name, spec }) => ({
          ...{ name, ...spec },
          clientConfig: { url: server.urlOf(side, one.name, name), caBundle: server.caBundle },
        })),
      });
      const path = `${admission}/${kind.toLowerCase()}s`;
      for (const side of ['oracle', 'ours'] as const) {
        const { status, text } = await pair.ask(side, { path, body: JSON.stringify(body(side)) });
        if (status !== 201) throw new Error(text);
      }
    }
  }
  const path = `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`;
  const metadata = { name: 'probe', labels: labelsOf('last') };
  const probe = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata });
  const isCalled = (side: Side) => JSON.stringify(server.take(side, 'last')).includes('m.last.example.com');
  await until('both call the last webhooks', async () => {
    const { oracle, ours } = await pair.send({ path, body: probe });
    return (
      [oracle, ours].every(({ text }) => text.includes('the last one')) &&
      isCalled('oracle') &&
      isCalled('ours')
    );
  });
}

const lastSpec: JsonObject = {
  rules: [{ ...rules[0], operations: ['CREATE'] }],
  objectSelector: { matchLabels: labelsOf('last') },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};

const lastOnes: readonly DrawnHooks[] = [
  {
    name: 'last',
    configurations: [
      {
        kind: 'MutatingWebhookConfiguration',
        hooks: [{ name: 'm.last.example.com', spec: lastSpec, answer: { response: { allowed: true } } }],
      },
      {
        kind: 'ValidatingWebhookConfiguration',
        hooks: [
          {
            ...{ name: 'v.last.example.com', spec: lastSpec },
            answer: { response: { allowed: false, status: { message: 'the last one' } } },
          },
        ],
      },
    ],
  },
];
