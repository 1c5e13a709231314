import type { JsonObject } from '#apimachinery/json.ts';
import type { Random } from '../harness/random.ts';
import { until } from '../harness/until.ts';
import { namespace, type Pair } from './pair.ts';

export const admission = '/apis/admissionregistration.k8s.io/v1';
const apiVersion = 'admissionregistration.k8s.io/v1';
const caseLabel = 'oracle-case';

export type PolicyKind = 'ValidatingAdmissionPolicy' | 'MutatingAdmissionPolicy';

/** A policy and what binds it; it acts on objects that bear its own label alone. */
export interface DrawnPolicy {
  readonly name: string;
  readonly kind: PolicyKind;
  readonly policy: JsonObject;
  readonly bindings: readonly JsonObject[];
}

export function some(random: Random, chance: number): boolean {
  return random.next() < chance;
}

/** Truths; the more there is in an object the more of them can be told. */
const conditions = [
  ...[
    'true',
    'false',
    '1 == 2',
    'object.metadata.name.startsWith("p")',
    'has(object.data)',
    'has(object.spec)',
  ],
  ...[
    'object.data.a == "1"',
    '"b" in object.data',
    'object.data.all(k, k.size() == 1)',
    'object.data["absent"] == "x"',
  ],
  ...[
    'size(object.data) < 2',
    'object.spec.replicas > 1',
    'object.?data.a.orValue("2") == "2"',
    'oldObject == null',
  ],
  ...[
    'request.operation == "CREATE"',
    'request.operation in ["UPDATE", "DELETE"]',
    'request.dryRun',
    '!has(request.name)',
  ],
  ...[
    'request.resource.resource == "configmaps"',
    'request.kind.version == "v2"',
    'request.namespace == "oracle"',
  ],
  ...[
    'namespaceObject.metadata.name == "oracle"',
    'has(namespaceObject.metadata.labels)',
    'params.data.x == "1"',
  ],
  ...[
    'params == null',
    'params != null && params.data.x == "1"',
    'variables.v',
    'variables.n > 3',
    'variables.bad == 1',
  ],
  ...[
    'authorizer.group("").resource("pods").namespace("oracle").check("get").allowed()',
    'object.data.a.matches("^[0-9]+$")',
  ],
  ...['authorizer.requestResource.check("delete").allowed()', 'object.metadata.labels.exists(k, k == "x")'],
  ...[
    '1 / (size(object.metadata.name) - size(object.metadata.name)) == 1',
    'int(object.data.a) > 0',
    'quantity("1Gi") > quantity("1")',
  ],
  ...[
    'object.metadata.creationTimestamp != null',
    '[1, 2].map(x, x * 2) == [2, 4]',
    'object.spec.template.spec.containers[0].image != ""',
  ],
  ...[
    'object.apiVersion == "v1"',
    'object.kind == "ConfigMap"',
    'object.spec.targetCPUUtilizationPercentage > 10',
    'dyn(object).spec.x == 1',
  ],
];
/** In match conditions there is no namespace at kube-apiserver (docs/kubernetes-contract.md, Differences), and no variable. */
const matched = conditions.filter((one) => !/namespaceObject|variables/.test(one));
/** None of them compiles. */
const faulty = [
  ...[
    '1',
    'object.data',
    'nothing',
    'object.',
    '1 + "a" == 2',
    '"a"',
    'variables.absent',
    'params.x ==',
    'object.foo(',
    '',
  ],
  ...[
    'request.absent == 1',
    'authorizer.nope()',
    'namespaceObject.spec',
    '[1, "a"].all(x, x)',
    'has(object)',
    'true &&',
  ],
];
const texts = [
  ...[
    '"plain"',
    '"named " + object.metadata.name',
    '""',
    '" "',
    '"two\\nlines"',
    'string(1)',
    '"x".replace("x", "y")',
  ],
  ...['object.data.absent', '"in " + namespaceObject.metadata.name', '"by " + params.data.x', 'variables.t'],
];
const faultyTexts = ['1', 'object', '"a" +', 'true', 'null'];
const messages = ['no', 'not allowed here', ' padded ', ''];
const reasons = ['Unauthorized', 'Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Other'];

const rules: readonly JsonObject[] = [
  { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] },
  { apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] },
  { apiGroups: ['autoscaling'], apiVersions: ['v1'], resources: ['horizontalpodautoscalers'] },
  { apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] },
  { apiGroups: ['apps'], apiVersions: ['*'], resources: ['*/*'] },
];

