import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { MetricText } from '#client/metrics/metric-text.ts';
import { AdmissionMetrics } from '../admission-metrics.ts';
import { bind, configMap, maps, never, openWithPolicies, rules } from './testing/policy-fixtures.ts';

test('mutations that policies try are counted by what became of them (plugin/policy/mutating/metrics)', async () => {
  const metrics = new AdmissionMetrics();
  await using harness = await openWithPolicies(never, metrics);
  const mutations = ['Object{data: {"a": "b"}}', 'Object{data: {"a": object.data.none}}'].map(
    (expression) => ({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }),
  );
  await bind(harness, { failurePolicy: 'Ignore', reinvocationPolicy: 'Never', mutations }, {}, 'Mutating');
  await harness.post(maps, configMap('good'));
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

test('mutating policies apply configurations and patches (A3, KEP-3962)', async () => {
  await using harness = await openWithPolicies();
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
  const { object } = await harness.post(maps, configMap('m', { team: 'blue', a: '1' }, { kept: 'yes' }));
  assert.deepEqual(object['data'], { team: 'blue', a: '1', b: '2' });
  assert.deepEqual(object.metadata.labels, { kept: 'yes', team: 'blue', 'x/y': 'z' });
  await assert.rejects(
    harness.post(maps, configMap('n', { a: '1' })),
    /policy 'a' with binding 'a-b' denied request: expression .* resulted in error: no such key: team/,
  );
});

test('a mutating policy that asks for it is invoked once more after its own mutations', async () => {
  await using harness = await openWithPolicies();
  const count = "string(int(has(object.data) && 'n' in object.data ? object.data['n'] : '0') + 1)";
  const mutations: JsonObject[] = [
    {
      patchType: 'ApplyConfiguration',
      applyConfiguration: { expression: `Object{data: {'n': ${count}}}` },
    },
  ];
  await bind(harness, { reinvocationPolicy: 'IfNeeded', mutations }, {}, 'Mutating');
  const { object } = await harness.post(maps, configMap('m', { a: '1' }));
  assert.deepEqual(object['data'], { a: '1', n: '2' });
});

test('each mutation that cannot be done is told of, and those after it are done', async () => {
  await using harness = await openWithPolicies();
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
  const { object } = await harness.post(maps, configMap('m', { a: '1' }));
  assert.deepEqual(object['data'], { a: '1', d: '1' });
  await bind(harness, spec, {}, 'Mutating', 'fails');
  await assert.rejects(harness.post(maps, configMap('n', { a: '1' })), (error) => {
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
  await using harness = await openWithPolicies();
  const mutations: JsonObject[] = [
    { patchType: 'ApplyConfiguration', applyConfiguration: { expression: "Object{zork: 'x'}" } },
  ];
  await bind(harness, { reinvocationPolicy: 'Never', mutations }, {}, 'Mutating', 'a');
  await assert.rejects(harness.post(maps, configMap('n', { a: '1' })), (error) => {
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
  await using harness = await openWithPolicies();
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
