import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { workspacesGvr } from '#api/tenancy/workspace.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { ManualClock } from '#apimachinery/testing/manual-clock.ts';
import { createMemoryStorage } from '#storage/memory/memory-storage.ts';
import type { Storage, StorageKey } from '#storage/storage.ts';
import { configMap, configMaps, core, isGone, keysOf, make, ownerOf } from './testing/objects.ts';
import { eventually, type ServerFixture, startServerFixture } from './testing/server-fixture.ts';

describe('controllers over workspaces', () => {
  let server: ServerFixture;
  let cluster: string;

  before(async () => {
    server = await startServerFixture();
    await make(server, 'root:org', 'organization');
    cluster = await make(server, 'root:org:work', 'universal');
  });
  after(() => server.stop());

  test('namespaces get their defaults, and get them back (S4)', async () => {
    const namespace = 'defaults';
    await server.client.create(
      { cluster, gvr: core('namespaces') },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    );
    const account = { cluster, gvr: core('serviceaccounts'), namespace, name: 'default' };
    const rootCa = { cluster, gvr: configMaps, namespace, name: 'kube-root-ca.crt' };
    const present = (ref: typeof account) => server.client.get(ref).catch(() => undefined);
    const first = await eventually('ServiceAccount', () => present(account));
    await eventually('ConfigMap', () => present(rootCa));
    await server.client.delete(account);
    await eventually('restored ServiceAccount', async () => {
      const again = await present(account);
      return again !== undefined && again.metadata.uid !== first.metadata.uid;
    });
    await server.client.patch(rootCa, { type: 'merge', body: { data: { 'ca.crt': 'forged', more: 'x' } } });
    await eventually('restored ConfigMap', async () => {
      const map = await present(rootCa);
      return JSON.stringify(map?.['data']) === '{"ca.crt":"PEM"}';
    });
    await server.client.delete(rootCa);
    await eventually('recreated ConfigMap', () => present(rootCa));
  });

  test('a FlowSchema says whether its level exists (O2)', async () => {
    const group = 'flowcontrol.apiserver.k8s.io';
    const apiVersion = `${group}/v1`;
    const schemas = { cluster, gvr: { group, version: 'v1', resource: 'flowschemas' } };
    const levels = { cluster, gvr: { group, version: 'v1', resource: 'prioritylevelconfigurations' } };
    await server.client.create(schemas, {
      apiVersion,
      kind: 'FlowSchema',
      metadata: { name: 'mine' },
      spec: {
        priorityLevelConfiguration: { name: 'my-level' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'jane' } }],
            nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          },
        ],
      },
    });
    const dangles = (status: string) =>
      eventually(`Dangling is ${status}`, async () => {
        const schema = await server.client.get({ ...schemas, name: 'mine' });
        const { conditions = [] } = (schema['status'] ?? {}) as {
          conditions?: { [field: string]: string }[];
        };
        return conditions.some(
          (one) => one['type'] === 'Dangling' && one['status'] === status && one['lastTransitionTime'],
        );
      });
    await dangles('True');
    await server.client.create(levels, {
      apiVersion,
      kind: 'PriorityLevelConfiguration',
      metadata: { name: 'my-level' },
      spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } },
    });
    await dangles('False');
    await server.client.delete({ ...levels, name: 'my-level' });
    await dangles('True');
  });

  test('a ClusterRole with an aggregationRule has the rules of those that it selects (U4)', async () => {
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    const gvr = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' };
    const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
    const create = (name: string, more: object, labels: { [key: string]: string } = {}) =>
      server.client.create(
        { cluster, gvr },
        { apiVersion, kind: 'ClusterRole', metadata: { name, labels }, ...more },
      );
    const has = (name: string, resources: readonly string[]) =>
      eventually(`${name} has ${resources.join()}`, async () => {
        const { rules } = (await server.client.get({ cluster, gvr, name })) as KubeObject & {
          rules?: { resources?: string[] }[];
        };
        return (rules ?? []).flatMap((one) => one.resources ?? []).join() === resources.join();
      });
    const selecting = (a: string) => ({ clusterRoleSelectors: [{ matchLabels: { a } }] });
    await create('b-part', { rules: [rule('pods'), rule('nodes')] }, { a: 'x' });
    await create('whole', { aggregationRule: selecting('x'), rules: [] }, { a: 'y' });
    await has('whole', ['pods', 'nodes']);
    await create('a-part', { rules: [rule('secrets'), rule('nodes')] }, { a: 'x' });
    await has('whole', ['secrets', 'nodes', 'pods']);
    await create('of-the-whole', { aggregationRule: selecting('y') });
    await has('of-the-whole', ['secrets', 'nodes', 'pods']);
    await server.client.delete({ cluster, gvr, name: 'b-part' });
    await has('of-the-whole', ['secrets', 'nodes']);
    // What somebody else writes into them does not stay.
    await server.client.patch(
      { cluster, gvr, name: 'whole' },
      { type: 'merge', body: { rules: [rule('pods')] } },
    );
    await has('whole', ['secrets', 'nodes']);
    const shared = { matchLabels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' } };
    await create('of-shared', { aggregationRule: { clusterRoleSelectors: [shared] } });
    await eventually('shared roles count', async () => {
      const role = await server.client.get({ cluster, gvr, name: 'of-shared' });
      return JSON.stringify(role['rules']).includes('selfsubjectaccessreviews');
    });
  });

  test('a namespace is emptied, waits for finalizers, and goes (S3)', async () => {
    const namespaces = core('namespaces');
    const name = 'doomed';
    await server.client.create(
      { cluster, gvr: namespaces },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
    );
    await configMap(server, cluster, 'plain', {}, name);
    await configMap(server, cluster, 'held', { finalizers: ['example.com/hold'] }, name);
    await server.client.delete({ cluster, gvr: namespaces, name });
    const status = await eventually('conditions', async () => {
      const { status } = (await server.client.get({ cluster, gvr: namespaces, name })) as KubeObject & {
        status: { phase: string; conditions?: { type: string; status: string; message: string }[] };
      };
      return status.conditions !== undefined && status;
    });
    assert.equal(status.phase, 'Terminating');
    const remaining = status.conditions?.find(({ type }) => type === 'NamespaceFinalizersRemaining');
    assert.equal(remaining?.status, 'True');
    assert.equal(
      remaining?.message,
      'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
    );
    assert.deepEqual(Object.fromEntries((status.conditions ?? []).map((one) => [one.type, one.status])), {
      NamespaceDeletionDiscoveryFailure: 'False',
      NamespaceDeletionGroupVersionParsingFailure: 'False',
      NamespaceDeletionContentFailure: 'False',
      NamespaceContentRemaining: 'True',
      NamespaceFinalizersRemaining: 'True',
    });
    assert.equal(await isGone(server, cluster, 'plain', name), true);
    await server.client.patch(
      { cluster, gvr: configMaps, namespace: name, name: 'held' },
      { type: 'merge', body: { metadata: { finalizers: null } } },
    );
    await eventually('namespace gone', () =>
      server.client.get({ cluster, gvr: namespaces, name }).then(
        () => false,
        (error: unknown) => isApiError(error, 'NotFound'),
      ),
    );
    assert.deepEqual(
      keysOf(server, cluster).filter((key) => key.includes('/doomed')),
      [],
    );
  });

  test('garbage: background, and a chain (X4)', async () => {
    const owner = await configMap(server, cluster, 'bg-owner');
    const child = await configMap(server, cluster, 'bg-child', { ownerReferences: [ownerOf(owner)] });
    await configMap(server, cluster, 'bg-grandchild', { ownerReferences: [ownerOf(child)] });
    await server.client.delete({ cluster, gvr: configMaps, namespace: 'default', name: 'bg-owner' });
    await eventually('grandchild gone', () => isGone(server, cluster, 'bg-grandchild'));
    assert.equal(await isGone(server, cluster, 'bg-child'), true);
  });

  test('garbage: foreground waits for those that block', async () => {
    const owner = await configMap(server, cluster, 'fg-owner');
    await configMap(server, cluster, 'fg-child', {
      ownerReferences: [ownerOf(owner, { blockOwnerDeletion: true })],
      finalizers: ['example.com/hold'],
    });
    const ref = { cluster, gvr: configMaps, namespace: 'default', name: 'fg-owner' };
    await server.client.delete(ref, { propagationPolicy: 'Foreground' });
    await eventually('child dying', async () => {
      const child = await server.client.get({ ...ref, name: 'fg-child' });
      return child.metadata.deletionTimestamp !== undefined;
    });
    assert.deepEqual((await server.client.get(ref)).metadata.finalizers, ['foregroundDeletion']);
    await server.client.patch(
      { ...ref, name: 'fg-child' },
      { type: 'merge', body: { metadata: { finalizers: null } } },
    );
    await eventually('owner gone', () => isGone(server, cluster, 'fg-owner'));
  });

  test('garbage: orphan strips the references', async () => {
    const owner = await configMap(server, cluster, 'or-owner');
    await configMap(server, cluster, 'or-child', { ownerReferences: [ownerOf(owner)] });
    const ref = { cluster, gvr: configMaps, namespace: 'default', name: 'or-owner' };
    await server.client.delete(ref, { propagationPolicy: 'Orphan' });
    await eventually('owner gone', () => isGone(server, cluster, 'or-owner'));
    const child = await server.client.get({ ...ref, name: 'or-child' });
    assert.equal(child.metadata.ownerReferences, undefined);
  });

  test('garbage: a circle in the foreground goes', async () => {
    const a = await configMap(server, cluster, 'circle-a');
    const b = await configMap(server, cluster, 'circle-b', {
      ownerReferences: [ownerOf(a, { blockOwnerDeletion: true })],
    });
    const ref = { cluster, gvr: configMaps, namespace: 'default', name: 'circle-a' };
    const ownerReferences = [ownerOf(b, { blockOwnerDeletion: true })];
    await server.client.patch(ref, { type: 'merge', body: { metadata: { ownerReferences } } });
    await server.client.delete(ref, { propagationPolicy: 'Foreground' });
    await eventually(
      'both gone',
      async () => (await isGone(server, cluster, 'circle-a')) && isGone(server, cluster, 'circle-b'),
    );
  });

  test('garbage: an owner that never was, one of another namespace, one of another uid', async () => {
    const never = { apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: 'no-such-uid' };
    await configMap(server, cluster, 'no-owner', { ownerReferences: [never] });
    await server.client.create(
      { cluster, gvr: core('namespaces') },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'elsewhere' } },
    );
    const foreign = await configMap(server, cluster, 'foreign', {}, 'elsewhere');
    await configMap(server, cluster, 'cross', { ownerReferences: [ownerOf(foreign)] });
    const living = await configMap(server, cluster, 'living');
    await configMap(server, cluster, 'reborn', { ownerReferences: [{ ...ownerOf(living), uid: 'other' }] });
    await eventually('all gone', async () => {
      for (const name of ['no-owner', 'cross', 'reborn'])
        if (!(await isGone(server, cluster, name))) return false;
      return true;
    });
    assert.equal(await isGone(server, cluster, 'living'), false);
    assert.equal(await isGone(server, cluster, 'foreign', 'elsewhere'), false);
  });

  test('garbage: of two owners one is enough, the other reference goes', async () => {
    const stays = await configMap(server, cluster, 'two-stays');
    const goes = await configMap(server, cluster, 'two-goes');
    await configMap(server, cluster, 'two-child', { ownerReferences: [ownerOf(stays), ownerOf(goes)] });
    const ref = { cluster, gvr: configMaps, namespace: 'default', name: 'two-goes' };
    await server.client.delete(ref);
    await eventually('one reference left', async () => {
      const child = await server.client.get({ ...ref, name: 'two-child' });
      return child.metadata.ownerReferences?.length === 1;
    });
  });

  test('garbage: an owner of an unknown kind keeps its dependents', async () => {
    const unknown = { apiVersion: 'example.com/v1', kind: 'Nope', name: 'x', uid: 'u' };
    await configMap(server, cluster, 'kept', { ownerReferences: [unknown] });
    // Something that is collected meanwhile tells that the collector has passed.
    const never = { apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: 'no-such-uid' };
    await configMap(server, cluster, 'passer', { ownerReferences: [never] });
    await eventually('collector passed', () => isGone(server, cluster, 'passer'));
    assert.equal(await isGone(server, cluster, 'kept'), false);
  });

  test("garbage: another workspace's uid is nobody's owner, and nobody's dependent", async () => {
    const other = await make(server, 'root:org:other', 'universal');
    const owner = await configMap(server, cluster, 'shared-name');
    const twin = await configMap(server, other, 'shared-name');
    const guest = await configMap(server, other, 'guest', { ownerReferences: [ownerOf(twin)] });
    await server.client.delete({ cluster, gvr: configMaps, namespace: 'default', name: 'shared-name' });
    await configMap(server, other, 'borrower', { ownerReferences: [ownerOf(owner)] });
    await eventually('borrower gone', () => isGone(server, other, 'borrower'));
    const kept = await server.client.get({
      cluster: other,
      gvr: configMaps,
      namespace: 'default',
      name: 'guest',
    });
    assert.equal(kept.metadata.uid, guest.metadata.uid);
  });

  test('a workspace goes with its children and all content, held ones last', async () => {
    const parent = await make(server, 'root:org:parent', 'universal');
    const child = await make(server, 'root:org:parent:child', 'universal');
    await server.client.create(
      { cluster: child, gvr: core('services'), namespace: 'default' },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { type: 'NodePort', ports: [{ port: 80 }], selector: { a: 'b' } },
      },
    );
    await configMap(server, child, 'held', { finalizers: ['example.com/hold'] });
    assert.equal(
      keysOf(server, child).some((key) => key.startsWith('/internal.cellplane.io/')),
      true,
    );
    const ref = { cluster: 'root:org', gvr: workspacesGvr, name: 'parent' };
    await server.client.delete(ref);
    await assert.rejects(configMap(server, parent, 'late'), (error) => isApiError(error, 'Forbidden'));
    const told = await eventually('condition', async () => {
      const workspace = (await server.client.get(ref)) as KubeObject & {
        status: { phase: string; conditions?: { type: string; message: string }[] };
      };
      const condition = workspace.status.conditions?.find(({ type }) => type === 'WorkspaceContentDeleted');
      return (
        condition !== undefined &&
        workspace.metadata.labels?.['tenancy.kcp.io/phase'] === 'Deleting' &&
        condition
      );
    });
    assert.match(told.message, /workspaces\.tenancy\.kcp\.io has 1 resource instances/);
    await eventually('held one dying', async () => {
      const held = await server.client.get({
        cluster: child,
        gvr: configMaps,
        namespace: 'default',
        name: 'held',
      });
      return held.metadata.deletionTimestamp !== undefined;
    });
    await server.client.patch(
      { cluster: child, gvr: configMaps, namespace: 'default', name: 'held' },
      { type: 'merge', body: { metadata: { finalizers: null } } },
    );
    await eventually('both gone', () => {
      const { index } = server;
      return index.recordOf(parent) === undefined && index.recordOf(child) === undefined;
    });
    assert.deepEqual([...keysOf(server, parent), ...keysOf(server, child)], []);
    await assert.rejects(server.client.get(ref), (error) => isApiError(error, 'NotFound'));
  });

  test('a workspace goes also when its finalizer is taken off by hand', async () => {
    const id = await make(server, 'root:org:forced', 'universal');
    const ref = { cluster: 'root:org', gvr: workspacesGvr, name: 'forced' };
    await server.client.patch(ref, { type: 'merge', body: { metadata: { finalizers: null } } });
    await server.client.delete(ref);
    await eventually('gone', () => server.index.recordOf(id) === undefined);
    assert.deepEqual(keysOf(server, id), []);
  });

  test('what is written into a workspace that is gone does not stay', async () => {
    const late = '/core/configmaps/0123456789abcdef/default/late' as StorageKey;
    await server.storage.transact({
      guards: [],
      operations: [{ type: 'put', key: late, value: Buffer.from([1, 0, 0, 0]) }],
    });
    await eventually('late key removed', () => keysOf(server, '0123456789abcdef').length === 0);
  });

  test('a type with an initializer becomes Ready when it is dropped', async () => {
    await server.client.create(
      {
        cluster: 'root:org',
        gvr: { group: 'tenancy.kcp.io', version: 'v1alpha1', resource: 'workspacetypes' },
      },
      {
        apiVersion: 'tenancy.kcp.io/v1alpha1',
        kind: 'WorkspaceType',
        metadata: { name: 'prepared' },
        spec: { initializer: true, extend: { with: [{ name: 'universal', path: 'root' }] } },
      },
    );
    await make(server, 'root:org:prep', 'prepared');
    assert.equal(server.index.resolve('root:org:prep').phase, 'Initializing');
    const gvr = { group: 'core.kcp.io', version: 'v1alpha1', resource: 'logicalclusters' };
    await server.client.patch(
      { cluster: 'root:org:prep', gvr, name: 'cluster' },
      { type: 'merge', body: { status: { initializers: null } } },
      { subresource: 'status' },
    );
    await eventually('Ready', async () => {
      const workspace = await server.client.get({ cluster: 'root:org', gvr: workspacesGvr, name: 'prep' });
      const status = workspace['status'] as { phase: string };
      return status.phase === 'Ready' && workspace.metadata.labels?.['tenancy.kcp.io/phase'] === 'Ready';
    });
    assert.equal(server.index.resolve('root:org:prep').phase, 'Ready');
  });
});

