import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Workspace } from '../workspace/workspace.ts';
import type { AuthorizationAttributes } from './authorizer.ts';
import { binding, object, removeStored, resource, store, user } from './testing/authz-fixtures.ts';
import { AuthzWorld, ams, cells, fra, other, pods, shop } from './testing/authz-world.ts';

describe('cell workspaces and components (DESIGN.md)', () => {
  const world = new AuthzWorld();
  const may: AuthzWorld['may'] = (...asked) => world.may(...asked);

  describe('cell workspaces (DESIGN.md)', () => {
    it('RBAC objects in them never act', async () => {
      await store(world.cache, fra.id, binding('b', 'ClusterRole:cluster-admin', 'User:mallory'));
      assert.equal(await may(user('mallory'), 'get', pods, fra), false);
    });

    it('cells/content in the parent workspace opens them, verb by verb and cell by cell', async () => {
      const rules = [
        {
          verbs: ['get', 'list', 'watch'],
          apiGroups: ['federation.cellplane.io'],
          resources: ['cells/content'],
          resourceNames: ['fra'],
        },
        { verbs: ['access'], nonResourceURLs: ['/'] },
      ];
      await store(world.cache, cells.id, object('ClusterRole', 'syncer', { rules }));
      await store(world.cache, cells.id, binding('b', 'ClusterRole:syncer', 'User:syncer'));
      const syncer = user('syncer');
      assert.equal(await may(syncer, 'list', resource('pods'), fra), true);
      assert.equal(await may(syncer, 'get', '/api', fra), true);
      assert.equal(await may(syncer, 'access', '/', fra), true);
      assert.equal(await may(syncer, 'patch', pods, fra), false);
      assert.equal(await may(syncer, 'list', resource('pods'), ams), false);
    });
  });

  describe('federators (DESIGN.md, Assignment)', () => {
    const f1 = user('system:cellplane:federator:f1', ['system:cellplane:federators', 'system:authenticated']);
    const cell = (name: string, federator: string | undefined, secret = name) =>
      object('Cell', name, {
        spec: { secretRef: { namespace: 'creds', name: secret } },
        status: federator === undefined ? {} : { assignment: { federator, epoch: 1 } },
      });
    const cellsResource = (name = '', subresource = '') =>
      resource(`cells.federation.cellplane.io/${subresource}`, { name });

    beforeEach(async () => {
      await store(world.cache, cells.id, cell('fra', 'f1'));
      await store(world.cache, cells.id, cell('ams', 'f2'));
    });

    const rows: [
      string,
      string,
      AuthorizationAttributes['resource'] | string,
      Workspace | undefined,
      boolean,
    ][] = [
      ['reads its cell workspace', 'list', resource('pods'), fra, true],
      ['writes status there', 'patch', { ...pods, subresource: 'status' }, fra, true],
      ['lifts finalizers there', 'patch', pods, fra, true],
      ['deletes nothing there', 'delete', pods, fra, false],
      ['creates nothing there', 'create', resource('pods', { namespace: 'n' }), fra, false],
      ['discovers it', 'get', '/apis', fra, true],
      ['not another cell workspace', 'list', resource('pods'), ams, false],
      ['not discovery of another', 'get', '/apis', ams, false],
      ['not a project', 'list', resource('pods'), shop, false],
      ['not all workspaces', 'list', resource('pods'), undefined, false],
      ['its Cell', 'get', cellsResource('fra'), cells, true],
      ["its Cell's status", 'patch', cellsResource('fra', 'status'), cells, true],
      ["not its Cell's spec", 'patch', cellsResource('fra'), cells, false],
      ["not its Cell's assignment", 'patch', cellsResource('fra', 'assignment'), cells, false],
      ['not another Cell', 'get', cellsResource('ams'), cells, false],
      ['not all Cells', 'list', cellsResource(), cells, false],
      ['its credentials', 'get', resource('secrets', { namespace: 'creds', name: 'fra' }), cells, true],
      [
        "not another's credentials",
        'get',
        resource('secrets', { namespace: 'creds', name: 'ams' }),
        cells,
        false,
      ],
      ['not all secrets', 'list', resource('secrets', { namespace: 'creds' }), cells, false],
      [
        'its Federator',
        'update',
        resource('federators.federation.cellplane.io/status', { name: 'f1' }),
        cells,
        true,
      ],
      [
        'not another Federator',
        'update',
        resource('federators.federation.cellplane.io', { name: 'f2' }),
        cells,
        false,
      ],
      [
        'its Lease',
        'update',
        resource('leases.coordination.k8s.io', { namespace: 'cellplane-federators', name: 'f1' }),
        cells,
        true,
      ],
      [
        'not another Lease',
        'update',
        resource('leases.coordination.k8s.io', { namespace: 'cellplane-federators', name: 'f2' }),
        cells,
        false,
      ],
      ['who am I', 'create', resource('selfsubjectreviews.authentication.k8s.io'), cells, true],
    ];
    for (const [name, verb, what, workspace, expected] of rows) {
      it(`${name}: ${expected}`, async () => {
        const path = typeof what === 'string' ? what : '';
        const asked = typeof what === 'string' ? undefined : what;
        const decision = await world.authorizer.authorize({
          user: f1,
          workspace,
          verb,
          resource: asked,
          path,
        });
        assert.equal(decision.decision, expected ? 'allow' : 'deny');
      });
    }

    it('lists the Cells that are selected as its own', async () => {
      const own = new Map([['status.federator', 'f1']]);
      assert.equal(await may(f1, 'watch', cellsResource(), cells, own), true);
      assert.equal(
        await may(f1, 'watch', cellsResource(), cells, new Map([['status.federator', 'f2']])),
        false,
      );
    });

    it('loses a cell the moment it is reassigned', async () => {
      await store(world.cache, cells.id, cell('fra', 'f2'));
      assert.equal(await may(f1, 'list', resource('pods'), fra), false);
      assert.equal(
        await may(f1, 'get', resource('secrets', { namespace: 'creds', name: 'fra' }), cells),
        false,
      );
      await removeStored(world.cache, cells.id, 'Cell', 'ams');
      assert.equal(await may(f1, 'list', resource('pods'), ams), false);
    });

    it('cannot name the credentials of a cell it does not hold, and Cells elsewhere assign nothing', async () => {
      await store(world.cache, other.id, cell('ams', 'f1'));
      assert.equal(await may(f1, 'list', resource('pods'), ams), false);
    });

    it('neither name nor group alone makes a federator', async () => {
      assert.equal(await may(user('system:cellplane:federator:f1'), 'list', resource('pods'), fra), false);
      assert.equal(
        await may(user('jane', ['system:cellplane:federators']), 'list', resource('pods'), fra),
        false,
      );
    });

    it('no RBAC of a project widens it', async () => {
      await store(world.cache, shop.id, binding('b', 'ClusterRole:cluster-admin', `User:${f1.name}`));
      assert.equal(await may(f1, 'get', pods), false);
    });
  });

  it('components send batches, others only when RBAC says so', async () => {
    const may = async (name: string, groups: string[], verb = 'post') => {
      const attributes = { user: user(name, [...groups, 'system:authenticated']), workspace: cells, verb };
      const asked = { ...attributes, resource: undefined, path: '/batch/v1' };
      return (await world.authorizer.authorize(asked)).decision === 'allow';
    };
    assert.equal(await may('system:cellplane:scheduler', ['system:cellplane:schedulers']), true);
    assert.equal(await may('system:cellplane:federator:f1', ['system:cellplane:federators']), true);
    assert.equal(await may('system:cellplane:federator:f1', []), false);
    assert.equal(await may('system:cellplane:federator:f1', ['system:cellplane:federators'], 'put'), false);
    assert.equal(await may('jane', ['system:cellplane:schedulers']), false);
    assert.equal(await may('system:admin', ['system:masters']), true);
  });

  describe('the scheduler', () => {
    const scheduler = user('system:cellplane:scheduler', [
      'system:cellplane:schedulers',
      'system:authenticated',
    ]);
    const rows: [string, string, AuthorizationAttributes['resource'], Workspace | undefined, boolean][] = [
      ['reads over all workspaces', 'watch', resource('deployments.apps'), undefined, true],
      ['writes over none at once', 'deletecollection', resource('deployments.apps'), undefined, false],
      ['reads projects', 'get', pods, shop, true],
      [
        'writes bindings',
        'create',
        resource('resourcebindings.work.karmada.io', { namespace: 'n' }),
        shop,
        true,
      ],
      ['writes statuses', 'patch', { ...pods, subresource: 'status' }, shop, true],
      ['writes events', 'create', resource('events', { namespace: 'n' }), shop, true],
      ['writes no spec of a project', 'patch', pods, shop, false],
      ['deletes nothing of a project', 'delete', pods, shop, false],
      ['writes copies', 'create', resource('pods', { namespace: 'n' }), fra, true],
      ['withdraws copies', 'delete', pods, fra, true],
      ['reads cells', 'list', resource('cells.federation.cellplane.io'), cells, true],
      ['taints cells', 'patch', resource('cells.federation.cellplane.io', { name: 'fra' }), cells, true],
      ['makes no cell', 'create', resource('cells.federation.cellplane.io'), cells, false],
      ['removes no cell', 'delete', resource('cells.federation.cellplane.io', { name: 'fra' }), cells, false],
    ];
    for (const [name, verb, what, workspace, expected] of rows) {
      it(`${name}: ${expected}`, async () => {
        const decision = await world.authorizer.authorize({
          user: scheduler,
          workspace,
          verb,
          resource: what,
          path: '',
        });
        assert.equal(decision.decision, expected ? 'allow' : 'deny');
      });
    }
  });
});
