import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import { user } from '../authz/testing/authz-fixtures.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { impersonate, wantsImpersonation } from './impersonation.ts';
import { shop } from './testing/authn-fixtures.ts';

describe('impersonation (U3; KCP.md, Identity and rights)', () => {
  const allowed = new Set<string>();
  const authorizer: Authorizer = {
    authorize: ({ resource, verb }) => ({
      decision:
        verb === 'impersonate' &&
        resource !== undefined &&
        allowed.has(
          `${resource.resource}${resource.subresource === '' ? '' : `/${resource.subresource}`}:${resource.namespace}:${resource.name}`,
        )
          ? 'allow'
          : 'noOpinion',
      reason: '',
    }),
  };
  const jane = user('jane');
  const admin = user('admin', ['system:masters', 'system:authenticated']);
  const all: Authorizer = { authorize: () => ({ decision: 'allow', reason: '' }) };
  const listing = {
    verb: 'list',
    resource: { group: '', version: 'v1', resource: 'pods', subresource: '', namespace: 'n', name: '' },
    path: '/api/v1/namespaces/n/pods',
  };
  const act = async (
    headers: { [header: string]: string },
    requester: UserInfo,
    workspace: Workspace | undefined,
    asked: Authorizer,
  ) => (await impersonate(headers, { ...listing, user: requester, workspace }, asked)).user;

  it('takes names for the UTF-8 that clients send', async () => {
    const latin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
    const headers = { 'impersonate-user': latin1('jäne'), 'impersonate-group': `${latin1('öps')}, dev` };
    const { name, groups } = await act(headers, admin, shop, all);
    assert.equal(name, 'jäne');
    assert.deepEqual(groups, ['öps', 'dev', 'system:authenticated']);
  });

  it('each value needs its own right', async () => {
    const headers = {
      'impersonate-user': 'joe',
      'impersonate-group': 'dev, ops',
      'impersonate-uid': '7',
      'impersonate-extra-example.com%2fscope': 'a',
    };
    const rights = ['users::joe', 'groups::dev', 'groups::ops', 'uids::7', 'userextras/example.com/scope::a'];
    for (const right of rights) {
      await assert.rejects(
        act(headers, jane, shop, authorizer),
        (error) => isApiError(error, 'Forbidden'),
        right,
      );
      allowed.add(right);
    }
    const result = await act(headers, jane, shop, authorizer);
    assert.equal(result.name, 'joe');
    assert.equal(result.uid, '7');
    assert.deepEqual(result.groups, ['dev', 'ops', 'system:authenticated']);
    assert.deepEqual(result.extra.get('example.com/scope'), ['a']);
    assert.deepEqual(result.extra.get('authentication.kcp.io/scopes'), [`cluster:${shop.id}`]);
  });

  it('a service account is asked for as one and has its groups', async () => {
    const headers = { 'impersonate-user': 'system:serviceaccount:n:sa' };
    await assert.rejects(
      act(headers, jane, shop, authorizer),
      /pods is forbidden: User "jane" cannot impersonate-on:serviceaccount:list resource "pods"/,
    );
    allowed.add('serviceaccounts:n:sa');
    const result = await act(headers, jane, shop, authorizer);
    assert.deepEqual(result.groups, [
      'system:serviceaccounts',
      'system:serviceaccounts:n',
      'system:authenticated',
    ]);
  });

  const refusals: [string, { [header: string]: string }, number][] = [
    ['system:masters', { 'impersonate-user': 'x', 'impersonate-group': 'system:masters' }, 403],
    [
      'system:masters among others',
      { 'impersonate-user': 'x', 'impersonate-group': 'dev, system:masters' },
      403,
    ],
    ['kcp groups', { 'impersonate-user': 'x', 'impersonate-group': 'system:kcp:admin' }, 403],
    ['federators', { 'impersonate-user': 'x', 'impersonate-group': 'system:cellplane:federators' }, 403],
    ['a component', { 'impersonate-user': 'system:cellplane:scheduler' }, 403],
    ['the server itself', { 'impersonate-user': 'system:apiserver' }, 403],
    [
      'a foreign service account by its global name',
      { 'impersonate-user': 'system:kcp:serviceaccount:a:b:c' },
      403,
    ],
    ['a warrant', { 'impersonate-user': 'x', 'impersonate-extra-authorization.kcp.io%2fwarrant': '{}' }, 403],
    [
      'a scope',
      { 'impersonate-user': 'x', 'impersonate-extra-authentication.kcp.io%2FScopes': 'cluster:a' },
      403,
    ],
    ['groups without a user', { 'impersonate-group': 'dev' }, 400],
    ['extra without a user', { 'impersonate-extra-a': 'b' }, 400],
    ['two users', { 'impersonate-user': 'a, b' }, 400],
    [
      'too many groups',
      {
        'impersonate-user': 'a',
        'impersonate-group': Array.from({ length: 300 }, (_, i) => `g${i}`).join(', '),
      },
      400,
    ],
  ];
  for (const [name, headers, code] of refusals) {
    it(`GHSA-c7xh-gjv4-4jgv: ${name} → ${code}, even with every right`, () =>
      assert.rejects(
        act(headers, jane, shop, all),
        (error) => error instanceof ApiError && error.code === code,
      ));
  }

  it('not over all workspaces, save for system:masters, who is not confined', async () => {
    await assert.rejects(act({ 'impersonate-user': 'x' }, jane, undefined, all), (error) =>
      isApiError(error, 'Forbidden'),
    );
    const headers = { 'impersonate-user': 'x', 'impersonate-group': 'system:masters' };
    const result = await act(headers, admin, undefined, all);
    assert.equal(result.extra.size, 0);
    assert.ok(result.groups.includes('system:masters'));
  });

  it('anonymous stays unauthenticated', async () => {
    const result = await act({ 'impersonate-user': 'system:anonymous' }, admin, shop, all);
    assert.deepEqual(result.groups, ['system:unauthenticated']);
  });

  describe('constrained (KEP-5284; apiserver filters/impersonation)', () => {
    const node = 'system:node:pop-1';
    const agent: UserInfo = {
      ...user('system:serviceaccount:kube-system:agent'),
      extra: new Map([
        ['authentication.kubernetes.io/node-name', ['pop-1']],
        ['authentication.kcp.io/cluster-name', [shop.id]],
      ]),
    };
    const onList = (mode: string) => `impersonate-on:${mode}:list pods n/`;
    const asNode = { 'impersonate-user': node };
    const asJoe = { 'impersonate-user': 'joe' };
    const ofGroups = (groups: string) => ({ ...asJoe, 'impersonate-group': groups });
    const key = 'example.com/a';
    const ofExtra = { ...asJoe, [`impersonate-extra-${key}`]: 'b' };
    const cases: [string, UserInfo, { [header: string]: string }, string[], string | RegExp][] = [
      [
        'both rights',
        jane,
        asJoe,
        [onList('user-info'), 'impersonate:user-info users.authentication.k8s.io /joe'],
        'impersonate:user-info joe system:authenticated',
      ],
      [
        'the first mode tells what is missing',
        jane,
        asJoe,
        ['impersonate:user-info users.authentication.k8s.io /joe'],
        /^pods is forbidden: User "jane" cannot impersonate-on:user-info:list resource "pods" in API group "" in the namespace "n"/,
      ],
      [
        'who is asked for',
        jane,
        asJoe,
        [onList('user-info')],
        /^users\.authentication\.k8s\.io "joe" is forbidden: User "jane" cannot impersonate:user-info resource "users" in API group "authentication\.k8s\.io" at the cluster scope/,
      ],
      [
        'plain impersonation suffices',
        jane,
        asJoe,
        ['impersonate users /joe'],
        'plain joe system:authenticated',
      ],
      [
        'a node has its group',
        jane,
        asNode,
        [onList('arbitrary-node'), 'impersonate:arbitrary-node nodes.authentication.k8s.io /pop-1'],
        `impersonate:arbitrary-node ${node} system:nodes,system:authenticated`,
      ],
      [
        'a node is no user-info',
        jane,
        asNode,
        [onList('user-info'), `impersonate:user-info users.authentication.k8s.io /${node}`],
        /impersonate-on:arbitrary-node:list/,
      ],
      [
        'a node with a group is plain',
        jane,
        { ...asNode, 'impersonate-group': 'dev' },
        [`impersonate users /${node}`, 'impersonate groups /dev'],
        `plain ${node} dev,system:authenticated`,
      ],
      [
        'the node an account runs on',
        agent,
        asNode,
        [onList('associated-node'), 'impersonate:associated-node nodes.authentication.k8s.io /*'],
        `impersonate:associated-node ${node} system:nodes,system:authenticated`,
      ],
      [
        'another node',
        agent,
        { 'impersonate-user': 'system:node:pop-2' },
        [onList('associated-node'), 'impersonate:associated-node nodes.authentication.k8s.io /*'],
        /impersonate-on:arbitrary-node:list/,
      ],
      [
        'a service account',
        jane,
        { 'impersonate-user': 'system:serviceaccount:n:sa' },
        [onList('serviceaccount'), 'impersonate:serviceaccount serviceaccounts.authentication.k8s.io n/sa'],
        'impersonate:serviceaccount system:serviceaccount:n:sa system:serviceaccounts,system:serviceaccounts:n,system:authenticated',
      ],
      [
        'each group',
        jane,
        ofGroups('a, b'),
        [
          onList('user-info'),
          'impersonate:user-info users.authentication.k8s.io /joe',
          'impersonate:user-info groups.authentication.k8s.io /a',
        ],
        /^groups\.authentication\.k8s\.io "b" is forbidden/,
      ],
      [
        'many groups by one right',
        jane,
        ofGroups('a, b, c, d'),
        [
          onList('user-info'),
          'impersonate:user-info users.authentication.k8s.io /joe',
          'impersonate:user-info groups.authentication.k8s.io /*',
        ],
        'impersonate:user-info joe a,b,c,d,system:authenticated',
      ],
      [
        'extra',
        jane,
        ofExtra,
        [
          onList('user-info'),
          'impersonate:user-info users.authentication.k8s.io /joe',
          `impersonate:user-info userextras/${key}.authentication.k8s.io /b`,
        ],
        'impersonate:user-info joe system:authenticated',
      ],
      [
        'extra without a domain',
        jane,
        { ...asJoe, 'impersonate-extra-scopes': 'b' },
        [onList('user-info'), 'impersonate:user-info users.authentication.k8s.io /joe'],
        /cannot impersonate:user-info resource "userextras" .*: impersonating an invalid key in extra is not allowed: extra\.key: Invalid value: "scopes": must be a domain-prefixed path/,
      ],
    ];
    for (const [name, requester, headers, rights, expected] of cases) {
      it(name, async () => {
        const granted: Authorizer = {
          authorize: ({ verb, resource, user: asked }) => {
            assert.ok(verb.includes('associated-node') || asked === requester);
            // What confines an account to its workspace is told to authorizers in every mode.
            if (requester === agent) assert.ok(asked.extra.has('authentication.kcp.io/cluster-name'));
            const { group, resource: kind, subresource, namespace, name: called } = resource!;
            const of = `${kind}${subresource === '' ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`;
            const right = `${verb} ${of} ${namespace}/${called}`;
            return { decision: rights.includes(right) ? 'allow' : 'noOpinion', reason: '' };
          },
        };
        const asked = { ...listing, user: requester, workspace: shop };
        const answer = impersonate(headers, asked, granted);
        if (expected instanceof RegExp) {
          await assert.rejects(answer, (error) => error instanceof ApiError && expected.test(error.message));
          return;
        }
        const { user: made, constraint = 'plain' } = await answer;
        assert.equal(`${constraint} ${made.name} ${made.groups}`, expected);
      });
    }

    it('never the group system:masters, whatever the rights', async () => {
      const headers = { 'impersonate-user': 'x', 'impersonate-group': systemMasters };
      const asked = { ...listing, user: admin, workspace: shop };
      const { constraint } = await impersonate(headers, asked, all);
      assert.equal(constraint, undefined);
    });
  });

  it('is noticed by any of its headers', () => {
    assert.equal(wantsImpersonation({ accept: '*/*' }), false);
    for (const name of ['impersonate-user', 'impersonate-group', 'impersonate-uid', 'impersonate-extra-x']) {
      assert.equal(wantsImpersonation({ [name]: 'x' }), true);
    }
  });
});
