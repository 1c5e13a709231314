import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { MetricText } from '#client/metrics/metric-text.ts';
import type { AuthorizationDecision, Authorizer } from '../../authz/authorizer.ts';
import { apiError } from '../../verbs/testing/harness.ts';
import { AdmissionMetrics } from '../admission-metrics.ts';
import {
  apiVersion,
  bind,
  configMap,
  configurations,
  maps,
  openWithPolicies,
  rules,
} from './testing/policy-fixtures.ts';

test('a policy denies in Kubernetes’ words (A3)', async () => {
  await using harness = await openWithPolicies();
  await bind(harness, {
    validations: [{ expression: '!has(object.data.secret)', message: 'no secrets here' }],
  });
  await harness.post(maps, configMap('good', { a: 'b' }));
  await assert.rejects(
    harness.post(maps, configMap('bad', { secret: 'x' })),
    apiError(
      'Invalid',
      `configmaps "bad" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p-b' denied request: no secrets here`,
      422,
    ),
  );
  await harness.post(`/clusters/other${maps}`, configMap('bad', { secret: 'x' }));
});

test('what policies have against requests is counted once (plugin/policy/validating/metrics)', async () => {
  const metrics = new AdmissionMetrics();
  const later: Authorizer = { authorize: async () => ({ decision: 'noOpinion', reason: '' }) };
  await using harness = await openWithPolicies(later, metrics);
  const validations = [
    { expression: 'object.metadata.name != "bad"' },
    { expression: 'object.data.none == ""' },
    { expression: '!authorizer.group("").resource("pods").check("get").allowed()' },
  ];
  await bind(harness, { validations }, { validationActions: ['Warn', 'Audit'] });
  await harness.post(maps, configMap('bad'));
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
    await using harness = await openWithPolicies();
    await bind(harness, {
      variables: [
        { name: 'b', expression: "object.data.a + 'b'" },
        { name: 'c', expression: "variables.b + 'c'" },
      ],
      validations: [validation],
    });
    const write = harness.post(maps, configMap('m', { a: 'b' }));
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
  await using harness = await openWithPolicies({
    authorize: () => {
      asked++;
      return Promise.resolve<AuthorizationDecision>({ decision: 'allow', reason: '' });
    },
  });
  const check = "authorizer.group('').resource('pods').namespace('default').check('create').allowed()";
  await bind(harness, { validations: [{ expression: `${check} && ${check}` }] });
  await harness.post(maps, configMap('m'));
  assert.equal(asked, 1, 'once for the same question');
});

test('actions, failure policy, match conditions, selectors', async () => {
  await using harness = await openWithPolicies();
  const denies = { validations: [{ expression: 'false', message: 'no' }] };
  await bind(harness, denies, { validationActions: ['Warn'] }, 'Validating', 'warns');
  const { warnings } = await harness.post(maps, configMap('a'));
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
  await harness.post(maps, configMap('b'));
  await bind(
    harness,
    { ...denies, matchConditions: [{ name: 'only', expression: "object.metadata.name == 'c'" }] },
    {},
    'Validating',
    'conditions',
  );
  await harness.post(maps, configMap('d'));
  await assert.rejects(
    harness.post(maps, configMap('c')),
    /'conditions' with binding 'conditions-b' denied request: no/,
  );
  await bind(
    harness,
    denies,
    { matchResources: { objectSelector: { matchLabels: { x: 'y' } } } },
    'Validating',
    'selects',
  );
  await harness.post(maps, configMap('e'));
  await assert.rejects(harness.post(maps, configMap('f', {}, { x: 'y' })), /'selects' with binding/);
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
  await harness.post(maps, configMap('h'));
  await assert.rejects(harness.post(maps, configMap('i')), /'excludes' with binding/);
});

/** An expression that costs this much, to within 3,000, and holds: every element of a list counts with every other. */
const costing = (cost: number) => `lists.range(${Math.floor(Math.sqrt(cost / 2))}).sort().size() > 0`;
const outOfBudget =
  'validation failed due to running out of cost budget, no further validation rules will be run';
const tooCostly = 'operation cancelled: actual cost limit exceeded';

test('A3: what the expressions of a policy may cost, one and all together (plugin/policy/validating/validator.go)', async () => {
  await using harness = await openWithPolicies();
  const times = (count: number, validation: JsonObject) => Array.from({ length: count }, () => validation);
  const dear = { expression: costing(950_000) };
  const tooDear = { expression: costing(1_010_000) };
  let at = 0;
  const told = async (spec: JsonObject): Promise<string> => {
    const name = `p${at++}`;
    const binding = { matchResources: { objectSelector: { matchLabels: { of: name } } } };
    await bind(harness, spec, binding, 'Validating', name);
    try {
      await harness.post(maps, configMap(name, {}, { of: name }));
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
  await using harness = await openWithPolicies();
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
    harness.post(maps, configMap('a')),
    /failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction/,
  );
  const policy = `${configurations}/validatingadmissionpolicybindings/p-b`;
  await harness.patch(policy, 'merge', { spec: { paramRef: { parameterNotFoundAction: 'Allow' } } });
  await harness.post(maps, configMap('limits', { max: '1' }));
  await harness.post(maps, configMap('a', { x: '1' }));
  await assert.rejects(harness.post(maps, configMap('b', { x: '1', y: '2' })), /denied request: too many/);
});

test('expressions that do not compile are refused with the policy', async () => {
  await using harness = await openWithPolicies();
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
  await using harness = await openWithPolicies();
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
