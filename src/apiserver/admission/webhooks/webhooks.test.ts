import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import { MetricText } from '#client/metrics/metric-text.ts';
import { until } from '#test/harness/until.ts';
import { apiError } from '../../verbs/testing/harness.ts';
import { AdmissionMetrics } from '../admission-metrics.ts';
import { conditionInput } from '../policies/policy-input.ts';
import { slowPath, WebhookServer } from './testing/webhook-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const configurations = '/apis/admissionregistration.k8s.io/v1';

function patchOf(...operations: JsonObject[]): JsonObject {
  return { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(operations)).toString('base64') };
}

function map(name: string, more: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...more }, data: { given: 'yes' } };
}

describe('calls', () => {
  let server: WebhookServer;

  before(async () => {
    server = await WebhookServer.start();
  });
  after(() => server?.stop());

  const mutating = `${configurations}/mutatingwebhookconfigurations`;
  const validating = `${configurations}/validatingwebhookconfigurations`;

  test('mutation, then validation, in one workspace only (A1, A2)', async () => {
    await using harness = await server.openHarness();
    const patch = patchOf(
      { op: 'add', path: '/data/by', value: 'webhook' },
      { op: 'add', path: '/data/nope', value: null },
    );
    server.reply('/mutate', ({ object }) => ({ ...(object === null ? {} : patch), warnings: ['take care'] }));
    server.reply('/validate', ({ object }) => ({
      allowed: object === null || (object as { data: JsonObject }).data['by'] === 'webhook',
    }));
    await harness.post(mutating, server.configuration('Mutating', 'm', '/mutate'));
    await harness.post(validating, server.configuration('Validating', 'v', '/validate'));
    const made = await harness.post(maps, map('a', { labels: { x: 'y' } }));
    assert.deepEqual(
      made.object['data'],
      { given: 'yes', by: 'webhook', nope: '' },
      'what a patch adds is decoded like a body',
    );
    assert.deepEqual(made.warnings, ['take care']);
    const [first] = server.seen;
    assert.equal(first!['operation'], 'CREATE');
    assert.equal(first!['name'], 'a');
    assert.equal(first!['namespace'], 'default');
    assert.deepEqual(first!['kind'], { group: '', version: 'v1', kind: 'ConfigMap' });
    assert.deepEqual(first!['resource'], { group: '', version: 'v1', resource: 'configmaps' });
    assert.equal((first!['userInfo'] as JsonObject)['username'], 'system:apiserver');
    assert.equal(first!['oldObject'], null);
    server.seen.length = 0;
    await harness.delete(`${maps}/a`);
    assert.equal(server.seen.length, 2, 'who mutates is asked of deletions too');
    assert.equal(server.seen[0]!['object'], null);
    assert.equal((server.seen[0]!['oldObject'] as JsonObject)['kind'], 'ConfigMap');
    server.seen.length = 0;
    await harness.post(`/clusters/other${maps}`, map('a'));
    await harness.post(`/clusters/cell${mutating}`, server.configuration('Mutating', 'm', '/mutate'));
    await harness.post(`/clusters/cell${maps}`, map('a'));
    assert.equal(server.seen.length, 0);
  });

  test('who mutates sees what is created before the registry completes it (A1)', async () => {
    await using harness = await server.openHarness();
    server.reply('/mutate', () => ({}));
    server.reply('/validate', () => ({}));
    await harness.post(mutating, server.configuration('Mutating', 'm', '/mutate'));
    await harness.post(validating, server.configuration('Validating', 'v', '/validate'));
    const made = await harness.post(maps, { ...map(''), metadata: { generateName: 'g-' } });
    const metadataOf = (at: number, which: string) =>
      (server.seen[at]![which] as { readonly metadata: JsonObject }).metadata;
    assert.equal(server.seen[0]!['name'], undefined);
    for (const field of ['uid', 'creationTimestamp', 'name', 'generation'])
      assert.equal(metadataOf(0, 'object')[field], undefined, field);
    assert.equal(metadataOf(0, 'object')['generateName'], 'g-');
    assert.equal(server.seen[1]!['name'], made.object.metadata.name);
    assert.equal(metadataOf(1, 'object')['uid'], made.object.metadata.uid);
    server.seen.length = 0;
    const path = `${maps}/${made.object.metadata.name}`;
    await harness.patch(path, 'merge', { data: { a: 'b' } });
    const { resourceVersion } = made.object.metadata;
    for (const at of [0, 1]) assert.equal(metadataOf(at, 'object')['resourceVersion'], resourceVersion);
    server.seen.length = 0;
    await harness.delete(path, {
      propagationPolicy: 'Background',
      preconditions: { uid: made.object.metadata.uid ?? '' },
    });
    const { preconditions, propagationPolicy } = server.seen[0]!['options'] as JsonObject;
    assert.deepEqual([propagationPolicy, preconditions], ['Background', { uid: made.object.metadata.uid }]);
  });

  test('calls are counted by webhook and outcome (apiserver pkg/admission/metrics)', async () => {
    const metrics = new AdmissionMetrics();
    await using harness = await server.openHarness(metrics);
    server.reply('/mutate', () => ({}));
    server.reply('/validate', ({ name }) => ({
      allowed: name !== 'bad',
      ...(name === 'bad' ? { status: { code: 418 } } : {}),
    }));
    await harness.post(mutating, server.configuration('Mutating', 'm', '/mutate'));
    await harness.post(
      mutating,
      server.configuration('Mutating', 'n', '/nobody', { failurePolicy: 'Ignore' }),
    );
    await harness.post(validating, server.configuration('Validating', 'v', '/validate'));
    await harness.post(maps, map('good'));
    await assert.rejects(harness.post(maps, map('bad')), apiError('', /denied the request/, 418));
    const { webhooks = [] } = server.configuration('Validating', 'v', '/nobody');
    await harness.patch(`${validating}/v`, 'merge', { webhooks });
    await assert.rejects(harness.post(maps, map('other')), /failed calling webhook/);
    const text = new MetricText();
    metrics.render(text);
    const told = text
      .toString()
      .match(/^apiserver_admission_(?:webhook|controller)_\S*(?:count|total)\{.*$/gm)
      ?.filter((line) => !/"(?:NamespaceLifecycle|MutatingAdmissionWebhook)"/.test(line));
    const call = 'operation="CREATE",rejected';
    const validatingName = 'name="v.example.com"';
    assert.deepEqual(told, [
      `apiserver_admission_controller_admission_duration_seconds_count{name="ValidatingAdmissionWebhook",${call}="false",type="validate"} 1`,
      `apiserver_admission_controller_admission_duration_seconds_count{name="ValidatingAdmissionWebhook",${call}="true",type="validate"} 2`,
      `apiserver_admission_webhook_admission_duration_seconds_count{name="m.example.com",${call}="false",type="admit"} 3`,
      `apiserver_admission_webhook_admission_duration_seconds_count{name="n.example.com",${call}="false",type="admit"} 3`,
      `apiserver_admission_webhook_admission_duration_seconds_count{${validatingName},${call}="false",type="validating"} 1`,
      `apiserver_admission_webhook_admission_duration_seconds_count{${validatingName},${call}="true",type="validating"} 2`,
      `apiserver_admission_webhook_request_total{code="200",name="m.example.com",${call}="false",type="admit"} 3`,
      `apiserver_admission_webhook_request_total{code="500",name="n.example.com",${call}="false",type="admit"} 3`,
      `apiserver_admission_webhook_request_total{code="200",${validatingName},${call}="false",type="validating"} 1`,
      `apiserver_admission_webhook_request_total{code="418",${validatingName},${call}="true",type="validating"} 1`,
      `apiserver_admission_webhook_request_total{code="500",${validatingName},${call}="true",type="validating"} 1`,
      `apiserver_admission_webhook_rejection_count{error_type="no_error",${validatingName},operation="CREATE",rejection_code="418",type="validating"} 1`,
      `apiserver_admission_webhook_rejection_count{error_type="calling_webhook_error",${validatingName},operation="CREATE",rejection_code="500",type="validating"} 1`,
      'apiserver_admission_webhook_fail_open_count{name="n.example.com",type="admit"} 3',
    ]);
  });

  test('match conditions see the resource that is requested, whichever version matched (A2)', () => {
    const request = { resource: { version: 'v1' }, requestResource: { version: 'v2' } };
    assert.deepEqual(conditionInput({ request }).request['resource'], { version: 'v2' });
  });

  test('refusals (A2)', async () => {
    await using harness = await server.openHarness();
    let response: JsonObject = { allowed: false };
    server.reply('/v', () => response);
    await harness.post(validating, server.configuration('Validating', 'v', '/v'));
    const rows: [JsonObject, string, RegExp, number][] = [
      [
        { allowed: false },
        '',
        /^admission webhook "v.example.com" denied the request without explanation$/,
        400,
      ],
      [
        { allowed: false, status: { message: 'no!' } },
        '',
        /^admission webhook "v.example.com" denied the request: no!$/,
        400,
      ],
      [
        { allowed: false, status: { reason: 'because', code: 200 } },
        '',
        /^admission webhook "v.example.com" denied the request: because$/,
        400,
      ],
      [
        { allowed: false, status: { message: 'x', code: 422, reason: 'Invalid' } },
        'Invalid',
        /denied the request: x/,
        422,
      ],
    ];
    for (const [given, reason, message, code] of rows) {
      response = given;
      await assert.rejects(harness.post(maps, map('a')), apiError(reason, message, code));
    }
  });

  test('calls that fail: Fail refuses with 500, Ignore lets pass (A2)', async () => {
    await using harness = await server.openHarness();
    const lead = /^Internal error occurred: failed calling webhook "v.example.com": /.source;
    const undecoded = `${lead}failed to call webhook: `;
    const invalid = `${lead}received invalid webhook response: `;
    const failing: [string, JsonObject, RegExp][] = [
      ['/none', {}, new RegExp(undecoded)],
      ['/wrong-uid', {}, new RegExp(`${invalid}expected response.uid=".+", got "other"$`)],
      ['/not-a-review', {}, new RegExp(`${undecoded}no kind "Pod" is registered for version "" in scheme`)],
      ['/patches', {}, new RegExp(`${invalid}validating webhook may not return response.patchType$`)],
      ['/absent', {}, new RegExp(`${invalid}webhook response was absent$`)],
      [
        '/none',
        { clientConfig: { service: { name: 's', namespace: 'default' } } },
        new RegExp(`${undecoded}Post "https://s.default.svc:443/.timeout=[0-9]+s": service "s" not found$`),
      ],
    ];
    server.reply('/wrong-uid', () => ({ uid: 'other' }));
    server.reply('/patches', () => ({ allowed: true, patchType: 'JSONPatch' }));
    server.answers.set('/not-a-review', () => ({ kind: 'Pod' }));
    server.answers.set('/absent', () => ({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' }));
    for (const [path, more, why] of failing) {
      await harness.post(validating, server.configuration('Validating', 'v', path, more));
      await assert.rejects(harness.post(maps, map('a')), apiError('InternalError', why, 500), path);
      await harness.delete(`${validating}/v`);
    }
    await harness.post(
      validating,
      server.configuration('Validating', 'v', '/none', { failurePolicy: 'Ignore' }),
    );
    assert.deepEqual((await harness.post(maps, map('a'))).warnings, [], 'clients are told nothing');
  });

  for (const kind of ['Mutating', 'Validating'] as const) {
    test(`${kind} webhooks that do not answer are given up after timeoutSeconds (A2)`, async () => {
      await using harness = await server.openHarness();
      const at = kind === 'Mutating' ? mutating : validating;
      const slow = (failurePolicy: string) =>
        server.configuration(kind, 'v', slowPath, { failurePolicy, timeoutSeconds: 1 });
      server.givenUp.length = 0;
      await harness.post(at, slow('Fail'));
      const startedAtMs = performance.now();
      // As client-go and the dispatchers of k8s.io/apiserver/pkg/admission/plugin/webhook word it.
      const why =
        /^Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: Post "https:\/\/127.0.0.1:[0-9]+\/slow\?timeout=1s": context deadline exceeded$/;
      await assert.rejects(harness.post(maps, map('a')), apiError('InternalError', why, 500));
      assert.ok(performance.now() - startedAtMs > 900, 'not before');
      await until('the call is given up', () => server.givenUp.length === 1);
      assert.deepEqual(server.givenUp, [`${slowPath}?timeout=1s`], 'it is told how long it is waited for');
      await assert.rejects(harness.get(`${maps}/a`), apiError('NotFound'));

      await harness.delete(`${at}/v`);
      await harness.post(at, slow('Ignore'));
      assert.deepEqual((await harness.post(maps, map('a'))).warnings, [], 'clients are told nothing');
      await until('the other call is given up', () => server.givenUp.length === 2);
      assert.equal((await harness.get(`${maps}/a`)).object.metadata.name, 'a');
    });
  }

  test('each object of a deleted collection is asked about (A2)', async () => {
    await using harness = await server.openHarness();
    await harness.post(maps, map('a', { labels: { q: 'z' } }));
    await harness.post(maps, map('b', { labels: { q: 'z' } }));
    server.reply('/all', () => ({ allowed: true }));
    await harness.post(validating, server.configuration('Validating', 'v', '/all'));
    server.seen.length = 0;
    await harness.send('DELETE', `${maps}?labelSelector=q%3Dz`, {});
    assert.deepEqual(server.seen.map(({ name }) => name).sort(), ['a', 'b']);
  });

  test('match conditions (KEP-3716)', async () => {
    await using harness = await server.openHarness();
    server.reply('/no', () => ({ allowed: false, status: { message: 'no' } }));
    const rows: [string, JsonObject, 'called' | 'passed over' | 'failed'][] = [
      ["object.metadata.name == 'a'", {}, 'called'],
      ["object.metadata.name != 'a'", {}, 'passed over'],
      ["request.userInfo.groups.exists(g, g == 'system:masters')", {}, 'called'],
      ['object.data.nothing == 1', {}, 'failed'],
      ['object.data.nothing == 1', { failurePolicy: 'Ignore' }, 'passed over'],
    ];
    for (const [expression, more, expected] of rows) {
      const matchConditions = [{ name: 'c', expression }];
      await harness.post(
        validating,
        server.configuration('Validating', 'v', '/no', { matchConditions, ...more }),
      );
      const write = harness.post(maps, map('a'));
      if (expected === 'called') await assert.rejects(write, apiError('', /denied the request: no/));
      else if (expected === 'failed') {
        await assert.rejects(
          write,
          apiError(
            'Forbidden',
            /^configmaps "a" is forbidden: expression 'object.data.nothing == 1' resulted in error: no such key: nothing$/,
          ),
        );
      } else await write;
      await harness.delete(`${validating}/v`);
      if (expected === 'passed over') await harness.delete(`${maps}/a`);
    }
  });

  test('selectors, dry run, reinvocation, order (A2)', async () => {
    await using harness = await server.openHarness();
    server.reply('/count', ({ object }) => {
      const { data = {} } = object as { data?: { [key: string]: string } };
      return patchOf({ op: 'add', path: '/data', value: { ...data, log: `${data['log'] ?? ''}c` } });
    });
    server.reply('/mark', ({ object }) => {
      const { data = {} } = object as { data?: { [key: string]: string } };
      return patchOf({ op: 'add', path: '/data', value: { ...data, log: `${data['log'] ?? ''}m` } });
    });
    const selects = { objectSelector: { matchLabels: { hook: 'yes' } } };
    await harness.post(
      mutating,
      server.configuration('Mutating', 'a', '/count', { ...selects, reinvocationPolicy: 'IfNeeded' }),
    );
    await harness.post(
      mutating,
      server.configuration('Mutating', 'b', '/mark', {
        ...selects,
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } },
      }),
    );
    const made = await harness.post(`${maps}?dryRun=All`, map('x', { labels: { hook: 'yes' } }));
    assert.deepEqual(made.object['data'], { given: 'yes', log: 'cmc' });
    assert.equal(server.seen.at(-1)!['dryRun'], true);
    assert.deepEqual((await harness.post(maps, map('y'))).object['data'], { given: 'yes' });
    await harness.post('/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'n2' },
    });
    const other = await harness.post(
      '/api/v1/namespaces/n2/configmaps',
      map('z', { labels: { hook: 'yes' } }),
    );
    assert.deepEqual(other.object['data'], { given: 'yes', log: 'c' }, 'another namespace');
  });

  test('what the calls did is told to the audit record (O3)', async () => {
    await using harness = await server.openHarness();
    const label = { op: 'add', path: '/metadata/labels', value: { by: 'hook' } };
    const same = { op: 'replace', path: '/metadata/labels/by', value: 'hook' };
    server.reply('/label', () => patchOf(label));
    server.reply('/same', () => patchOf(same));
    server.reply('/none', () => ({ auditAnnotations: { seen: 'yes' } }));
    const hooks = (kind: 'Mutating' | 'Validating', ...names: string[]): JsonObject => ({
      ...server.configuration(kind, 'all', ''),
      webhooks: names.flatMap((name) => {
        const more = { failurePolicy: 'Ignore', reinvocationPolicy: 'IfNeeded' };
        if (kind === 'Validating') more.reinvocationPolicy = '';
        const { webhooks } = server.configuration(kind, name, `/${name}`, more);
        return (webhooks as JsonObject[]).map(({ reinvocationPolicy, ...one }) =>
          reinvocationPolicy === '' ? one : { ...one, reinvocationPolicy },
        );
      }),
    });
    await harness.post(mutating, hooks('Mutating', 'none', 'label', 'same', 'failing'));
    await harness.post(validating, hooks('Validating', 'none', 'failing'));
    const annotations = new Map<string, JsonValue>();
    const levels = new Set<string>();
    await harness.post(maps, map('a'), {
      annotate: (key, value, fromLevel) => {
        if (fromLevel !== undefined) levels.add(key);
        annotations.set(key, value.startsWith('{') ? (JSON.parse(value) as JsonValue) : value);
      },
    });
    const told = (webhook: string, more: JsonObject) => ({
      configuration: 'all',
      webhook: `${webhook}.example.com`,
      ...more,
    });
    const patched = (webhook: string, operation: JsonObject) =>
      told(webhook, { patch: [operation], patchType: 'JSONPatch' });
    assert.deepEqual(Object.fromEntries(annotations), {
      'none.example.com/seen': 'yes',
      'mutation.webhook.admission.k8s.io/round_0_index_0': told('none', { mutated: false }),
      'mutation.webhook.admission.k8s.io/round_0_index_1': told('label', { mutated: true }),
      'patch.webhook.admission.k8s.io/round_0_index_1': patched('label', label),
      'mutation.webhook.admission.k8s.io/round_0_index_2': told('same', { mutated: false }),
      'patch.webhook.admission.k8s.io/round_0_index_2': patched('same', same),
      'mutation.webhook.admission.k8s.io/round_0_index_3': told('failing', { mutated: false }),
      'failed-open.mutation.webhook.admission.k8s.io/round_0_index_3': 'failing.example.com',
      // Only what changed something makes those before it be asked again.
      'mutation.webhook.admission.k8s.io/round_1_index_0': told('none', { mutated: false }),
      'failed-open.validating.webhook.admission.k8s.io/round_0_index_1': 'failing.example.com',
    });
    assert.deepEqual(
      [...levels],
      [...annotations.keys()].filter((key) => key.startsWith('patch.')),
    );
  });

  test('what is deleted cannot be patched (A2)', async () => {
    await using harness = await server.openHarness();
    await harness.post(maps, map('a'));
    server.reply('/patch', () => patchOf({ op: 'add', path: '/data/x', value: 'y' }));
    await harness.post(mutating, server.configuration('Mutating', 'm', '/patch'));
    await assert.rejects(
      harness.delete(`${maps}/a`),
      apiError(
        'InternalError',
        /"m.example.com" attempted to modify the object, which is not supported/,
        500,
      ),
    );
  });

  test('a webhook cannot change which object it is, nor status on the main path', async () => {
    await using harness = await server.openHarness();
    server.reply('/evil', ({ operation }) =>
      patchOf(
        { op: 'add', path: '/metadata/uid', value: 'mine' },
        { op: 'add', path: '/metadata/generation', value: 99 },
        { op: 'add', path: '/status', value: { ready: 7 } },
        { op: 'add', path: '/spec/size', value: operation === 'CREATE' ? 2 : 3 },
      ),
    );
    const rules = [
      { operations: ['*'], apiGroups: ['example.com'], apiVersions: ['v1'], resources: ['widgets'] },
    ];
    await harness.post(mutating, server.configuration('Mutating', 'm', '/evil', { rules }));
    const url = '/apis/example.com/v1/namespaces/default/widgets';
    const body = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec: {} };
    const made = await harness.post(url, body);
    assert.notEqual(made.object.metadata.uid, 'mine');
    assert.equal(made.object.metadata.namespace, 'default');
    assert.equal(made.object.metadata.generation, 1);
    assert.equal(made.object['status'], undefined);
    assert.deepEqual(made.object['spec'], { size: 2 });
    server.reply('/elsewhere', () => patchOf({ op: 'add', path: '/metadata/namespace', value: 'elsewhere' }));
    await harness.post(mutating, server.configuration('Mutating', 'n', '/elsewhere', { rules }));
    await assert.rejects(
      harness.post(url, { ...body, metadata: { name: 'x' } }),
      apiError('BadRequest', /^the namespace of the provided object does not match the namespace sent/),
    );
    await harness.delete(`${mutating}/n`);
    const beta = await harness.patch(`${url.replace('v1', 'v1beta1')}/w`, 'merge', {
      metadata: { labels: { a: 'b' } },
    });
    assert.deepEqual(beta.object['spec'], { size: 3 }, 'an equivalent version matches');
    assert.equal(beta.object.apiVersion, 'example.com/v1beta1');
    assert.equal((server.seen.at(-1)!['object'] as JsonObject)['apiVersion'], 'example.com/v1');
    assert.equal(beta.object.metadata.generation, 2);
    assert.equal(beta.object['status'], undefined);
  });
});
