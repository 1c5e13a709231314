import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { MetricText } from '#client/metrics/metric-text.ts';
import type { AuthorizationDecision, Authorizer } from '../../authz/authorizer.ts';
import { apiError, Harness } from '../../verbs/testing/harness.ts';
import { AdmissionMetrics } from '../admission-metrics.ts';
import { NotEnforced } from '../not-enforced.ts';
import { MutatingPolicies } from './mutating-policies.ts';
import { ValidatingPolicies } from './validating-policies.ts';

const configurations = '/apis/admissionregistration.k8s.io/v1';
const maps = '/api/v1/namespaces/default/configmaps';
const apiVersion = 'admissionregistration.k8s.io/v1';

function map(name: string, data: JsonObject = {}, labels: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data };
}

function rules(more: JsonObject = {}): JsonObject {
  return {
    resourceRules: [
      { apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'], ...more },
    ],
  };
}

const never: Authorizer = { authorize: () => ({ decision: 'noOpinion', reason: 'nobody may' }) };

async function open(authorizer: Authorizer = never, metrics?: AdmissionMetrics): Promise<Harness> {
  return Harness.open({
    workspaces: [{ id: 'other' as never, path: 'other' }],
    plugins: (storage) => [
      new MutatingPolicies({ storage, authorizer, metrics }),
      new ValidatingPolicies({ storage, authorizer, metrics }),
      new NotEnforced(),
    ],
  });
}

async function bind(
  harness: Harness,
  spec: JsonObject,
  binding: JsonObject = {},
  kind: 'Validating' | 'Mutating' = 'Validating',
  name = 'p',
): Promise<readonly string[]> {
  const resource = `${configurations}/${kind.toLowerCase()}admissionpolic`;
  const { warnings } = await harness.post(`${resource}ies`, {
    apiVersion,
    kind: `${kind}AdmissionPolicy`,
    metadata: { name },
    spec: { matchConstraints: rules(), ...spec },
  });
  await harness.post(`${resource}ybindings`, {
    apiVersion,
    kind: `${kind}AdmissionPolicyBinding`,
    metadata: { name: `${name}-b` },
    spec: { policyName: name, ...(kind === 'Validating' ? { validationActions: ['Deny'] } : {}), ...binding },
  });
  return warnings;
}

test('a policy denies in Kubernetes’ words (A3)', async () => {
  await using harness = await open();
  await bind(harness, {
    validations: [{ expression: '!has(object.data.secret)', message: 'no secrets here' }],
  });
  await harness.post(maps, map('good', { a: 'b' }));
  await assert.rejects(
    harness.post(maps, map('bad', { secret: 'x' })),
    apiError(
      'Invalid',
      `configmaps "bad" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p-b' denied request: no secrets here`,
      422,
    ),
  );
  await harness.post(`/clusters/other${maps}`, map('bad', { secret: 'x' }));
});

test('mutations that policies try are counted by what became of them (plugin/policy/mutating/metrics)', async () => {
  const metrics = new AdmissionMetrics();
  await using harness = await open(never, metrics);
  const mutations = ['Object{data: {"a": "b"}}', 'Object{data: {"a": object.data.none}}'].map(
    (expression) => ({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }),
  );
  await bind(harness, { failurePolicy: 'Ignore', reinvocationPolicy: 'Never', mutations }, {}, 'Mutating');
  await harness.post(maps, map('good'));
  const text = new MetricText();
  metrics.render(text);
  const total = 'apiserver_mutating_admission_policy_check_total';
  assert.deepEqual(
    text.toString().match(new RegExp(`^${total}.*$`, 'gm')),
    ['no_error', 'invalid_error'].map(
      (error) => `${total}{error_type="${error}",policy="p",policy_binding="p-b"} 1`,
    ),
  );
});

test('what policies have against requests is counted once (plugin/policy/validating/metrics)', async () => {
  const metrics = new AdmissionMetrics();
  const later: Authorizer = { authorize: async () => ({ decision: 'noOpinion', reason: '' }) };
  await using harness = await open(later, metrics);
  const validations = [
    { expression: 'object.metadata.name != "bad"' },
    { expression: 'object.data.none == ""' },
    { expression: '!authorizer.group("").resource("pods").check("get").allowed()' },
  ];
  await bind(harness, { validations }, { validationActions: ['Warn', 'Audit'] });
  await harness.post(maps, map('bad'));
  const text = new MetricText();
  metrics.render(text);
  const total = 'apiserver_validating_admission_policy_check_total';
  const labels = (action: string, error: string) =>
    `{enforcement_action="${action}",error_type="${error}",policy="p",policy_binding="p-b"} 1`;
  assert.deepEqual(
    text.toString().match(new RegExp(`^${total}.*$`, 'gm')),
    ['no_error', 'invalid_error'].flatMap((error) =>
      ['warn', 'audit'].map((action) => total + labels(action, error)),
    ),
  );
});

test('what validations can say and see', async () => {
  const rows: [JsonObject, RegExp | undefined][] = [
    [{ expression: "object.data.a == 'b'" }, undefined],
    [{ expression: 'false' }, /denied request: failed expression: false/],
    [{ expression: 'false', messageExpression: "'is ' + object.data.a" }, /denied request: is b/],
    [{ expression: 'false', reason: 'Forbidden', message: 'm' }, /denied request: m/],
    [{ expression: 'object.data.nothing == 1' }, /resulted in error: no such key: nothing/],
    [{ expression: '!has(oldObject.data) && !oldObject.?data.hasValue()' }, undefined],
    [{ expression: "oldObject.data.a == 'b'" }, /resulted in error: no such key: data/],
    [{ expression: "oldObject['data'] == 'b'" }, /resulted in error: no such key: data/],
    [{ expression: "oldObject == null && request.operation == 'CREATE'" }, undefined],
    [{ expression: "request.userInfo.username == 'system:apiserver' && !request.dryRun" }, undefined],
    [{ expression: "request.kind.kind == 'ConfigMap' && request.namespace == 'default'" }, undefined],
    [{ expression: "namespaceObject.metadata.name == 'default'" }, undefined],
    [{ expression: "variables.b == 'bb' && variables.c.size() == 3" }, undefined],
    [{ expression: "authorizer.group('').resource('pods').check('create').allowed()" }, /failed expression/],
    [{ expression: "authorizer.requestResource.check('custom').reason() == 'nobody may'" }, undefined],
  ];
  for (const [validation, expected] of rows) {
    await using harness = await open();
    await bind(harness, {
      variables: [
        { name: 'b', expression: "object.data.a + 'b'" },
        { name: 'c', expression: "variables.b + 'c'" },
      ],
      validations: [validation],
    });
    const write = harness.post(maps, map('m', { a: 'b' }));
    if (expected === undefined) await write;
    else
      await assert.rejects(
        write,
        (error: Error) => expected.test(error.message),
        String(validation['expression']),
      );
  }
});

test('an authorizer that answers later is waited for', async () => {
  let asked = 0;
  await using harness = await open({
    authorize: () => {
      asked++;
      return Promise.resolve<AuthorizationDecision>({ decision: 'allow', reason: '' });
    },
  });
  const check = "authorizer.group('').resource('pods').namespace('default').check('create').allowed()";
  await bind(harness, { validations: [{ expression: `${check} && ${check}` }] });
  await harness.post(maps, map('m'));
  assert.equal(asked, 1, 'once for the same question');
});

test('actions, failure policy, match conditions, selectors', async () => {
  await using harness = await open();
  const denies = { validations: [{ expression: 'false', message: 'no' }] };
  await bind(harness, denies, { validationActions: ['Warn'] }, 'Validating', 'warns');
  const { warnings } = await harness.post(maps, map('a'));
  assert.deepEqual(warnings, [
    "Validation failed for ValidatingAdmissionPolicy 'warns' with binding 'warns-b': no",
  ]);
  await bind(
    harness,
    { failurePolicy: 'Ignore', validations: [{ expression: 'object.data.nothing == 1' }] },
    {},
    'Validating',
    'ignores',
  );
  await harness.post(maps, map('b'));
  await bind(
    harness,
    { ...denies, matchConditions: [{ name: 'only', expression: "object.metadata.name == 'c'" }] },
    {},
    'Validating',
    'conditions',
  );
  await harness.post(maps, map('d'));
  await assert.rejects(
    harness.post(maps, map('c')),
    /'conditions' with binding 'conditions-b' denied request: no/,
  );
  await bind(
    harness,
    denies,
    { matchResources: { objectSelector: { matchLabels: { x: 'y' } } } },
    'Validating',
    'selects',
  );
  await harness.post(maps, map('e'));
  await assert.rejects(harness.post(maps, map('f', {}, { x: 'y' })), /'selects' with binding/);
  await bind(
    harness,
    {
      ...denies,
      matchConstraints: {
        ...rules(),
        excludeResourceRules: rules({ resourceNames: ['h'] })['resourceRules'] as never,
      },
    },
    {},
    'Validating',
    'excludes',
  );
  await harness.post(maps, map('h'));
  await assert.rejects(harness.post(maps, map('i')), /'excludes' with binding/);
});

/** An expression that costs this much, to within 3,000, and holds: every element of a list counts with every other. */
const costing = (cost: number) => `lists.range(${Math.floor(Math.sqrt(cost / 2))}).sort().size() > 0`;
const outOfBudget =
  'validation failed due to running out of cost budget, no further validation rules will be run';
const tooCostly = 'operation cancelled: actual cost limit exceeded';

test('A3: what the expressions of a policy may cost, one and all together (plugin/policy/validating/validator.go)', async () => {
  await using harness = await open();
  const times = (count: number, validation: JsonObject) => Array.from({ length: count }, () => validation);
  const dear = { expression: costing(950_000) };
  const tooDear = { expression: costing(1_010_000) };
  let at = 0;
  const told = async (spec: JsonObject): Promise<string> => {
    const name = `p${at++}`;
    const binding = { matchResources: { objectSelector: { matchLabels: { of: name } } } };
    await bind(harness, spec, binding, 'Validating', name);
    try {
      await harness.post(maps, map(name, {}, { of: name }));
      return 'none';
    } catch (error) {
      return /denied request: (.*)$/s.exec((error as Error).message)?.[1] ?? (error as Error).message;
    }
  };
  assert.equal(await told({ validations: times(10, dear) }), 'none');
  assert.equal(await told({ validations: times(11, dear) }), outOfBudget);
  const [only] = [await told({ validations: [tooDear] })];
  assert.equal(only, `expression '${tooDear.expression}' resulted in error: ${tooCostly}`);
  // What went beyond its own limit has cost that much.
  assert.equal(await told({ validations: times(11, tooDear) }), outOfBudget);
  const says = (expression: string) => ({
    expression: 'true',
    messageExpression: `${expression} ? 'a' : 'b'`,
  });
  const messages = [...times(9, dear), says(costing(800_000)), says(costing(800_000))];
  assert.equal(await told({ validations: messages }), `failed messageExpression: ${outOfBudget}`);
  const variables = [{ name: 'dear', expression: costing(950_000) }];
  const asking = { ...dear, expression: `variables.dear && ${costing(900_000)}` };
  assert.equal(await told({ variables, validations: [...times(8, dear), asking] }), 'none');
  assert.equal(await told({ variables, validations: [...times(9, dear), asking] }), outOfBudget);
  const condition = (index: number, expression: string) => ({ name: `c${index}`, expression });
  const conditions = [condition(0, 'false'), ...[1, 2, 3].map((index) => condition(index, dear.expression))];
  const matchConditions = conditions.slice(0, 3);
  assert.equal(await told({ matchConditions, validations: [{ expression: 'false' }] }), 'none');
  assert.equal(
    await told({ matchConditions: conditions, validations: [{ expression: 'false' }] }),
    outOfBudget,
    'one that is false saves no other',
  );
  const auditAnnotations = [{ key: 'a', valueExpression: `${dear.expression} ? 'a' : ''` }];
  assert.equal(await told({ auditAnnotations, validations: times(10, dear) }), 'none', 'of their own');
});

test('parameters', async () => {
  await using harness = await open();
  await bind(
    harness,
    {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      validations: [
        {
          expression: "object.metadata.name in ['limits'] || object.data.size() <= int(params.data.max)",
          message: 'too many',
        },
      ],
    },
    { paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' } },
  );
  await assert.rejects(
    harness.post(maps, map('a')),
    /failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction/,
  );
  const policy = `${configurations}/validatingadmissionpolicybindings/p-b`;
  await harness.patch(policy, 'merge', { spec: { paramRef: { parameterNotFoundAction: 'Allow' } } });
  await harness.post(maps, map('limits', { max: '1' }));
  await harness.post(maps, map('a', { x: '1' }));
  await assert.rejects(harness.post(maps, map('b', { x: '1', y: '2' })), /denied request: too many/);
});

test('expressions that do not compile are refused with the policy', async () => {
  await using harness = await open();
  const policies = `${configurations}/validatingadmissionpolicies`;
  const policy = (validation: JsonObject) => ({
    apiVersion,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'p' },
    spec: { matchConstraints: rules(), validations: [validation] },
  });
  const rows: [JsonObject, RegExp][] = [
    [
      { expression: 'object.' },
      /spec.validations\[0\].expression: Invalid value: "object.": compilation failed: ERROR: <input>/,
    ],
    [{ expression: '1' }, /spec.validations\[0\].expression: Invalid value: "1": must evaluate to bool/],
    [{ expression: 'params.x' }, /undeclared reference to 'params'/],
    [{ expression: 'request.nothing == 1' }, /undefined field 'nothing'/],
    [{ expression: 'variables.x == 1' }, /undeclared reference to 'variables'/],
    [{ expression: 'object.data' }, /must evaluate to bool but got dyn/],
    [
      { expression: 'true', messageExpression: '1' },
      /messageExpression: Invalid value: "1": must evaluate to string/,
    ],
  ];
  for (const [validation, expected] of rows) {
    await assert.rejects(harness.post(policies, policy(validation)), (error: Error) => {
      assert.match(error.message, expected);
      return true;
    });
  }
});

test('CRDs of the Gateway API guard themselves with a policy', async () => {
  await using harness = await open();
  await bind(harness, {
    matchConstraints: rules({
      apiGroups: ['apiextensions.k8s.io'],
      operations: ['CREATE', 'UPDATE'],
      resources: ['*'],
    }),
    validations: [
      {
        expression:
          "object.spec.group != 'gateway.networking.k8s.io' || (has(object.metadata.annotations) && object.metadata.annotations.exists(k, k == 'gateway.networking.k8s.io/bundle-version') && !matches(object.metadata.annotations['gateway.networking.k8s.io/bundle-version'], 'v1.[0-3].\\\\d+') && !matches(object.metadata.annotations['gateway.networking.k8s.io/bundle-version'], 'v0'))",
        message: 'too old',
        reason: 'Invalid',
      },
    ],
  });
  const crd = (version: string): JsonObject => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: 'foos.gateway.networking.k8s.io',
      annotations: {
        'gateway.networking.k8s.io/bundle-version': version,
        'api-approved.kubernetes.io': 'https://github.com/kubernetes-sigs/gateway-api/pull/1',
      },
    },
    spec: {
      group: 'gateway.networking.k8s.io',
      scope: 'Namespaced',
      names: { plural: 'foos', singular: 'foo', kind: 'Foo', listKind: 'FooList' },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
      ],
    },
  });
  const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await assert.rejects(harness.post(crds, crd('v1.2.1')), /denied request: too old/);
  await harness.post(crds, crd('v1.5.0'));
});

