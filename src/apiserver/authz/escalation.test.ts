import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { AdmissionAttributes } from '../admission/admission.ts';
import type { ResourceContext } from '../request/context.ts';
import { RbacEscalationPlugin } from './escalation.ts';
import { binding, object, store, user } from './testing/authz-fixtures.ts';
import { AuthzWorld, shop } from './testing/authz-world.ts';

const podReader = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };
const secretReader = { verbs: ['get'], apiGroups: [''], resources: ['secrets'] };
const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] };

describe('who may grant what (U4: RbacEscalation)', () => {
  const world = new AuthzWorld();
  beforeEach(async () => {
    await world.enter('jane');
    await store(world.cache, shop.id, object('ClusterRole', 'pods', { rules: [podReader] }));
    await store(world.cache, shop.id, object('ClusterRole', 'secrets', { rules: [secretReader] }));
    await store(world.cache, shop.id, binding('jane', 'ClusterRole:pods', 'User:jane'));
  });

  /** Why jane may not write it; undefined when she may. */
  async function refusal(written: KubeObject, old?: KubeObject): Promise<string | undefined> {
    const plugin = new RbacEscalationPlugin(world.authorizer, world.rbac);
    const attributes = attributesOf(written, old);
    assert.equal(plugin.handles(attributes), true);
    try {
      await plugin.mutate(attributes);
      return undefined;
    } catch (error) {
      assert.ok(error instanceof ApiError);
      return error.message;
    }
  }

  it('a role holds no more than its writer', async () => {
    assert.equal(await refusal(object('ClusterRole', 'x', { rules: [podReader] })), undefined);
    assert.match(
      (await refusal(object('ClusterRole', 'x', { rules: [podReader, secretReader] }))) ?? '',
      /^clusterroles\.rbac\.authorization\.k8s\.io "x" is forbidden: user "jane" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["secrets"\], Verbs:\["get"\]\}$/,
    );
  });

  it('whatever of a role is written: a label may have another role take it in', async () => {
    const before = object('ClusterRole', 'secrets', { rules: [secretReader] });
    const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' };
    const labelled = { ...before, metadata: { ...before.metadata, labels } };
    assert.match((await refusal(labelled, before)) ?? '', /not currently held/);
    const released = { ...before, metadata: { ...before.metadata, finalizers: ['example.org/f'] } };
    assert.equal(await refusal(released, before), undefined);
    assert.equal(await refusal(before, before), undefined);
  });

  it('an aggregationRule, also one that is taken away, needs everything', async () => {
    const why = /must have cluster-admin privileges to use the aggregationRule$/;
    const aggregated = object('ClusterRole', 'x', { rules: [], aggregationRule });
    assert.match((await refusal(aggregated)) ?? '', why);
    assert.match((await refusal(object('ClusterRole', 'x', { rules: [] }), aggregated)) ?? '', why);
    const none = { clusterRoleSelectors: [] };
    assert.equal(await refusal(object('ClusterRole', 'x', { rules: [], aggregationRule: none })), undefined);
    await store(world.cache, shop.id, binding('all', 'ClusterRole:cluster-admin', 'User:jane'));
    assert.equal(await refusal(aggregated), undefined);
  });

  it('escalate by name is for what there is, not for what is created', async () => {
    const escalate = {
      verbs: ['escalate'],
      apiGroups: ['rbac.authorization.k8s.io'],
      resources: ['clusterroles'],
    };
    await store(
      world.cache,
      shop.id,
      object('ClusterRole', 'e', { rules: [{ ...escalate, resourceNames: ['x'] }] }),
    );
    await store(world.cache, shop.id, binding('e', 'ClusterRole:e', 'User:jane'));
    const wide = object('ClusterRole', 'x', { rules: [secretReader] });
    assert.match((await refusal(wide)) ?? '', /not currently held/);
    assert.equal(await refusal(wide, object('ClusterRole', 'x', { rules: [] })), undefined);
  });

  it('a binding gives no more than its writer holds; what was looked for in vain is told', async () => {
    assert.equal(await refusal(binding('b', 'ClusterRole:pods', 'User:x')), undefined);
    assert.match((await refusal(binding('b', 'ClusterRole:secrets', 'User:x'))) ?? '', /"get"\]\}$/);
    await store(world.cache, shop.id, binding('gone', 'ClusterRole:gone', 'User:jane'));
    assert.match(
      (await refusal(binding('b', 'ClusterRole:secrets', 'User:x'))) ?? '',
      /; resolution errors: \[clusterrolebindings\.rbac\.authorization\.k8s\.io "gone" not found\]$/,
    );
    assert.equal(
      await refusal(binding('b', 'ClusterRole:absent', 'User:x')),
      'clusterrolebindings.rbac.authorization.k8s.io "absent" not found',
    );
  });
});

function attributesOf(written: KubeObject, old: KubeObject | undefined): AdmissionAttributes {
  const resource = `${written.kind.toLowerCase()}s`;
  const name = old === undefined ? '' : (written.metadata.name ?? '');
  const context = {
    user: user('jane'),
    workspace: shop,
    namespace: '',
    subresource: '',
    name,
    info: { path: '', resource: { name } },
    served: {
      definition: { group: 'rbac.authorization.k8s.io', resource, kind: written.kind },
      version: { version: 'v1' },
    },
  } as unknown as ResourceContext;
  const operation = old === undefined ? 'CREATE' : 'UPDATE';
  return { context, operation, object: written, oldObject: old, dryRun: false };
}
