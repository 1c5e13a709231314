import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { bootstrapClusterRoleBindings, bootstrapClusterRoles } from '../authz/bootstrap-roles.ts';
import { type PolicyRule, rulesOf } from '../authz/policy-rule.ts';
import { make } from './testing/objects.ts';
import { eventually, startServerFixture } from './testing/server-fixture.ts';

const rbac = (resource: string) => ({ group: 'rbac.authorization.k8s.io', version: 'v1', resource });
const autoupdate = 'rbac.authorization.kubernetes.io/autoupdate';

const named = (objects: readonly KubeObject[], name: string): KubeObject =>
  objects.find(({ metadata }) => metadata.name === name)!;

test('U4: bootstrap roles that a workspace has changed get back what they lack at the start', async () => {
  const server = await startServerFixture({ controllers: false });
  try {
    await make(server, 'root:org', 'organization');
    const cluster = await make(server, 'root:org:tenant', 'universal');
    const rolesAt = { cluster, gvr: rbac('clusterroles') };
    const bindingsAt = { cluster, gvr: rbac('clusterrolebindings') };
    const discovery = named(bootstrapClusterRoles, 'system:discovery');
    const own: JsonObject = { verbs: ['get'], apiGroups: ['example.com'], resources: ['things'] };
    const changed = (name: string, metadata: JsonObject = {}): KubeObject => ({
      ...named(bootstrapClusterRoles, name),
      metadata: { name, ...metadata },
      rules: [own],
    });
    await server.client.create(rolesAt, changed('system:discovery'));
    await server.client.create(
      rolesAt,
      changed('system:basic-user', { annotations: { [autoupdate]: 'false' } }),
    );
    await server.client.create(rolesAt, changed('cluster-admin', { name: 'somebody-elses' }));
    const binding = named(bootstrapClusterRoleBindings, 'system:basic-user');
    await server.client.create(bindingsAt, {
      ...binding,
      metadata: { name: 'system:basic-user' },
      subjects: [],
    });
    const other = { ...(binding['roleRef'] as JsonObject), name: 'view' };
    await server.client.create(bindingsAt, {
      ...binding,
      metadata: { name: 'system:discovery' },
      roleRef: other,
    });

    server.controllers.start();
    const role = await eventually('the role has its rules again', async () => {
      const found = await server.client.get({ ...rolesAt, name: 'system:discovery' });
      return (found['rules'] as JsonObject[]).length > 1 && found;
    });
    const [first, ...others] = rulesOf(role);
    assert.deepEqual(first, own);
    // One for each URL.
    const urlsOf = (rules: readonly PolicyRule[]) => rules.flatMap((rule) => rule.nonResourceURLs ?? []);
    assert.deepEqual(urlsOf(others), urlsOf(rulesOf(discovery)));
    assert.deepEqual(role.metadata.labels, discovery.metadata.labels);
    assert.equal(role.metadata.annotations?.[autoupdate], 'true');
    await eventually('the binding has its subjects again', async () => {
      const { subjects } = await server.client.get({ ...bindingsAt, name: 'system:basic-user' });
      return JSON.stringify(subjects) === JSON.stringify(binding['subjects']);
    });
    // Every workspace's own stands there again; the fixture has none of them.
    await eventually('the binding to another role is gone', () =>
      server.client.get({ ...bindingsAt, name: 'system:discovery' }).then(
        () => false,
        (error: unknown) => isApiError(error, 'NotFound'),
      ),
    );
    for (const name of ['system:basic-user', 'somebody-elses'])
      assert.deepEqual((await server.client.get({ ...rolesAt, name }))['rules'], [own], name);
  } finally {
    await server.stop();
  }
});
