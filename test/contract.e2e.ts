// Lines of KUBERNETES.md that only a whole server shows, each as a client sees it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  type Contract,
  type ContractServer,
  type Json,
  startContractServer,
} from './contract/contract-server.ts';
import { at, configMap, maps, meta } from './contract/objects.ts';
import { until } from './harness/until.ts';

describe('the contract', { timeout: 600_000 }, () => {
  let server: ContractServer;
  let admin: Contract;

  before(async () => {
    server = await startContractServer();
    admin = server.admin;
  });
  after(() => server?.[Symbol.asyncDispose]());

  test('L1: resourceVersions are decimal, and rise over the objects of a kind', async () => {
    let last = 0n;
    for (let i = 0; i < 5; i++) {
      const { json } = await admin.post(maps, configMap(`rising-${i}`));
      const version = String(meta(json)['resourceVersion']);
      assert.match(version, /^[1-9][0-9]*$/);
      assert.ok(BigInt(version) > last && BigInt(version) < 2n ** 64n);
      last = BigInt(version);
    }
    const { json } = await admin.get(maps);
    assert.ok(BigInt(String(meta(json)['resourceVersion'])) >= last);
  });

  test('C5, C6: generation rises with the spec alone, and a write that changes nothing is none', async () => {
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    const spec = { selector: { matchLabels: { a: 'b' } }, template };
    const made = await admin.post(deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec,
    });
    assert.equal(meta(made.json)['generation'], 1);
    const same = await admin.put(`${deployments}/d`, made.json!);
    assert.equal(meta(same.json)['resourceVersion'], meta(made.json)['resourceVersion']);
    const labelled = await admin.patch(`${deployments}/d`, { metadata: { labels: { x: 'y' } } });
    assert.equal(meta(labelled.json)['generation'], 1);
    const scaled = await admin.patch(`${deployments}/d`, { spec: { replicas: 3 } });
    assert.equal(meta(scaled.json)['generation'], 2);
    const status = await admin.patch(`${deployments}/d/status`, {
      status: { replicas: 2 },
      spec: { replicas: 9 },
    });
    assert.deepEqual([meta(status.json)['generation'], at(status.json, 'spec', 'replicas')], [2, 3]);
    const kinds: [string, Json, unknown][] = [
      [maps, configMap('no-generation'), undefined],
      [
        '/api/v1/namespaces/default/secrets',
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } },
        undefined,
      ],
      ['/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } }, undefined],
      [
        '/api/v1/namespaces/default/services',
        { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } },
        undefined,
      ],
      [
        '/api/v1/namespaces/default/serviceaccounts',
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 's' } },
        undefined,
      ],
      [
        '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies',
        {
          apiVersion: 'networking.k8s.io/v1',
          kind: 'NetworkPolicy',
          metadata: { name: 'n' },
          spec: { podSelector: {} },
        },
        1,
      ],
      [
        '/apis/policy/v1/namespaces/default/poddisruptionbudgets',
        {
          apiVersion: 'policy/v1',
          kind: 'PodDisruptionBudget',
          metadata: { name: 'p' },
          spec: { minAvailable: 1, selector: {} },
        },
        1,
      ],
    ];
    for (const [path, object, generation] of kinds) {
      const { json, text } = await admin.post(path, object);
      assert.equal(meta(json)['generation'], generation, `${path}: ${text}`);
    }
  });

  test('C4: PUT makes what Kubernetes lets it make, and nothing else', async () => {
    const rbac = 'rbac.authorization.k8s.io/v1';
    const creatable: [string, Json][] = [
      [
        '/apis/coordination.k8s.io/v1/namespaces/default/leases',
        { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec: {} },
      ],
      [`/apis/${rbac}/namespaces/default/roles`, { apiVersion: rbac, kind: 'Role', rules: [] }],
      [`/apis/${rbac}/clusterroles`, { apiVersion: rbac, kind: 'ClusterRole', rules: [] }],
      [
        `/apis/${rbac}/clusterrolebindings`,
        {
          apiVersion: rbac,
          kind: 'ClusterRoleBinding',
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'x' },
        },
      ],
      [
        `/apis/${rbac}/namespaces/default/rolebindings`,
        {
          apiVersion: rbac,
          kind: 'RoleBinding',
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'x' },
        },
      ],
      ['/api/v1/namespaces/default/endpoints', { apiVersion: 'v1', kind: 'Endpoints' }],
      [
        '/api/v1/namespaces/default/events',
        { apiVersion: 'v1', kind: 'Event', involvedObject: { namespace: 'default' } },
      ],
      [
        '/api/v1/namespaces/default/limitranges',
        { apiVersion: 'v1', kind: 'LimitRange', spec: { limits: [] } },
      ],
      [
        '/apis/node.k8s.io/v1/runtimeclasses',
        { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', handler: 'h' },
      ],
      [
        '/api/v1/namespaces/default/services',
        { apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 80 }] } },
      ],
    ];
    for (const [path, object] of creatable) {
      const { status, text } = await admin.put(`${path}/made-by-put`, {
        ...object,
        metadata: { name: 'made-by-put' },
      });
      assert.equal(status, 201, `${path}: ${text}`);
    }
    for (const [path, object] of [
      [maps, configMap('made-by-put')],
      ['/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'made-by-put' } }],
      [
        '/apis/storage.k8s.io/v1/storageclasses',
        {
          apiVersion: 'storage.k8s.io/v1',
          kind: 'StorageClass',
          metadata: { name: 'made-by-put' },
          provisioner: 'p',
        },
      ],
    ] as [string, Json][]) {
      assert.equal((await admin.put(`${path}/made-by-put`, object)).status, 404, path);
    }
  });

  test('C11: the ServiceCIDR kubernetes tells where the address of the Service kubernetes comes from', async () => {
    const range = (await admin.get('/apis/networking.k8s.io/v1/servicecidrs/kubernetes')).json;
    assert.deepEqual(at(range, 'spec', 'cidrs'), ['10.96.0.0/12']);
    const service = (await admin.get('/api/v1/namespaces/default/services/kubernetes')).json;
    assert.equal(at(service, 'spec', 'clusterIP'), '10.96.0.1');
    const table = await admin.get('/apis/networking.k8s.io/v1/servicecidrs', {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    });
    assert.deepEqual((at(table.json, 'rows', 0, 'cells') as unknown[]).slice(0, 2), [
      'kubernetes',
      '10.96.0.0/12',
    ]);
  });

  test('A3: what a policy gets wrong about the kinds that it names stands in its status', async () => {
    const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
    const policy = (expression: string, resources: string[], more: Json = {}): Json => ({
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'checked' },
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources }],
        },
        variables: [{ name: 'wanted', expression: 'object.spec.replicas' }],
        validations: [{ expression, ...more }],
      },
    });
    const wrong = policy(
      'object.spec.replicas > 1 && object.foo > 1',
      ['deployments', 'statefulsets', 'daemonsets'],
      {
        messageExpression: 'object.metadata.name + "?"',
      },
    );
    assert.equal((await admin.post(policies, wrong)).status, 201);
    const told = await admin.eventually(
      `${policies}/checked`,
      'is checked',
      (now) => at(now, 'status', 'observedGeneration') === 1,
    );
    const [first, ...others] = at(told, 'status', 'typeChecking', 'expressionWarnings') as Json[];
    assert.equal(others.length, 0);
    assert.equal(first?.['fieldRef'], 'spec.validations[0].expression');
    const warning = String(first?.['warning']);
    assert.match(warning, /^apps\/v1, Kind=DaemonSet: ERROR: <input>:1:12: undefined field 'replicas'/);
    assert.match(
      warning,
      /apps\/v1, Kind=Deployment: ERROR: <input>:1:35: undefined field 'foo'\n \| object\.spec/,
    );
    assert.match(warning, /\^\n\napps\/v1, Kind=StatefulSet: [\s\S]*\^\n$/);
    const right = policy('variables.wanted > 1 && object.metadata.labels.size() > 0', ['deployments']);
    const { json } = await admin.patch(`${policies}/checked`, { spec: right['spec'] as Json });
    const generation = meta(json)['generation'];
    const fine = await admin.eventually(
      `${policies}/checked`,
      'is checked again',
      (now) => at(now, 'status', 'observedGeneration') === generation,
    );
    assert.equal(at(fine, 'status', 'typeChecking', 'expressionWarnings'), undefined);
  });

  test('U5: every review is answered by POST alone, with 201', async () => {
    const joe = server.as('joe', 'crew');
    const auth = '/apis/authorization.k8s.io/v1';
    const review = (kind: string, spec: Json, group = 'authorization.k8s.io'): Json => ({
      apiVersion: `${group}/v1`,
      kind,
      spec,
    });
    const resourceAttributes = { namespace: 'default', verb: 'get', resource: 'configmaps' };
    const subject = await admin.post(
      `${auth}/subjectaccessreviews`,
      review('SubjectAccessReview', {
        user: 'joe',
        groups: ['crew', 'system:authenticated'],
        resourceAttributes,
      }),
    );
    assert.deepEqual([subject.status, at(subject.json, 'status', 'allowed')], [201, false], subject.text);
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await admin.post(`${rbac}/namespaces/default/roles`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'reader' },
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }],
    });
    await admin.post(`${rbac}/namespaces/default/rolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'reader' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'crew' }],
    });
    const local = await admin.post(`${auth}/namespaces/default/localsubjectaccessreviews`, {
      ...review('LocalSubjectAccessReview', {
        user: 'joe',
        groups: ['crew', 'system:authenticated'],
        resourceAttributes,
      }),
      metadata: { namespace: 'default' },
    });
    assert.deepEqual([local.status, at(local.json, 'status', 'allowed')], [201, true], local.text);
    const own = await joe.post(
      `${auth}/selfsubjectaccessreviews`,
      review('SelfSubjectAccessReview', { resourceAttributes }),
    );
    assert.deepEqual([own.status, at(own.json, 'status', 'allowed')], [201, true], own.text);
    const nonResource = await joe.post(
      `${auth}/selfsubjectaccessreviews`,
      review('SelfSubjectAccessReview', { nonResourceAttributes: { path: '/metrics', verb: 'get' } }),
    );
    assert.equal(at(nonResource.json, 'status', 'allowed'), false);
    const list = await joe.post(
      `${auth}/selfsubjectrulesreviews`,
      review('SelfSubjectRulesReview', { namespace: 'default' }),
    );
    assert.equal(list.status, 201);
    assert.match(JSON.stringify(at(list.json, 'status', 'resourceRules')), /"resources":\["configmaps"\]/);
    const who = await joe.post(
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      review('SelfSubjectReview', {}, 'authentication.k8s.io'),
    );
    assert.deepEqual([who.status, at(who.json, 'status', 'userInfo', 'username')], [201, 'joe']);
    const token = await admin.post(
      '/apis/authentication.k8s.io/v1/tokenreviews',
      review('TokenReview', { token: 'nonsense' }, 'authentication.k8s.io'),
    );
    assert.deepEqual([token.status, at(token.json, 'status', 'authenticated') ?? false], [201, false]);
    for (const one of ['subjectaccessreviews', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews']) {
      assert.equal((await admin.get(`${auth}/${one}`)).status, 405, one);
    }
  });

  test('O6: who is not known is told 401 before what is not allowed is told 403, and that before what is not there', async () => {
    const joe = server.as('joe');
    const badToken = await server.anonymous.get(`${maps}/absent`, { authorization: 'Bearer nonsense' });
    assert.equal(badToken.status, 401);
    assert.equal((await joe.get('/api/v1/namespaces/absent/secrets/absent')).status, 403);
    assert.equal(
      (await joe.get('/apis/absent.example.com/v1/things')).status,
      403,
      'authorization comes before the resource is looked for',
    );
    const anonymous = await server.anonymous.get(`${maps}/absent`);
    assert.ok(anonymous.status === 401 || anonymous.status === 403);
    // Impersonation stands between: the right to it is asked of who asks, all else of who is asked for.
    const asJoe = await admin.get('/api/v1/namespaces/default/secrets', { 'impersonate-user': 'joe' });
    assert.equal(asJoe.status, 403);
    assert.match(asJoe.text, /User \\"joe\\" cannot list/);
    const notAllowed = await joe.get(maps, { 'impersonate-user': 'admin' });
    assert.match(notAllowed.text, /cannot impersonate/);
    // Admission comes last: what it would refuse is first authorized.
    assert.equal((await joe.post('/api/v1/namespaces/absent/configmaps', configMap('x'))).status, 403);
    assert.equal((await admin.post('/api/v1/namespaces/absent/configmaps', configMap('x'))).status, 404);
    const { headers } = await admin.get(maps);
    assert.match(String(headers['audit-id']), /^[0-9a-f-]{36}$/);
    assert.match(String(headers['x-kubernetes-pf-flowschema-uid']), /^[0-9a-f-]{36}$/);
  });

  test("O2: levels and schemas are Kubernetes', what a workspace adds acts in it", async () => {
    const group = '/apis/flowcontrol.apiserver.k8s.io/v1';
    const { json } = await admin.get(`${group}/flowschemas`);
    const names = (at(json, 'items') as Json[]).map((one) => meta(one)['name']);
    for (const name of [
      'catch-all',
      'exempt',
      'probes',
      'service-accounts',
      'global-default',
      'system-leader-election',
    ]) {
      assert.ok(names.includes(name), `${name} in ${names}`);
    }
    const changed = await admin.patch(`${group}/flowschemas/catch-all`, { spec: { matchingPrecedence: 5 } });
    assert.equal(changed.status, 422, changed.text);
    assert.equal((await admin.delete(`${group}/flowschemas/exempt`)).status, 403);
    const own = await admin.post(`${group}/flowschemas`, {
      apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
      kind: 'FlowSchema',
      metadata: { name: 'joes' },
      spec: {
        matchingPrecedence: 50,
        priorityLevelConfiguration: { name: 'workload-high' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'flow-joe' } }],
            resourceRules: [
              { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] },
            ],
          },
        ],
      },
    });
    assert.equal(own.status, 201, own.text);
    const joe = server.as('flow-joe');
    await until('the schema acts', async () => {
      const { headers } = await joe.get(maps);
      return headers['x-kubernetes-pf-flowschema-uid'] === meta(own.json)['uid'];
    });
    const metrics = await admin.raw.send({ path: '/metrics' });
    assert.match(
      metrics.text,
      /apiserver_flowcontrol_dispatched_requests_total\{priority_level="workload-high",flow_schema="joes"\} \d+/,
    );
  });
});