function constraintsOf(random: Random, name: string, kind: PolicyKind): JsonObject {
  const isMutating = kind === 'MutatingAdmissionPolicy';
  const operations = random.pick([
    ['CREATE'],
    ['CREATE', 'UPDATE'],
    isMutating ? ['UPDATE'] : ['UPDATE', 'DELETE'],
  ]);
  const drawn = random.pick([...rules, rules[0], rules[0], rules[1]] as JsonObject[]);
  // What is mutated in another version of a built-in kind kube-apiserver cannot convert back.
  const isOther = isMutating && String(drawn['apiGroups']) === 'autoscaling';
  const rule = { ...drawn, ...(isOther ? { apiVersions: ['v2'] } : {}), operations };
  const named = some(random, 0.1) ? { resourceNames: [`${name}-a`] } : {};
  const scope = some(random, 0.1) ? { scope: random.pick(['Namespaced', 'Cluster', '*']) } : {};
  return {
    resourceRules: [{ ...rule, ...named, ...scope }],
    objectSelector: { matchLabels: { [caseLabel]: name } },
    ...(some(random, 0.3) ? { matchPolicy: random.pick(['Exact', 'Equivalent']) } : {}),
    ...(some(random, 0.1)
      ? {
          namespaceSelector: {
            matchLabels: { 'kubernetes.io/metadata.name': random.pick([namespace, 'x']) },
          },
        }
      : {}),
    ...(some(random, 0.1)
      ? { excludeResourceRules: [{ ...random.pick(rules), operations: ['UPDATE'] }] }
      : {}),
  };
}

function validationOf(random: Random, faults: number): JsonObject {
  return {
    expression: random.pick(some(random, faults) ? faulty : conditions),
    ...(some(random, 0.4) ? { message: random.pick(messages) } : {}),
    ...(some(random, 0.4)
      ? { messageExpression: random.pick(some(random, faults) ? faultyTexts : texts) }
      : {}),
    ...(some(random, 0.2)
      ? { reason: random.pick(some(random, faults) ? reasons : reasons.slice(0, 4)) }
      : {}),
  };
}

const applied = [
  ...['Object{}', 'Object{metadata: Object.metadata{labels: {"x": "y"}}}', 'Object{data: {"b": "2"}}'],
  ...[
    'Object{data: {"c": object.data.a + "!"}}',
    'Object{metadata: Object.metadata{annotations: {"n": object.metadata.name}}}',
  ],
  ...['Object{data: {?"d": object.?data.absent}}', 'Object{data: {"e": object.data.absent}}'],
  ...[
    'Object{spec: Object.spec{replicas: object.spec.replicas + 1}}',
    'Object{spec: Object.spec{paused: true}}',
  ],
  ...[
    'Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: "s", image: "i"}]}}}}',
  ],
  ...[
    'Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: "c", env: [Object.spec.template.spec.containers.env{name: "E", value: "v"}]}]}}}}',
  ],
  ...[
    'Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{tolerations: [Object.spec.template.spec.tolerations{key: "k"}]}}}}',
  ],
  ...[
    'Object{spec: Object.spec{maxReplicas: 7}}',
    'Object{spec: Object.spec{targetCPUUtilizationPercentage: 30}}',
    'Object{data: {"p": params.data.x}}',
  ],
  ...[
    'Object{metadata: Object.metadata{finalizers: ["example.com/f"]}}',
    'has(object.data.b) ? Object{} : Object{data: {"b": "b"}}',
    'Object{spec: Object.data{replicas: 1}}',
  ],
  ...[
    'Object{immutable: true}',
    'Object{data: {"f": string(size(object.metadata.labels))}}',
    'Object{metadata: Object.metadata{labels: {"bad key": "y"}}}',
  ],
];
const faultyApplied = [
  ...[
    '1',
    '{}',
    'Object{nope: 1}',
    'Object{data: {"b": 2}}',
    'Object{spec: Object.nope{}}',
    'Object',
    'object',
    '[JSONPatch{op: "add"}]',
    'Object{',
  ],
  ...['Object{metadata: Object.metadata{nope: "x"}}', 'Object{data: 1}', ''],
];
// What docs/kubernetes-contract.md has other answers for is not among them: what cannot be decoded, names.
const patched = [
  ...[
    '[]',
    '[JSONPatch{op: "add", path: "/data/b", value: "2"}]',
    '[JSONPatch{op: "remove", path: "/data/a"}]',
  ],
  ...[
    '[JSONPatch{op: "replace", path: "/data/a", value: object.metadata.name}]',
    '[JSONPatch{op: "replace", path: "/data/absent", value: "x"}]',
  ],
  ...[
    '[JSONPatch{op: "test", path: "/data/a", value: "1"}, JSONPatch{op: "add", path: "/data/t", value: "ok"}]',
    '[JSONPatch{op: "test", path: "/data/a", value: "no"}]',
  ],
  ...[
    '[JSONPatch{op: "copy", from: "/data/a", path: "/data/c"}]',
    '[JSONPatch{op: "move", from: "/data/a", path: "/data/m"}]',
    '[JSONPatch{op: "move", from: "/data/none", path: "/data/m"}]',
  ],
  ...[
    '[JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("example.com/x~y"), value: "v"}]',
    '[JSONPatch{op: "nope", path: "/data/a"}]',
  ],
  ...['[JSONPatch{op: "add", path: "/metadata/annotations", value: {"a": "b"}}]'],
  ...[
    '[JSONPatch{op: "add", path: "/spec/template/spec/containers/-", value: Object.spec.template.spec.containers{name: "s", image: "i"}}]',
    '[JSONPatch{op: "add", path: "/spec/replicas", value: object.spec.replicas * 2}]',
  ],
  ...['object.data.a == "1" ? [JSONPatch{op: "add", path: "/data/if", value: "1"}] : []'],
  ...[
    '[JSONPatch{op: "add", path: "/data/p", value: params.data.x}]',
    '[JSONPatch{op: "replace", path: "/data", value: {"n": "m"}}]',
    '[JSONPatch{op: "remove", path: "/data/absent"}]',
    '[JSONPatch{op: "add", path: "/a/b/c", value: "x"}]',
  ],
];
const faultyPatched = [
  '1',
  'JSONPatch{op: "add", path: "/a"}',
  '[JSONPatch{nope: 1}]',
  '["a"]',
  '[JSONPatch{op: 1}]',
  'Object{}',
  '[',
  '',
];