test('mutating policies apply configurations and patches (KEP-3962)', async () => {
  await using harness = await open();
  const mutation = (expression: string): JsonObject => ({
    reinvocationPolicy: 'Never',
    mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }],
  });
  await bind(
    harness,
    mutation("Object{metadata: Object.metadata{labels: {'team': object.data.team}}, data: {'b': '2'}}"),
    {},
    'Mutating',
    'a',
  );
  await bind(
    harness,
    {
      reinvocationPolicy: 'Never',
      mutations: [
        {
          patchType: 'JSONPatch',
          jsonPatch: {
            expression:
              "[JSONPatch{op: 'test', path: '/data/b', value: '2'}, JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('x/y'), value: 'z'}]",
          },
        },
      ],
    },
    {},
    'Mutating',
    'b',
  );
  const { object } = await harness.post(maps, map('m', { team: 'blue', a: '1' }, { kept: 'yes' }));
  assert.deepEqual(object['data'], { team: 'blue', a: '1', b: '2' });
  assert.deepEqual(object.metadata.labels, { kept: 'yes', team: 'blue', 'x/y': 'z' });
  await assert.rejects(
    harness.post(maps, map('n', { a: '1' })),
    /policy 'a' with binding 'a-b' denied request: expression .* resulted in error: no such key: team/,
  );
});

