import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { binding, store, user } from './testing/authz-fixtures.ts';
import { AuthzWorld, other, pods, shop } from './testing/authz-world.ts';

describe('service accounts and limited users', () => {
  const world = new AuthzWorld();
  const may: AuthzWorld['may'] = (...asked) => world.may(...asked);

  const local = user(
    'system:serviceaccount:n:sa',
    ['system:serviceaccounts', 'system:serviceaccounts:n', 'system:authenticated'],
    {
      'authentication.kcp.io/cluster-name': [shop.id],
    },
  );

  it('is at home in its own workspace only', async () => {
    await store(world.cache, shop.id, binding('b', 'ClusterRole:view', 'ServiceAccount:n/sa', 'n'));
    await store(world.cache, other.id, binding('b', 'ClusterRole:view', 'ServiceAccount:n/sa', 'n'));
    assert.equal(await may(local, 'get', pods), true);
    assert.equal(await may(local, 'access', '/'), true);
    assert.equal(await may(local, 'get', pods, other), false);
  });

  it('elsewhere it counts as anonymous, authenticated, of system:cluster:<id>, or by its global name', async () => {
    await store(
      world.cache,
      other.id,
      binding('enter', 'ClusterRole:system:kcp:workspace:access', `Group:system:cluster:${shop.id}`),
    );
    assert.equal(await may(local, 'get', pods, other), false);
    await store(
      world.cache,
      other.id,
      binding('v', 'ClusterRole:view', `User:system:kcp:serviceaccount:${shop.id}:n:sa`),
    );
    assert.equal(await may(local, 'get', pods, other), true);
  });

  it('scopes confine, even system:masters; several intersect', async () => {
    const scoped = (...scopes: string[]) =>
      user('admin', ['system:masters'], { 'authentication.kcp.io/scopes': scopes });
    assert.equal(await may(scoped(`cluster:${shop.id}`), 'get', pods), true);
    assert.equal(await may(scoped(`cluster:${shop.id}`), 'get', pods, other), false);
    assert.equal(
      await may(scoped(`cluster:${shop.id},cluster:${other.id}`, `cluster:${other.id}`), 'get', pods),
      false,
    );
    assert.equal(await may(scoped('nonsense'), 'get', pods), false);
  });

  it('a warrant grants its rights, but never those of system:masters', async () => {
    await world.enter('lender');
    await store(world.cache, shop.id, binding('v', 'ClusterRole:view', 'User:lender'));
    const warrant = (content: object) =>
      user('jane', ['system:authenticated'], { 'authorization.kcp.io/warrant': [JSON.stringify(content)] });
    assert.equal(await may(warrant({ user: 'lender' }), 'get', pods), true);
    assert.equal(
      await may(
        warrant({ user: 'x', extra: { 'authorization.kcp.io/warrant': ['{"user":"lender"}'] } }),
        'get',
        pods,
      ),
      true,
    );
    assert.equal(
      await may(
        warrant({ user: 'lender', extra: { 'authentication.kcp.io/scopes': ['cluster:zzz'] } }),
        'get',
        pods,
      ),
      false,
    );
    assert.equal(await may(warrant({ user: 'system:serviceaccount:n:sa' }), 'get', pods), false);
    assert.equal(await may(user('jane', [], { 'authorization.kcp.io/warrant': ['{'] }), 'get', pods), false);
  });
});
