import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { WorkspaceObject } from '#api/tenancy/workspace.ts';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import { workspaceTypesGvr } from '#api/tenancy/workspace-type.ts';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { type ServerFixture, startServerFixture } from '../controllers/testing/server-fixture.ts';
import { loopbackUser, type UserInfo } from '../request/user.ts';

const ada: UserInfo = { name: 'ada', groups: ['system:authenticated'], extra: new Map([['k', ['v']]]) };

function workspace(name: string, type?: string): KubeObject {
  return {
    apiVersion: 'tenancy.kcp.io/v1alpha1',
    kind: 'Workspace',
    metadata: { name },
    ...(type === undefined ? {} : { spec: { type: { name: type } } }),
  };
}

describe('workspaces', () => {
  let server: ServerFixture;

  before(async () => {
    server = await startServerFixture({
      controllers: false,
      authorizer: {
        authorize: ({ user, verb, resource }) => ({
          decision:
            verb === 'use' && resource?.name === 'team' && user.name === 'ada' ? 'noOpinion' : 'allow',
          reason: '',
        }),
      },
    });
  });
  after(() => server.stop());

  const create = (parent: string, object: KubeObject, user: UserInfo = ada) =>
    server.clientOf(user).create({ cluster: parent, gvr: workspacesGvr }, object) as Promise<WorkspaceObject>;

  test('bootstrap makes root and root:cells, once', () => {
    assert.deepEqual([...server.index.records()].map(({ path, kind, phase }) => [path, kind, phase]).sort(), [
      ['root', 'root', 'Ready'],
      ['root:cells', 'cells', 'Ready'],
    ]);
    assert.equal(server.index.resolve('root').type, 'root');
  });

  test('a created workspace answers at once, with what belongs to it', async () => {
    const created = await create('root', workspace('acme', 'organization'));
    assert.equal(created.status?.phase, 'Ready');
    assert.match(created.spec?.cluster ?? '', /^[0-9a-z]{16}$/);
    assert.equal(created.spec?.URL, 'https://cellplane.test:6443/clusters/root:acme');
    assert.deepEqual(created.spec?.type, { name: 'organization', path: 'root' });
    assert.deepEqual(created.metadata.finalizers, ['core.kcp.io/logicalcluster']);
    assert.equal(created.metadata.labels?.['tenancy.kcp.io/phase'], 'Ready');

    const resolved = server.index.resolve('root:acme');
    assert.equal(resolved.id, created.spec?.cluster);
    assert.equal(resolved.type, 'organization');
    assert.equal(server.index.resolve(resolved.id).path, 'root:acme');

    const { client } = server;
    const inside = { cluster: 'root:acme' };
    const core = { group: 'core.kcp.io', version: 'v1alpha1', resource: 'logicalclusters' };
    const cluster = await client.get({ ...inside, gvr: core, name: 'cluster' });
    assert.equal(cluster.metadata.annotations?.['kcp.io/path'], 'root:acme');
    assert.equal(cluster.metadata.annotations?.['kcp.io/cluster'], resolved.id);
    assert.deepEqual(cluster['spec'], {
      directlyDeletable: false,
      owner: {
        apiVersion: 'tenancy.kcp.io/v1alpha1',
        resource: 'workspaces',
        name: 'acme',
        cluster: 'root',
        uid: created.metadata.uid,
      },
      createdBy: { username: 'ada', groups: ['system:authenticated'], extra: { k: ['v'] } },
    });
    const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterrolebindings' };
    const binding = await client.get({ ...inside, gvr: rbac, name: 'workspace-admin' });
    assert.deepEqual(binding['subjects'], [{ kind: 'User', apiGroup: rbac.group, name: 'ada' }]);
    const namespaces = await client.list({
      ...inside,
      gvr: { group: '', version: 'v1', resource: 'namespaces' },
    });
    assert.deepEqual(
      namespaces.items.map(({ metadata }) => metadata.name),
      ['default'],
    );
  });

  test('children resolve by path and by id followed by names', async () => {
    await create('root', workspace('deep', 'organization'));
    await create('root:deep', workspace('a'));
    await create('root:deep:a', workspace('b'));
    const { id } = server.index.resolve('root:deep:a');
    assert.equal(server.index.resolve(`${id}:b`).path, 'root:deep:a:b');
    assert.equal(server.index.resolve('root:deep:a:b').type, 'universal');
  });

  const refs: [string, string, number, string][] = [
    ['malformed', 'Root', 400, 'BadRequest'],
    ['empty segment', 'root::a', 400, 'BadRequest'],
    ['a slash', 'root/a', 400, 'BadRequest'],
    ['unknown path', 'root:nope', 404, 'NotFound'],
    ['unknown id', 'aaaaaaaaaaaaaaaa', 404, 'NotFound'],
    ['unknown system name', 'system:admin', 404, 'NotFound'],
  ];
  for (const [name, ref, code, reason] of refs) {
    test(`resolving: ${name} (KCP.md, Addressing)`, async () => {
      assert.throws(
        () => server.index.resolve(ref),
        (error) => error instanceof ApiError && error.code === code && error.reason === reason,
      );
      await assert.rejects(
        server.index.resolveFresh(ref),
        (error) => error instanceof ApiError && error.code === code,
      );
    });
  }

  const refusals: [string, string, KubeObject, string][] = [
    ['a reserved name', 'root', workspace('system', 'organization'), 'Invalid'],
    ['an unfit name', 'root', workspace('a.b', 'organization'), 'Invalid'],
    ['an absent type', 'root', workspace('x', 'nope'), 'Forbidden'],
    ['a type whose parents are limited', 'root:acme', workspace('x', 'organization'), 'Forbidden'],
    ['a type that takes no parents', 'root', workspace('x', 'home'), 'Forbidden'],
    ['a type that the user may not use', 'root:acme', workspace('x', 'team'), 'Forbidden'],
    ['a parent that takes no such children', 'root:cells', workspace('x', 'universal'), 'Forbidden'],
    ['a cell outside of root:cells', 'root:acme', workspace('x', 'cell'), 'Forbidden'],
    [
      "the system's fields",
      'root:acme',
      { ...workspace('x'), spec: { cluster: 'aaaaaaaaaaaaaaaa' } },
      'Forbidden',
    ],
    ['a missing parent', 'root:nope', workspace('x'), 'NotFound'],
  ];
  for (const [name, parent, object, reason] of refusals) {
    test(`creation is refused: ${name}`, async () => {
      const before = server.index.size;
      await assert.rejects(
        create(parent, object),
        (error) => error instanceof ApiError && error.reason === reason,
      );
      assert.equal(server.index.size, before);
    });
  }

  test('a project has no children, and its kinds', async () => {
    await create('root:acme', workspace('shop', 'project'));
    assert.equal(server.index.resolve('root:acme:shop').type, 'project');
    const scheme = server.schemes.baseOf('project');
    assert.equal(scheme.definitionOf('tenancy.kcp.io', 'workspaces'), undefined);
    await assert.rejects(create('root:acme:shop', workspace('x')), (error) => isApiError(error));
  });

  test('a type extends others: served as them, limited as them, labelled', async () => {
    const type = (name: string, spec: KubeObject['spec']) =>
      server.client.create(
        { cluster: 'root:acme', gvr: workspaceTypesGvr },
        { apiVersion: 'tenancy.kcp.io/v1alpha1', kind: 'WorkspaceType', metadata: { name }, spec },
      );
    await type('shop-project', {
      extend: { with: [{ name: 'project', path: 'root' }] },
      additionalWorkspaceLabels: { tier: 'gold' },
      initializer: true,
    });
    const created = await create('root:acme', workspace('custom', 'shop-project'));
    assert.deepEqual(created.spec?.type, { name: 'shop-project', path: 'root:acme' });
    assert.equal(created.metadata.labels?.['tier'], 'gold');
    assert.equal(created.status?.phase, 'Initializing');
    assert.deepEqual(created.status?.initializers, ['root:acme:shop-project']);
    assert.equal(server.index.resolve('root:acme:custom').type, 'project');

    await type('loop-a', { extend: { with: [{ name: 'loop-b', path: 'root:acme' }] } });
    await type('loop-b', { extend: { with: [{ name: 'loop-a', path: 'root:acme' }] } });
    await assert.rejects(create('root:acme', workspace('x', 'loop-a')), /extends itself/);
  });

  test('spec.type, cluster and URL cannot change', async () => {
    const ref = { cluster: 'root', gvr: workspacesGvr, name: 'acme' };
    for (const spec of [
      { type: { name: 'universal' } },
      { cluster: 'bbbbbbbbbbbbbbbb' },
      { URL: 'https://x' },
    ]) {
      await assert.rejects(
        server.client.patch(ref, { type: 'merge', body: { spec } }),
        (error) => error instanceof ApiError && error.reason === 'Invalid',
      );
    }
  });

  test('generateName, and a dry run that leaves nothing', async () => {
    const generated = await create('root:acme', {
      ...workspace(''),
      metadata: { generateName: 'run-' },
    });
    const { name = '' } = generated.metadata;
    assert.match(name, /^run-.{5}$/);
    assert.equal(generated.spec?.URL?.endsWith(`root:acme:${name}`), true);
    const before = server.index.size;
    const collection = { cluster: 'root:acme', gvr: workspacesGvr };
    await server.clientOf(ada).create(collection, workspace('dry'), { dryRun: true });
    assert.equal(server.index.size, before);
  });

  test('LogicalClusters are made and deleted with their workspace only', async () => {
    const gvr = { group: 'core.kcp.io', version: 'v1alpha1', resource: 'logicalclusters' };
    const ref = { cluster: 'root:acme', gvr, name: 'cluster' };
    const client = server.clientOf(ada);
    await assert.rejects(client.delete(ref), (error) => isApiError(error, 'Forbidden'));
    const change = (status: KubeObject['status']) =>
      client.patch(ref, { type: 'merge', body: { status } }, { subresource: 'status' });
    await assert.rejects(change({ phase: 'Unavailable' }), (error) => isApiError(error, 'Forbidden'));
    await assert.rejects(change({ initializers: ['root:x'] }), (error) => isApiError(error, 'Invalid'));
  });

  test('what the system stands on cannot be deleted', async () => {
    const gvr = { group: 'core.kcp.io', version: 'v1alpha1', resource: 'logicalclusters' };
    for (const ref of [
      { cluster: 'root', gvr: workspacesGvr, name: 'cells' },
      { cluster: 'root', gvr, name: 'cluster' },
      { cluster: 'root:cells', gvr, name: 'cluster' },
    ]) {
      await assert.rejects(server.client.delete(ref), (error) => isApiError(error, 'Forbidden'));
    }
  });

  test('inactive and unavailable workspaces (KCP.md, Addressing)', async () => {
    await create('root:acme', workspace('sleepy'));
    const gvr = { group: 'core.kcp.io', version: 'v1alpha1', resource: 'logicalclusters' };
    const ref = { cluster: 'root:acme:sleepy', gvr, name: 'cluster' };
    const annotations = { 'core.kcp.io/inactive': 'true' };
    await server.client.patch(ref, { type: 'merge', body: { metadata: { annotations } } });
    assert.throws(
      () => server.index.resolve('root:acme:sleepy'),
      (error) => isApiError(error, 'Forbidden'),
    );
    assert.equal(server.index.resolve('root:acme:sleepy', { allowInactive: true }).phase, 'Inactive');

    await create('root:acme', workspace('gone'));
    await server.client.patch(
      { cluster: 'root:acme:gone', gvr, name: 'cluster' },
      { type: 'merge', body: { status: { phase: 'Unavailable' } } },
      { subresource: 'status' },
    );
    assert.throws(
      () => server.index.resolve('root:acme:gone'),
      (error) => isApiError(error, 'ServiceUnavailable'),
    );
  });

  test('first touch writes what Kubernetes expects, once (S1, S4)', async () => {
    await create('root:acme', workspace('touched'));
    const touched = server.index.resolve('root:acme:touched');
    await server.firstTouch.touch(touched);
    assert.equal(server.firstTouch.touch(touched), undefined);
    const list = async (resource: string, group = '') => {
      const collection = { cluster: touched.id, gvr: { group, version: 'v1', resource } };
      const { items } = await server.client.list(collection);
      const revisions = new Set(items.map(({ metadata }) => metadata.resourceVersion));
      assert.equal(revisions.size, items.length, 'a watch may be resumed behind each (W2)');
      return items.map(({ metadata }) => [metadata.namespace, metadata.name].filter(Boolean).join('/'));
    };
    const namespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];
    assert.deepEqual(await list('namespaces'), namespaces);
    assert.deepEqual(
      await list('serviceaccounts'),
      namespaces.map((one) => `${one}/default`),
    );
    assert.deepEqual(
      await list('configmaps'),
      namespaces.map((one) => `${one}/kube-root-ca.crt`),
    );
    assert.deepEqual(await list('services'), ['default/kubernetes']);
    assert.deepEqual(await list('endpoints'), ['default/kubernetes']);
    assert.deepEqual(await list('endpointslices', 'discovery.k8s.io'), ['default/kubernetes']);
    await assert.rejects(
      server.client.create(
        {
          cluster: touched.id,
          gvr: { group: '', version: 'v1', resource: 'services' },
          namespace: 'default',
        },
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'thief' },
          spec: { clusterIP: '10.96.0.1', ports: [{ port: 80 }] },
        },
      ),
      (error) => isApiError(error, 'Invalid'),
    );
  });

  test('schemes are one object for all workspaces of a kind', () => {
    assert.equal(server.index.resolve('root:deep:a').scheme, server.index.resolve('root:deep:a:b').scheme);
    assert.notEqual(
      server.index.wildcardScheme().definitionOf('federation.cellplane.io', 'cells'),
      undefined,
    );
  });

  test('the system may not be asked to be a user: its creations carry no admin binding', async () => {
    await create('root:acme', workspace('by-system'), loopbackUser);
    const gvr = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterrolebindings' };
    const { items } = await server.client.list({ cluster: 'root:acme:by-system', gvr });
    assert.deepEqual(items, []);
  });
});