test('a mutating policy that asks for it is invoked once more after its own mutations', async () => {
  await using harness = await open();
  const count = "string(int(has(object.data) && 'n' in object.data ? object.data['n'] : '0') + 1)";
  const mutations: JsonObject[] = [
    {
      patchType: 'ApplyConfiguration',
      applyConfiguration: { expression: `Object{data: {'n': ${count}}}` },
    },
  ];
  await bind(harness, { reinvocationPolicy: 'IfNeeded', mutations }, {}, 'Mutating');
  const { object } = await harness.post(maps, map('m', { a: '1' }));
  assert.deepEqual(object['data'], { a: '1', n: '2' });
});

test('each mutation that cannot be done is told of, and those after it are done', async () => {
  await using harness = await open();
  const apply = (expression: string): JsonObject => ({
    patchType: 'ApplyConfiguration',
    applyConfiguration: { expression },
  });
  const mutations = [
    apply('Object{data: {"b": object.data.absent}}'),
    apply('Object{data: Object.nope{c: "1"}}'),
    apply('Object{data: {"d": "1"}}'),
  ];
  const spec = { reinvocationPolicy: 'Never', mutations };
  await bind(harness, { ...spec, failurePolicy: 'Ignore' }, {}, 'Mutating', 'ignores');
  const { object } = await harness.post(maps, map('m', { a: '1' }));
  assert.deepEqual(object['data'], { a: '1', d: '1' });
  await bind(harness, spec, {}, 'Mutating', 'fails');
  await assert.rejects(harness.post(maps, map('n', { a: '1' })), (error) => {
    assert.ok(isApiError(error, 'Invalid'));
    const by = "policy 'fails' with binding 'fails-b' denied request: ";
    assert.deepEqual(error.details?.causes, [
      {
        message: `${by}expression 'Object{data: {"b": object.data.absent}}' resulted in error: no such key: absent`,
      },
      {
        message: `${by}type mismatch: unexpected type name "Object.nope", expected "Object.data", which matches field name path from root Object type`,
      },
    ]);
    return true;
  });
});