test('hundreds of empty workspaces come and go', async () => {
  const server = await startServerFixture();
  try {
    await make(server, 'root:many', 'organization');
    const keysBefore = [...server.storage.snapshot('/').entries()].length;
    const count = 300;
    await Promise.all(
      Array.from({ length: count }, (_, at) =>
        server.client.create(
          { cluster: 'root:many', gvr: workspacesGvr },
          { apiVersion: 'tenancy.kcp.io/v1alpha1', kind: 'Workspace', metadata: { name: `w${at}` } },
        ),
      ),
    );
    assert.equal([...server.storage.snapshot('/').entries()].length, keysBefore + 3 * count);
    await server.client.deleteCollection({ cluster: 'root:many', gvr: workspacesGvr });
    await eventually('all gone', () => server.index.size === 3);
    assert.equal([...server.storage.snapshot('/').entries()].length, keysBefore);
  } finally {
    await server.stop();
  }
});

test('what was begun before a restart is finished after it', async () => {
  const inner = createMemoryStorage();
  const lasting: Storage = Object.assign(Object.create(inner) as Storage, { close: async () => {} });
  for (const method of [
    'get',
    'range',
    'transact',
    'watch',
    'currentRevision',
    'compact',
    'compactedRevision',
  ] as const) {
    Object.assign(lasting, { [method]: inner[method].bind(inner) });
  }
  Object.assign(lasting, { awaitSettled: () => undefined });
  const first = await startServerFixture({ inner: lasting, controllers: false });
  await make(first, 'root:org', 'organization');
  const doomed = await make(first, 'root:org:doomed', 'universal');
  const kept = await make(first, 'root:org:kept', 'universal');
  const owner = await configMap(first, kept, 'owner');
  await configMap(first, kept, 'child', { ownerReferences: [ownerOf(owner)] });
  await first.client.delete({ cluster: kept, gvr: configMaps, namespace: 'default', name: 'owner' });
  await first.client.create(
    { cluster: kept, gvr: core('namespaces') },
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'going' },
      spec: { finalizers: ['kubernetes'] },
    },
  );
  await first.client.delete({ cluster: kept, gvr: core('namespaces'), name: 'going' });
  await first.client.delete({ cluster: 'root:org', gvr: workspacesGvr, name: 'doomed' });
  const lateKey = '/core/configmaps/0123456789abcdef/default/late' as StorageKey;
  const value = Buffer.from([1, 0, 0, 0]);
  await first.storage.transact({ guards: [], operations: [{ type: 'put', key: lateKey, value }] });
  const records = [...first.index.records()].length;
  await first.stop();

  const second = await startServerFixture({ inner: lasting });
  try {
    await eventually('workspace gone', () => second.index.recordOf(doomed) === undefined);
    await eventually('late key gone', () => second.storage.peek(lateKey) === undefined);
    await eventually('child gone', () => isGone(second, kept, 'child'));
    await eventually('namespace gone', () => !keysOf(second, kept).some((key) => key.endsWith('/going')));
    assert.deepEqual(keysOf(second, doomed), []);
    assert.equal([...second.index.records()].length, records - 1, 'bootstrap made nothing twice');
  } finally {
    await second.stop();
    await inner.close();
  }
});

test('events expire an hour after their last write (O5)', async () => {
  const clock = new ManualClock();
  const server = await startServerFixture({ clock });
  try {
    const collection = { cluster: 'root', gvr: core('events'), namespace: 'default' };
    const event = (name: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'default' },
      involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
      reason: 'Test',
    });
    await server.client.create(collection, event('first'));
    await server.client.create(collection, event('renewed'));
    await clock.advanceAsync(1_800_000);
    await server.client.patch({ ...collection, name: 'renewed' }, { type: 'merge', body: { count: 2 } });
    await clock.advanceAsync(1_811_000, 10_000);
    const names = async () =>
      (await server.client.list(collection)).items.map(({ metadata }) => metadata.name);
    assert.deepEqual(await names(), ['renewed']);
    await clock.advanceAsync(1_811_000, 10_000);
    assert.deepEqual(await names(), []);
  } finally {
    await server.stop();
  }
});