function mutationOf(random: Random, faults: number): JsonObject {
  if (some(random, 0.5)) {
    const expression = random.pick(some(random, faults) ? faultyApplied : applied);
    return { patchType: 'ApplyConfiguration', applyConfiguration: { expression } };
  }
  return {
    patchType: 'JSONPatch',
    jsonPatch: { expression: random.pick(some(random, faults) ? faultyPatched : patched) },
  };
}

function specOf(random: Random, name: string, kind: PolicyKind, faults: number): JsonObject {
  const variables = [
    { name: 'v', expression: random.pick(['true', 'has(object.data)', 'object.data.absent == "1"']) },
    { name: 'n', expression: random.pick(['4', 'size(object.metadata.name)', '1 / 0']) },
    { name: 't', expression: '"told"' },
    { name: 'bad', expression: random.pick(['object.data.absent', '1']) },
    ...(some(random, faults / 2)
      ? [{ name: random.pick(['w', '1', 'v']), expression: random.pick(faulty) }]
      : []),
  ];
  const matchConditions = [
    { name: 'match', expression: random.pick(some(random, faults) ? faulty : matched) },
  ];
  const count = random.between(1, 2);
  const content: JsonObject =
    kind === 'ValidatingAdmissionPolicy'
      ? {
          validations: Array.from({ length: count }, () => validationOf(random, faults)),
          ...(some(random, 0.2)
            ? {
                auditAnnotations: [
                  {
                    key: random.pick(['k', 'k', '-']),
                    valueExpression: random.pick(some(random, faults) ? faultyTexts : texts),
                  },
                ],
              }
            : {}),
        }
      : {
          mutations: Array.from({ length: count }, () => mutationOf(random, faults)),
          reinvocationPolicy: random.pick(['Never', 'IfNeeded']),
        };
  return {
    ...content,
    variables,
    matchConstraints: constraintsOf(random, name, kind),
    ...(some(random, 0.7) ? { failurePolicy: random.pick(['Fail', 'Fail', 'Ignore']) } : {}),
    ...(some(random, 0.6)
      ? { paramKind: { apiVersion: 'v1', kind: some(random, faults / 3) ? 'Nope' : 'ConfigMap' } }
      : {}),
    ...(some(random, 0.25) ? { matchConditions } : {}),
  };
}

function bindingOf(
  random: Random,
  { name, kind, hasParams }: { name: string; kind: PolicyKind; hasParams: boolean },
  policyName: string,
): JsonObject {
  const actions = random.pick([
    ['Deny'],
    ['Deny'],
    ['Deny', 'Audit'],
    ['Warn'],
    ['Warn', 'Audit'],
    ['Audit'],
  ]);
  const notFound = random.pick(['Allow', 'Deny']);
  const ref = random.pick([
    { name: 'params-1', namespace, parameterNotFoundAction: notFound },
    { name: 'params-1', parameterNotFoundAction: notFound },
    { name: 'absent', namespace, parameterNotFoundAction: notFound },
    { selector: { matchLabels: { params: 'yes' } }, namespace, parameterNotFoundAction: notFound },
    { selector: { matchLabels: { params: 'none' } }, parameterNotFoundAction: notFound },
  ] as JsonObject[]);
  return {
    ...{ apiVersion, kind: `${kind}Binding`, metadata: { name } },
    spec: {
      policyName,
      ...(kind === 'ValidatingAdmissionPolicy' ? { validationActions: actions } : {}),
      ...(hasParams && some(random, 0.95) ? { paramRef: ref } : {}),
      ...(some(random, 0.15)
        ? { matchResources: { resourceRules: [{ ...random.pick(rules), operations: ['*'] }] } }
        : {}),
    },
  };
}