test('what a mutating policy cannot do is 403 with the reason Invalid, in its own words', async () => {
  await using harness = await open();
  const mutations: JsonObject[] = [
    { patchType: 'ApplyConfiguration', applyConfiguration: { expression: "Object{zork: 'x'}" } },
  ];
  await bind(harness, { reinvocationPolicy: 'Never', mutations }, {}, 'Mutating', 'a');
  await assert.rejects(harness.post(maps, map('n', { a: '1' })), (error) => {
    assert.ok(isApiError(error, 'Invalid'));
    assert.equal(error.code, 403);
    assert.equal(
      error.message,
      "policy 'a' with binding 'a-b' denied request: error applying patch: failed to convert patch object to typed object: .zork: field not declared in schema",
    );
    assert.deepEqual(error.details, {
      name: 'n',
      kind: 'configmaps',
      causes: [{ message: error.message }],
    });
    return true;
  });
});

test('lists with keys are merged by a mutating policy', async () => {
  await using harness = await open();
  await bind(
    harness,
    {
      reinvocationPolicy: 'Never',
      matchConstraints: rules({ resources: ['pods'] }),
      matchConditions: [
        { name: 'bare', expression: "!object.spec.?initContainers.orValue([]).exists(c, c.name == 'proxy')" },
      ],
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: {
            expression:
              "Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: 'proxy', image: 'proxy:1', restartPolicy: 'Always'}]}}",
          },
        },
      ],
    },
    {},
    'Mutating',
  );
  const { object } = await harness.post('/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'i' }], initContainers: [{ name: 'first', image: 'f' }] },
  });
  const names = ((object['spec'] as JsonObject)['initContainers'] as JsonObject[]).map(({ name }) => name);
  assert.deepEqual(names, ['first', 'proxy']);
});
