// What is born at an edge comes back into the project that asks for it, and only what it asks for.
// docs/federation-contract.md: FU3
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { conditionOf } from '#api/conditions.ts';
import { returnedFromLabel } from '#api/federation/return-contract.ts';
import { type ReturnPolicy, returnPoliciesGvr } from '#api/federation/return-policy.ts';
import { returnedObjectsGvr } from '#api/federation/returned-object.ts';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { schedulerGroup, schedulerUserName } from '#apiserver/authz/components.ts';
import { RemoteClient } from '#client/remote/remote-client.ts';
import { Constellation } from '../harness/constellation.ts';
import { configMaps, find, namespaces } from '../harness/edge-objects.ts';
import { patient } from '../harness/patient.ts';
import { placeInShop } from '../harness/place-in-shop.ts';
import { connectionAs } from '../harness/test-pki.ts';
import { until } from '../harness/until.ts';

const project = 'root:acme:shop';
const secrets = { group: '', version: 'v1', resource: 'secrets' };
const slices = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' };
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('what comes back', { timeout: 600_000 }, () => {
  let constellation: Constellation;
  let mapped = '';
  afterEach(() => constellation[Symbol.asyncDispose]());

  /** A project whose namespace `shop` stands at the edges of these cells. */
  const start = async (...cells: string[]) => {
    constellation = await Constellation.start({ cells });
    await constellation.createProject(project);
    await placeInShop(
      constellation.admin,
      project,
      'all',
      [
        { apiVersion: 'v1', kind: 'ConfigMap' },
        { apiVersion: 'v1', kind: 'Secret' },
      ],
      cells,
    );
    await inProject(configMaps, { metadata: { name: 'anchor' }, kind: 'ConfigMap', apiVersion: 'v1' });
    for (const cell of cells) {
      const namespace = await until(`the namespace is at ${cell}`, async () => {
        const { items } = await edge(cell).list({ cluster: undefined, gvr: namespaces });
        return items.find(({ metadata }) => metadata.name?.startsWith('shop-shop-'));
      });
      mapped = namespace.metadata.name ?? '';
    }
  };
  const edge = (cell = 'cell-a') => constellation.edge(cell).client;
  const inProject = (gvr: typeof secrets, object: KubeObject) =>
    constellation.admin.create({ cluster: project, gvr, namespace: 'shop' }, object);
  const atProject = (gvr: typeof secrets, name: string) =>
    find(constellation.admin, { cluster: project, gvr, namespace: 'shop', name });
  const born = (object: KubeObject, gvr = secrets, cell = 'cell-a', namespace = mapped) =>
    edge(cell).create({ cluster: undefined, gvr, namespace }, object);
  const secret = (name: string, password: string, metadata: JsonObject = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, ...metadata },
    type: 'Opaque',
    data: { password: base64(password) },
  });
  const policy = (spec: ReturnPolicy['spec'], name = 'back') =>
    constellation.admin.apply(
      { cluster: project, gvr: returnPoliciesGvr, namespace: 'shop', name },
      {
        apiVersion: 'federation.cellplane.io/v1alpha1',
        kind: 'ReturnPolicy',
        metadata: { name, namespace: 'shop' },
        spec,
      },
      { fieldManager: 'test', force: true },
    );
  const policyStatus = async () => {
    const ref = { cluster: project, gvr: returnPoliciesGvr, namespace: 'shop', name: 'back' };
    return ((await constellation.admin.get(ref)) as ReturnPolicy).status ?? {};
  };
  const passwordOf = async (name: string) => {
    const data = (await atProject(secrets, name))?.['data'] as { password?: string } | undefined;
    return data?.password === undefined ? undefined : Buffer.from(data.password, 'base64').toString();
  };
  const comes = (name: string, password: string) =>
    until(`${name} is in the project`, async () => (await passwordOf(name)) === password);

  test('a Secret and an EndpointSlice come, change and go with the edge’s, and survive restarts', async () => {
    await start('cell-a');
    await born(secret('db-credentials', 'first', { labels: { app: 'db' }, annotations: { note: 'x' } }));
    await born(secret('other', 'unasked'));
    await policy({
      resources: [
        { kind: 'Secret', labelSelector: { matchLabels: { app: 'db' } } },
        { kind: 'EndpointSlice' },
      ],
    });
    await comes('db-credentials', 'first');
    const { metadata } = (await atProject(secrets, 'db-credentials')) as KubeObject;
    assert.equal(metadata.labels?.[returnedFromLabel], 'cell-a');
    assert.equal(metadata.labels?.['app'], 'db');
    assert.equal(metadata.annotations?.['note'], 'x');
    assert.equal(await atProject(secrets, 'other'), undefined, 'what is not asked for stays');
    await born(
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'db-1', labels: { 'kubernetes.io/service-name': 'db' } },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name: 'db-0', namespace: mapped } }],
        ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
      },
      slices,
    );
    const slice = await until('the slice is in the project', () => atProject(slices, 'db-1'));
    const [endpoint] = slice['endpoints'] as { targetRef: { namespace: string } }[];
    assert.equal(endpoint?.targetRef.namespace, 'shop', 'names are mapped back');

    const atEdge = { cluster: undefined, gvr: secrets, namespace: mapped, name: 'db-credentials' };
    await edge().patch(atEdge, { type: 'merge', body: { data: { password: base64('second') } } });
    await comes('db-credentials', 'second');
    await until('the policy counts them', async () => (await policyStatus()).returned === 2);

    await constellation.federator().stop();
    await constellation.stopScheduler();
    await edge().patch(atEdge, { type: 'merge', body: { data: { password: base64('third') } } });
    await edge().delete({ cluster: undefined, gvr: slices, namespace: mapped, name: 'db-1' });
    await constellation.startScheduler();
    await constellation.federator().start();
    await comes('db-credentials', 'third');
    await until('the slice goes', async () => (await atProject(slices, 'db-1')) === undefined);

    await edge().delete(atEdge);
    await until('it goes', async () => (await passwordOf('db-credentials')) === undefined);
  });

  test('nothing of the project is written over; taking the policy away takes what came', async () => {
    await start('cell-a');
    await inProject(secrets, secret('mine', 'the project’s'));
    await policy({ resources: [{ kind: 'Secret' }] });
    await until('the copy of the project’s is at the edge', () =>
      find(edge(), { cluster: undefined, gvr: secrets, namespace: mapped, name: 'mine' }),
    );
    await born(secret('theirs', 'the edge’s'));
    await comes('theirs', 'the edge’s');
    // A name that the project takes first, where no copy stands in the way.
    await inProject(secrets, secret('taken', 'the project’s', { namespace: 'shop' }));
    await constellation.federator().stop();
    await edge()
      .delete({ cluster: undefined, gvr: secrets, namespace: mapped, name: 'taken' })
      .catch(() => {});
    assert.equal(await passwordOf('taken'), 'the project’s');
    await constellation.federator().start();
    // The copies of the project's own objects do not come back to it.
    assert.equal((await atProject(secrets, 'mine'))?.metadata.labels?.[returnedFromLabel], undefined);
    await constellation.admin.delete({
      cluster: project,
      gvr: returnPoliciesGvr,
      namespace: 'shop',
      name: 'back',
    });
    await until('what came goes', async () => (await atProject(secrets, 'theirs')) === undefined);
    assert.equal(await passwordOf('mine'), 'the project’s');
    assert.ok(
      await find(edge(), { cluster: undefined, gvr: secrets, namespace: mapped, name: 'theirs' }),
      'the edge’s own stays at the edge',
    );
  });

  test('two cells with one name: the first has it, or each has its own', async () => {
    await start('cell-a', 'cell-b');
    await policy({ resources: [{ kind: 'Secret', names: ['token'] }] });
    await born(secret('token', 'of a'), secrets, 'cell-a');
    await comes('token', 'of a');
    await born(secret('token', 'of b'), secrets, 'cell-b');
    await until('the policy says that one is refused', async () => {
      const { refused, conditions } = await policyStatus();
      const returned = conditionOf(conditions, 'Returned');
      return refused === 1 && returned?.status === 'False' && /token is there/.test(returned.message ?? '');
    });
    assert.equal(await passwordOf('token'), 'of a');
    await policy({ resources: [{ kind: 'Secret', names: ['token'] }], naming: 'WithCell' });
    await comes('token-cell-a', 'of a');
    await comes('token-cell-b', 'of b');
    await until('the plain name goes', async () => (await passwordOf('token')) === undefined);
    await until('nothing is refused', async () => (await policyStatus()).refused === 0);
    await policy({
      resources: [{ kind: 'Secret', names: ['token'] }],
      naming: 'WithCell',
      cells: ['cell-b'],
    });
    await until('the other cell’s goes', async () => (await passwordOf('token-cell-a')) === undefined);
    assert.equal(await passwordOf('token-cell-b'), 'of b');
  });

  test('a bounded number, of bounded size; what grants authority stays; a lying federator gains nothing', async () => {
    await start('cell-a');
    await policy({ resources: [{ kind: 'Secret' }], maxObjects: 3 });
    for (const name of ['a', 'b', 'c', 'd', 'e']) await born(secret(name, name));
    await born({
      ...secret('token-of-an-account', 'x', {
        annotations: { 'kubernetes.io/service-account.name': 'default' },
      }),
      type: 'kubernetes.io/service-account-token',
    }).catch((error: unknown) => assert.ok(isApiError(error)));
    for (const name of ['a', 'b', 'c']) await comes(name, name);
    await until('three are counted', async () => (await policyStatus()).returned === 3);
    assert.equal(await atProject(secrets, 'd'), undefined);
    assert.equal(await atProject(secrets, 'token-of-an-account'), undefined);
    await edge().delete({ cluster: undefined, gvr: secrets, namespace: mapped, name: 'a' });
    await comes('d', 'd');
    const large = secret('b', 'x'.repeat(300 * 1024));
    await edge().update({ cluster: undefined, gvr: secrets, namespace: mapped, name: 'b' }, large);
    await until('one that grew too large goes', async () => (await passwordOf('b')) === undefined);

    // What a federator that is not ours might write into the cell's workspace.
    const cellWorkspace = 'root:cells:cell-a';
    const lies: readonly [string, JsonObject][] = [
      [
        'configmap-aaaaaaaaaaaaaaaa',
        { kind: 'ConfigMap', name: 'x', object: { apiVersion: 'v1', kind: 'ConfigMap' } },
      ],
      [
        'secret-aaaaaaaaaaaaaaaa',
        { kind: 'Secret', name: 'forged', object: { apiVersion: 'v1', kind: 'Secret' } },
      ],
      [
        'role-aaaaaaaaaaaaaaaa',
        { kind: 'Role', name: 'r', object: { apiVersion: 'rbac.authorization.k8s.io/v1' } },
      ],
    ];
    for (const [name, spec] of lies) {
      await constellation.admin.create(
        { cluster: cellWorkspace, gvr: returnedObjectsGvr, namespace: mapped },
        { apiVersion: 'federation.cellplane.io/v1alpha1', kind: 'ReturnedObject', metadata: { name }, spec },
      );
    }
    await born(secret('marker', 'marker'));
    await edge().delete({ cluster: undefined, gvr: secrets, namespace: mapped, name: 'c' });
    await until('c goes', async () => (await passwordOf('c')) === undefined);
    assert.equal(await atProject(secrets, 'forged'), undefined);
    assert.equal(await atProject(configMaps, 'x'), undefined);

    // The scheduler itself may not touch what did not come back.
    const scheduler = new RemoteClient(
      connectionAs(constellation.pki, constellation.server.url, {
        name: schedulerUserName,
        groups: [schedulerGroup],
      }),
      { userAgent: 'cellplane-test', limits: patient },
    );
    constellation.onEnd(() => scheduler.close());
    await inProject(secrets, secret('own', 'x'));
    const forbidden = (error: unknown) => isApiError(error, 'Forbidden');
    const ref = { cluster: project, gvr: secrets, namespace: 'shop', name: 'own' };
    await assert.rejects(scheduler.delete(ref), forbidden);
    await assert.rejects(scheduler.patch(ref, { type: 'merge', body: { data: {} } }), forbidden);
    const labels = { [returnedFromLabel]: 'cell-a' };
    await assert.rejects(scheduler.patch(ref, { type: 'merge', body: { metadata: { labels } } }), forbidden);
    await assert.rejects(scheduler.create({ ...ref }, secret('made', 'x')), forbidden);
    const roles = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'roles' };
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'r', labels },
      rules: [],
    };
    await assert.rejects(scheduler.create({ ...ref, gvr: roles }, role), forbidden);
  });
});