/** `faults`: the chance of an expression that does not compile. */
export function drawPolicy(random: Random, name: string, faults: number): DrawnPolicy {
  const kind = random.pick(['ValidatingAdmissionPolicy', 'MutatingAdmissionPolicy'] as const);
  const spec = specOf(random, name, kind, faults);
  const hasParams = spec['paramKind'] !== undefined;
  return {
    ...{ name, kind },
    policy: { apiVersion, kind, metadata: { name }, spec },
    // One alone: kube-apiserver takes several in any order.
    bindings: [bindingOf(random, { name: `${name}-0`, kind, hasParams }, name)],
  };
}

/** A validating policy that acts on the custom objects of a group. */
export function drawnPolicyOf(name: string, validations: readonly JsonObject[], group: string): DrawnPolicy {
  const kind = 'ValidatingAdmissionPolicy';
  const matchConstraints: JsonObject = {
    resourceRules: [{ apiGroups: [group], apiVersions: ['*'], resources: ['*'], operations: ['*'] }],
    objectSelector: { matchLabels: { [caseLabel]: name } },
  };
  const spec: JsonObject = { validations: [...validations], matchConstraints };
  return {
    ...{ name, kind },
    policy: { apiVersion, kind, metadata: { name }, spec },
    bindings: [
      {
        ...{ apiVersion, kind: `${kind}Binding`, metadata: { name: `${name}-0` } },
        spec: { policyName: name, validationActions: ['Deny'] },
      },
    ],
  };
}

export function collectionOf(kind: string): string {
  return `${admission}/${kind.toLowerCase().replace(/y$/, 'ie')}s`;
}

/** In both; those that the oracle refuses are left out. Returns what stands. */
export async function makePolicies(pair: Pair, drawn: readonly DrawnPolicy[]): Promise<DrawnPolicy[]> {
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  for (const [at, x] of ['1', '2'].entries()) {
    const metadata = { name: `params-${at + 1}`, labels: { params: at === 0 ? 'yes' : 'no' } };
    await pair.send({
      path: maps,
      body: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { x } }),
    });
  }
  const standing: DrawnPolicy[] = [];
  for (const one of [...drawn, ...lastPolicies]) {
    const { oracle, ours } = await pair.send({
      path: collectionOf(one.kind),
      body: JSON.stringify(one.policy),
    });
    if (oracle.status !== 201 || ours.status !== 201) continue;
    standing.push(one);
    for (const binding of one.bindings)
      await pair.send({ path: collectionOf(`${one.kind}Binding`), body: JSON.stringify(binding) });
  }
  // kube-apiserver compiles them some time after they were written, all that there are at once.
  const probe = {
    metadata: { name: 'probe', labels: { [caseLabel]: 'last' } },
    apiVersion: 'v1',
    kind: 'ConfigMap',
  };
  await until('both act by the last policies', async () => {
    const { oracle, ours } = await pair.send({ path: `${maps}?dryRun=All`, body: JSON.stringify(probe) });
    return [oracle, ours].every(({ text }) => text.includes('the last one: mutated'));
  });
  return standing.filter(({ name }) => name !== 'last');
}

const lastConstraints: JsonObject = {
  resourceRules: [{ ...rules[0], operations: ['CREATE'] }],
  objectSelector: { matchLabels: { [caseLabel]: 'last' } },
};

const lastPolicies: readonly DrawnPolicy[] = (
  [
    [
      'MutatingAdmissionPolicy',
      {
        mutations: [
          {
            patchType: 'ApplyConfiguration',
            applyConfiguration: { expression: 'Object{data: {"m": "mutated"}}' },
          },
        ],
        reinvocationPolicy: 'Never',
      },
    ],
    [
      'ValidatingAdmissionPolicy',
      {
        validations: [
          { expression: 'false', messageExpression: '"the last one: " + object.?data.m.orValue("not yet")' },
        ],
      },
    ],
  ] as const
).map(([kind, spec]) => ({
  ...{ name: 'last', kind },
  policy: {
    apiVersion,
    kind,
    metadata: { name: 'last' },
    spec: { ...spec, matchConstraints: lastConstraints } as unknown as JsonObject,
  },
  bindings: [
    {
      ...{ apiVersion, kind: `${kind}Binding`, metadata: { name: 'last' } },
      spec: {
        policyName: 'last',
        ...(kind === 'ValidatingAdmissionPolicy' ? { validationActions: ['Deny'] } : {}),
      },
    },
  ],
}));

export const labelsOf = (name: string): JsonObject => ({ [caseLabel]: name });
