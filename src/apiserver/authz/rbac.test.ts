import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { parseRequestInfo } from '../request/parse-request-info.ts';
import type { UserInfo } from '../request/user.ts';
import { attributesOf, forbiddenError } from './attributes.ts';
import type { AuthorizationAttributes } from './authorizer.ts';
import {
  binding,
  object,
  removeStored,
  resource,
  store,
  user,
  workspaceOf,
} from './testing/authz-fixtures.ts';
import { AuthzWorld, cells, fra, other, pods, root, shop } from './testing/authz-world.ts';

describe('RBAC over workspaces', () => {
  const world = new AuthzWorld();
  const may: AuthzWorld['may'] = (...asked) => world.may(...asked);

  it('U4: system:masters does everything, everywhere, and over all workspaces', async () => {
    const admin = user('admin', ['system:masters', 'system:authenticated']);
    for (const workspace of [shop, fra, cells])
      assert.equal(await may(admin, 'delete', pods, workspace), true);
    const decision = world.authorizer.authorize({
      user: admin,
      workspace: undefined,
      verb: 'list',
      resource: pods,
      path: '',
    });
    assert.equal((await decision).decision, 'allow');
  });

  it('a user without access enters no workspace, whatever else it is bound to (KCP.md, Identity and rights)', async () => {
    await store(world.cache, shop.id, binding('edit', 'ClusterRole:edit', 'User:jane', 'n'));
    assert.equal(await may(user('jane'), 'get', pods), false);
    await world.enter('jane');
    assert.equal(await may(user('jane'), 'get', pods), true);
    assert.equal(await may(user('jane'), 'get', pods, other), false);
    assert.equal(await may(user('jane'), 'get', '/api'), true);
    assert.equal(await may(user('jane'), 'get', '/api', other), false);
  });

  it("the creator's workspace-admin gives all, access included", async () => {
    await store(world.cache, shop.id, binding('workspace-admin', 'ClusterRole:cluster-admin', 'User:jane'));
    assert.equal(await may(user('jane'), 'access', '/'), true);
    assert.equal(await may(user('jane'), 'deletecollection', resource('secrets', { namespace: 'x' })), true);
    assert.equal(await may(user('jane'), 'access', '/', other), false);
  });

  it('everyone authenticated may enter root, nobody anonymous', async () => {
    assert.equal(await may(user('jane'), 'access', '/', root), true);
    assert.equal(await may(user('system:anonymous', ['system:unauthenticated']), 'access', '/', root), false);
  });

  it('health and version are open to all (D7, D8), other paths are not', async () => {
    const nobody = user('system:anonymous', ['system:unauthenticated']);
    for (const path of ['/healthz', '/livez/ping', '/readyz', '/version'])
      assert.equal(await may(nobody, 'get', path), true);
    for (const path of ['/metrics', '/healthzz', '/', '/openapi/v2', '/openid/v1/jwks']) {
      assert.equal(await may(nobody, 'get', path), false, path);
    }
    assert.equal(await may(nobody, 'post', '/version'), false);
  });

  it('the keys of tokens are for those who are bound to see them, service accounts to begin with (U2)', async () => {
    await world.enter('jane');
    assert.equal(await may(user('jane'), 'get', '/openid/v1/jwks'), false);
    const account = user('system:serviceaccount:n:a', ['system:authenticated', 'system:serviceaccounts']);
    assert.equal(await may(account, 'get', '/openid/v1/jwks'), true);
    assert.equal(await may(user('jane'), 'get', '/.well-known/cellplane'), true);
  });

  it('reviews tell who holds what, not which paths are open to requests (U5)', async () => {
    const asked = { workspace: shop, verb: 'get', resource: undefined, path: '/healthz' };
    const decided = async (who: UserInfo) => world.reviewed.authorize({ ...asked, user: who });
    assert.equal((await decided(user('jane'))).decision, 'noOpinion');
    await world.enter('jane');
    const { decision, reason } = await decided(user('jane'));
    assert.equal(decision, 'allow');
    assert.match(
      reason,
      /^RBAC: allowed by ClusterRoleBinding "system:(?:discovery|public-info-viewer)" of /,
    );
    assert.equal((await decided(user('jane', []))).decision, 'noOpinion');
  });

  describe('RBAC follows what is stored', () => {
    beforeEach(() => world.enter('jane'));

    it('roles and bindings made, changed and removed after the index was built', async () => {
      const jane = user('jane');
      assert.equal(await may(jane, 'get', pods), false);
      await store(
        world.cache,
        shop.id,
        object('Role', 'reader', { rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] }, 'n'),
      );
      assert.equal(await may(jane, 'get', pods), false);
      await store(world.cache, shop.id, binding('b', 'Role:reader', 'User:jane', 'n'));
      assert.equal(await may(jane, 'get', pods), true);
      assert.equal(await may(jane, 'get', { ...pods, namespace: 'm' }), false);
      await store(
        world.cache,
        shop.id,
        object('Role', 'reader', { rules: [{ verbs: ['list'], apiGroups: [''], resources: ['pods'] }] }, 'n'),
      );
      assert.equal(await may(jane, 'get', pods), false);
      assert.equal(await may(jane, 'list', { ...pods, name: '' }), true);
      await store(world.cache, shop.id, binding('b', 'Role:reader', 'User:joe', 'n'));
      assert.equal(await may(jane, 'list', { ...pods, name: '' }), false);
      await store(world.cache, shop.id, binding('c', 'Role:reader', 'Group:dev', 'n'));
      const dev = user('jane', ['dev']);
      assert.equal(await may(dev, 'list', { ...pods, name: '' }), true);
      await removeStored(world.cache, shop.id, 'RoleBinding', 'c', 'n');
      assert.equal(await may(dev, 'list', { ...pods, name: '' }), false);
    });

    it('the reason names the binding, the role and the subject that let a request in', async () => {
      const reasonOf = async (who: UserInfo, verb: string, what: AuthorizationAttributes['resource']) =>
        (await world.authorizer.authorize({ user: who, workspace: shop, verb, resource: what, path: '' }))
          .reason;
      const reader = { rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] };
      await store(world.cache, shop.id, object('Role', 'reader', reader, 'n'));
      await store(world.cache, shop.id, object('Role', 'nothing', { rules: [] }, 'n'));
      await store(world.cache, shop.id, binding('a', 'Role:nothing', 'User:jane', 'n'));
      await store(world.cache, shop.id, binding('b', 'Role:reader', 'User:jane', 'n'));
      await store(world.cache, shop.id, binding('c', 'ClusterRole:view', 'Group:dev'));
      const robot = { kind: 'ServiceAccount', name: 'robot', namespace: 'm' };
      await store(world.cache, shop.id, { ...binding('d', 'Role:reader', 'User:x', 'n'), subjects: [robot] });
      for (const one of ['joe', 'system:serviceaccount:m:robot']) await world.enter(one);
      assert.equal(
        await reasonOf(user('jane'), 'get', pods),
        'RBAC: allowed by RoleBinding "b/n" of Role "reader" to User "jane"',
      );
      assert.equal(
        await reasonOf(user('joe', ['dev']), 'get', pods),
        'RBAC: allowed by ClusterRoleBinding "c" of ClusterRole "view" to Group "dev"',
      );
      assert.equal(
        await reasonOf(user('system:serviceaccount:m:robot'), 'get', pods),
        'RBAC: allowed by RoleBinding "d/n" of Role "reader" to ServiceAccount "robot/m"',
      );
      await removeStored(world.cache, shop.id, 'RoleBinding', 'b', 'n');
      assert.equal(await may(user('jane'), 'get', pods), false);
    });

    it('two bindings to one role: removing one leaves the other', async () => {
      await store(world.cache, shop.id, binding('one', 'ClusterRole:view', 'User:jane'));
      await store(world.cache, shop.id, binding('two', 'ClusterRole:view', 'User:jane'));
      assert.equal(await may(user('jane'), 'get', pods), true);
      await removeStored(world.cache, shop.id, 'ClusterRoleBinding', 'one');
      assert.equal(await may(user('jane'), 'get', pods), true);
      await removeStored(world.cache, shop.id, 'ClusterRoleBinding', 'two');
      assert.equal(await may(user('jane'), 'get', pods), false);
    });

    it('a namespace itself counts as lying in it', async () => {
      await store(world.cache, shop.id, binding('v', 'ClusterRole:view', 'User:jane', 'n'));
      const asked = (url: string) => attributesOf(parseRequestInfo('GET', url), user('jane'), shop);
      const inN = asked('/api/v1/namespaces/n');
      assert.equal(await may(user('jane'), 'get', inN.resource), true);
      assert.equal(await may(user('jane'), 'get', asked('/api/v1/namespaces/n/status').resource), true);
      assert.equal(await may(user('jane'), 'get', asked('/api/v1/namespaces/m').resource), false);
      assert.match(
        forbiddenError(inN, '').message,
        /resource "namespaces" in API group "" in the namespace "n"$/,
      );
      // A review that asks about it without a namespace asks about all of them.
      assert.equal(await may(user('jane'), 'get', resource('namespaces', { name: 'n' })), false);
      assert.equal(await may(user('jane'), 'list', resource('namespaces')), false);
    });

    it('admin holds what edit and view hold, and what workspace roles aggregate to them', async () => {
      await store(world.cache, shop.id, binding('a', 'ClusterRole:admin', 'User:jane', 'n'));
      const widgets = resource('widgets.example.org', { namespace: 'n', name: 'w' });
      assert.equal(
        await may(user('jane'), 'create', resource('roles.rbac.authorization.k8s.io', { namespace: 'n' })),
        true,
      );
      assert.equal(await may(user('jane'), 'get', resource('secrets', { namespace: 'n', name: 's' })), true);
      assert.equal(await may(user('jane'), 'get', widgets), false);
      const rules = [{ verbs: ['get'], apiGroups: ['example.org'], resources: ['widgets'] }];
      const role = object('ClusterRole', 'widget-viewer', { rules });
      role.metadata.labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' };
      await store(world.cache, shop.id, role);
      assert.equal(await may(user('jane'), 'get', widgets), true);
      await removeStored(world.cache, shop.id, 'ClusterRole', 'widget-viewer');
      assert.equal(await may(user('jane'), 'get', widgets), false);
    });

    it('a stored role or binding stands in front of the shared one of its name', async () => {
      const jane = user('jane');
      assert.equal(await may(jane, 'get', '/openapi/v3'), true);
      await store(
        world.cache,
        shop.id,
        object('ClusterRoleBinding', 'system:discovery', {
          roleRef: { kind: 'ClusterRole', name: 'system:discovery' },
          subjects: [],
        }),
      );
      assert.equal(await may(jane, 'get', '/openapi/v3'), false);
      await removeStored(world.cache, shop.id, 'ClusterRoleBinding', 'system:discovery');
      assert.equal(await may(jane, 'get', '/openapi/v3'), true);
      await store(world.cache, shop.id, object('ClusterRole', 'system:discovery', { rules: [] }));
      assert.equal(await may(jane, 'get', '/openapi/v3'), false);
      assert.equal(await may(jane, 'get', '/openapi/v3', root), true);
    });

    it('malformed objects grant nothing and break nothing', async () => {
      await store(
        world.cache,
        shop.id,
        object('ClusterRoleBinding', 'x', { roleRef: null, subjects: 'jane' }),
      );
      await store(
        world.cache,
        shop.id,
        object('ClusterRole', 'y', { rules: [{ verbs: 'get' }, null, { verbs: ['get'], resources: [1] }] }),
      );
      await store(world.cache, shop.id, binding('z', 'ClusterRole:y', 'User:jane'));
      await store(world.cache, shop.id, binding('w', 'Role:absent', 'User:jane', 'n'));
      assert.equal(await may(user('jane'), 'get', pods), false);
    });
  });

  it('a refusal names the roles that are bound and not there', async () => {
    await world.enter('jane');
    const asked = { user: user('jane'), workspace: shop, verb: 'get', resource: pods, path: '' };
    const reason = async () => (await world.authorizer.authorize(asked)).reason;
    assert.equal(await reason(), '');
    await store(world.cache, shop.id, binding('w', 'Role:absent', 'User:jane', 'n'));
    assert.equal(await reason(), 'RBAC: role.rbac.authorization.k8s.io "absent" not found');
    await store(world.cache, shop.id, binding('a', 'ClusterRole:gone', 'User:jane'));
    await store(world.cache, shop.id, binding('b', 'ClusterRole:gone', 'Group:system:authenticated', 'n'));
    const both =
      'clusterrole.rbac.authorization.k8s.io "gone" not found, role.rbac.authorization.k8s.io "absent" not found';
    assert.equal(await reason(), `RBAC: [${both}]`);
  });

  it('rules are told binding by binding, however many of its subjects the user is', async () => {
    const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }];
    await store(world.cache, shop.id, object('ClusterRole', 'r', { rules }));
    const both = binding('both', 'ClusterRole:r', 'User:jane', 'n');
    both['subjects'] = [
      { kind: 'User', name: 'jane' },
      { kind: 'Group', name: 'dev' },
    ];
    await store(world.cache, shop.id, both);
    const held = () => world.rbac.rulesFor(user('jane', ['dev']), shop, 'n');
    assert.deepEqual(held(), rules);
    await store(world.cache, shop.id, binding('again', 'ClusterRole:r', 'Group:dev', 'n'));
    assert.deepEqual(held(), [...rules, ...rules]);
  });

  it('10,000 bindings do not show in latency', async () => {
    const operations = 10_000;
    for (let i = 0; i < operations; i++) {
      await store(world.cache, shop.id, binding(`b${i}`, 'ClusterRole:view', `User:user${i}`, `n${i % 100}`));
    }
    await store(
      world.cache,
      shop.id,
      binding('enter', 'ClusterRole:system:kcp:workspace:access', 'Group:all'),
    );
    const who = user('user7', ['system:authenticated', 'all']);
    assert.equal(await may(who, 'get', { ...pods, namespace: 'n7' }), true);
    const asked = {
      user: who,
      workspace: shop,
      verb: 'get',
      resource: { ...pods, namespace: 'n7' },
      path: '',
    };
    // The quickest of many short rounds: what else the machine does falls into the others.
    let quickestUs = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 200; round++) {
      const start = process.hrtime.bigint();
      for (let i = 0; i < 50; i++) void world.authorizer.authorize(asked);
      quickestUs = Math.min(quickestUs, Number(process.hrtime.bigint() - start) / 1000 / 50);
    }
    assert.ok(quickestUs < 50, `${quickestUs.toFixed(1)} µs a decision`);
  });

  it('an edge is a plain Kubernetes API server: no entering', async () => {
    const edge = workspaceOf('root', 'edge', 'edge');
    await store(world.cache, edge.id, binding('v', 'ClusterRole:view', 'User:jane', 'n'));
    assert.equal(await may(user('jane'), 'get', pods, edge), true);
  });
});
