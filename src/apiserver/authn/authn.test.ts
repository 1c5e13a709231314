import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { ApiError, isApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import {
  object,
  openStore,
  removeStored,
  store,
  user,
  workspaceOf,
} from '../authz/testing/authz-fixtures.ts';
import type { ResourceContext } from '../request/context.ts';
import { systemMasters, type UserInfo } from '../request/user.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { PeerCertificate } from './authenticator.ts';
import { ComponentTokens } from './component-tokens.ts';
import { impersonate, wantsImpersonation } from './impersonation.ts';
import { SigningKey, verifiedClaims } from './jwt.ts';
import { parseServiceAccountUser, ServiceAccountTokens } from './service-account-tokens.ts';
import { TokenFileAuthenticator, TokenFileError } from './token-file.ts';
import { tokenRequestHandler } from './token-request.ts';
import { UnionAuthenticator } from './union-authenticator.ts';
import { X509Authenticator } from './x509.ts';

const newKey = (): SigningKey =>
  new SigningKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
const isUnauthorized = (error: unknown): boolean => isApiError(error, 'Unauthorized');
const shop = workspaceOf('root:acme:shop');

describe('jwt', () => {
  const key = newKey();
  it('is what other implementations verify (RFC 7515, 7517)', async () => {
    const token = key.sign({ iss: 'i', sub: 's', exp: Math.floor(Date.now() / 1000) + 60 });
    const keys = createLocalJWKSet({ keys: [key.toJwk() as { kty: string }] });
    const { payload } = await jwtVerify(token, keys, { issuer: 'i' });
    assert.equal(payload.sub, 's');
  });

  it('refuses every other algorithm, key and form', () => {
    const token = key.sign({ a: 1 });
    const [head = '', body = '', tail = ''] = token.split('.');
    const header = (fields: object): string =>
      Buffer.from(JSON.stringify({ kid: key.keyId, ...fields })).toString('base64url');
    assert.deepEqual(verifiedClaims(token, [newKey(), key]), { a: 1 });
    const bad = [
      `${header({ alg: 'none' })}.${body}.`,
      `${header({ alg: 'HS256' })}.${body}.${tail}`,
      `${header({ alg: 'ES256', crit: ['x'] })}.${body}.${tail}`,
      `${head}.${Buffer.from('{"a":2}').toString('base64url')}.${tail}`,
      `${head}.${body}.${'A'.repeat(86)}`,
      `${token}.x`,
      `${head}.${body}`,
      '',
      'x'.repeat(20_000),
    ];
    for (const one of bad) assert.equal(verifiedClaims(one, [key]), undefined, one.slice(0, 60));
    assert.equal(verifiedClaims(token, [newKey()]), undefined);
  });

  it('never fails on any text', () => {
    fc.assert(fc.property(fc.string(), (text) => assert.equal(verifiedClaims(text, [key]), undefined)));
  });
});

describe('x509 (U1)', () => {
  const certificate: PeerCertificate = {
    verified: true,
    commonName: 'jane',
    organizations: ['dev', 'ops'],
    notBeforeMs: 1000,
    notAfterMs: 2000,
    fingerprint: 'ab',
    chain: [],
  };
  const at = (now: number, changed: Partial<PeerCertificate> = {}) =>
    new X509Authenticator(() => now).authenticate({
      certificate: { ...certificate, ...changed },
      bearerToken: undefined,
    });

  it('CN is the user, each O a group', () => {
    const found = at(1500);
    assert.equal(found?.name, 'jane');
    assert.deepEqual(found?.groups, ['dev', 'ops', 'system:authenticated']);
    assert.deepEqual(found?.extra.get('authentication.kubernetes.io/credential-id'), ['X509SHA256=ab']);
  });
  it('refuses foreign, expired and early ones', () => {
    assert.throws(() => at(1500, { verified: false }), isUnauthorized);
    assert.throws(() => at(2001), isUnauthorized);
    assert.throws(() => at(999), isUnauthorized);
  });
  it('no common name is nobody', () => {
    assert.equal(at(1500, { commonName: undefined }), undefined);
  });
});

describe('token file (U1)', () => {
  it('reads Kubernetes’ format', () => {
    const file = '# comment\n\nt1,jane,1,"dev,ops"\r\nt2,"o""hara", 2\nt3,joe,3,single\n';
    const tokens = new TokenFileAuthenticator(file);
    const groups = (token: string) => tokens.authenticateToken(token, [])?.user.groups;
    assert.deepEqual(groups('t1'), ['dev', 'ops', 'system:authenticated']);
    assert.deepEqual(groups('t3'), ['single', 'system:authenticated']);
    assert.equal(tokens.authenticateToken('t2', [])?.user.name, 'o"hara');
    assert.equal(tokens.authenticateToken('t2', [])?.user.uid, '2');
    assert.equal(tokens.authenticateToken('t', []), undefined);
  });
  it('is meant for the audiences of the API server alone', () => {
    const tokens = new TokenFileAuthenticator('t1,jane,1', ['api']);
    assert.deepEqual(tokens.authenticateToken('t1', [])?.audiences, ['api']);
    assert.deepEqual(tokens.authenticateToken('t1', ['x', 'api'])?.audiences, ['api']);
    assert.equal(tokens.authenticateToken('t1', ['x']), undefined);
  });
  for (const [name, text] of [
    ['too few fields', 't1,jane'],
    ['no token', ',jane,1'],
    ['no user', 't1,,1'],
    ['a token twice', 't1,jane,1\nt1,joe,2'],
    ['a stray quote', 't1,ja"ne,1'],
  ] as const) {
    it(`refuses ${name}`, () => assert.throws(() => new TokenFileAuthenticator(text), TokenFileError));
  }
});

describe('service-account tokens (U1, U2)', () => {
  let cache: CachedStorage;
  let now = Date.parse('2026-11-21T12:00:00Z');
  const key = newKey();
  let tokens: ServiceAccountTokens;
  const account = { clusterId: shop.id, namespace: 'n', name: 'sa', uid: 'u1', audiences: [] };

  const put = (kind: string, name: string, uid: string): Promise<void> => {
    const stored = object(kind, name, {}, 'n');
    stored.metadata.uid = uid;
    return store(cache, shop.id, stored);
  };

  before(async () => {
    cache = await openStore();
    tokens = new ServiceAccountTokens({ keys: [key], issuer: 'https://issuer', cache, now: () => now });
    await put('ServiceAccount', 'sa', 'u1');
    await put('Pod', 'p', 'p1');
    await put('Secret', 's', 's1');
  });
  after(() => cache.close());

  const authenticate = (token: string, audiences: string[] = []) =>
    tokens.authenticateToken(token, audiences) as { user: UserInfo; audiences: string[] } | undefined;

  it('goes on to be believed after another issuer has taken over', () => {
    const options = { keys: [key], issuer: 'https://new', cache, now: () => now };
    const { token } = tokens.issue({ ...account, expirationSeconds: 600 });
    const both = new ServiceAccountTokens({ ...options, formerIssuers: ['https://issuer'] });
    assert.deepEqual(both.apiAudiences, ['https://new', 'https://issuer']);
    const found = both.authenticateToken(token, []) as { user: UserInfo } | undefined;
    assert.equal(found?.user.name, 'system:serviceaccount:n:sa');
    assert.equal(new ServiceAccountTokens(options).authenticateToken(token, []), undefined);
    const renewed = both.issue({ ...account, expirationSeconds: 600 }).token;
    assert.ok(both.authenticateToken(renewed, []) !== undefined);
    assert.equal(authenticate(renewed), undefined);
  });

  it('carries identity, workspace and lifetime', () => {
    const { token, expiresAtMs } = tokens.issue({ ...account, expirationSeconds: 600 });
    assert.equal(expiresAtMs, now + 600_000);
    const found = authenticate(token)?.user;
    assert.equal(found?.name, 'system:serviceaccount:n:sa');
    assert.equal(found?.uid, 'u1');
    assert.deepEqual(found?.groups, [
      'system:serviceaccounts',
      'system:serviceaccounts:n',
      'system:authenticated',
    ]);
    assert.deepEqual(found?.extra.get('authentication.kcp.io/cluster-name'), [shop.id]);
    now += 599_000;
    assert.ok(authenticate(token));
    now += 1_000;
    assert.throws(() => authenticate(token), isUnauthorized);
  });

  it('is refused for another audience, and accepted for its own', () => {
    const { token } = tokens.issue({ ...account, audiences: ['vault'], expirationSeconds: 600 });
    assert.throws(() => authenticate(token), isUnauthorized);
    assert.deepEqual(authenticate(token, ['vault', 'x'])?.audiences, ['vault']);
  });

  it('dies with the object it is bound to, at once', async () => {
    const bound = { kind: 'Pod', name: 'p', uid: 'p1' } as const;
    const { token } = tokens.issue({ ...account, expirationSeconds: 600, boundObject: bound });
    assert.ok(authenticate(token)?.user.extra.has('authentication.kubernetes.io/pod-name'));
    await put('Pod', 'p', 'p2');
    assert.throws(() => authenticate(token), isUnauthorized);
    await put('Pod', 'p', 'p1');
    assert.ok(authenticate(token));
    await removeStored(cache, shop.id, 'Pod', 'p', 'n');
    assert.throws(() => authenticate(token), isUnauthorized);
  });

  it('dies with its account, also when one of the same name comes', async () => {
    const { token } = tokens.issue({ ...account, expirationSeconds: 600 });
    assert.ok(authenticate(token));
    await put('ServiceAccount', 'sa', 'u2');
    assert.throws(() => authenticate(token), isUnauthorized);
    await put('ServiceAccount', 'sa', 'u1');
  });

  it('never expires only when bound to a Secret', () => {
    const bound = { kind: 'Secret', name: 's', uid: 's1' } as const;
    const forever = tokens.issue({ ...account, expirationSeconds: undefined, boundObject: bound });
    assert.ok(authenticate(forever.token));
    const unbound = tokens.issue({ ...account, expirationSeconds: undefined });
    assert.throws(() => authenticate(unbound.token), isUnauthorized);
  });

  it('leaves foreign tokens to others, refuses forged ones of its own', () => {
    assert.equal(authenticate('opaque'), undefined);
    assert.equal(authenticate(newKey().sign({ iss: 'someone' })), undefined);
    assert.throws(() => authenticate(newKey().sign({ iss: 'https://issuer' })), isUnauthorized);
    assert.throws(() => authenticate(key.sign({ iss: 'https://issuer', exp: 1 })), isUnauthorized);
  });

  it('publishes its keys (U2)', () => {
    const [jwk] = tokens.jwks()['keys'] as { kid: string; kty: string; crv: string; alg: string }[];
    assert.deepEqual([jwk?.kid, jwk?.kty, jwk?.crv, jwk?.alg], [key.keyId, 'EC', 'P-256', 'ES256']);
    assert.equal(tokens.openidConfiguration('https://h:1')['jwks_uri'], 'https://h:1/openid/v1/jwks');
  });

  describe('TokenRequest', () => {
    const request = (spec: object): KubeObject => ({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: spec as KubeObject,
    });
    const context = { workspace: shop, namespace: 'n', name: 'sa' } as unknown as ResourceContext;
    const ask = async (spec: object, changed: object = {}) =>
      tokenRequestHandler(tokens, cache)({ ...context, ...changed }, request(spec));

    it('3600 s by default', async () => {
      const { status, spec } = (await ask({})) as KubeObject & {
        status: { token: string; expirationTimestamp: string };
        spec: { audiences: string[]; expirationSeconds: number };
      };
      assert.ok(authenticate(status.token));
      assert.equal(spec.expirationSeconds, 3600);
      assert.deepEqual(spec.audiences, ['https://issuer']);
      assert.equal(Date.parse(status.expirationTimestamp), now + 3_600_000);
    });

    it('bound to a Node, or to a Pod that runs on one (TokenREST, KEP-4193)', async () => {
      const extraOf = async (kind: string, name: string) => {
        const { status } = (await ask({ boundObjectRef: { kind, apiVersion: 'v1', name } })) as KubeObject & {
          status: { token: string };
        };
        const extra = () => {
          const found = Object.fromEntries(authenticate(status.token)?.user.extra ?? []);
          const names = ['pod-name', 'pod-uid', 'node-name', 'node-uid'];
          return names.map((one) => found[`authentication.kubernetes.io/${one}`]?.[0]);
        };
        return extra;
      };
      const node = object('Node', 'm', {});
      node.metadata.uid = 'm1';
      await store(cache, shop.id, node);
      const ofNode = await extraOf('Node', 'm');
      assert.deepEqual(ofNode(), [undefined, undefined, 'm', 'm1']);
      for (const [name, nodeName] of [
        ['r', 'm'],
        ['lost', 'nowhere'],
      ] as const) {
        const pod = object('Pod', name, { spec: { serviceAccountName: 'sa', nodeName } }, 'n');
        pod.metadata.uid = 'r1';
        await store(cache, shop.id, pod);
      }
      const ofPod = await extraOf('Pod', 'r');
      assert.deepEqual(ofPod(), ['r', 'r1', 'm', 'm1']);
      assert.deepEqual((await extraOf('Pod', 'lost'))(), ['lost', 'r1', 'nowhere', undefined]);
      await removeStored(cache, shop.id, 'Node', 'm');
      assert.throws(ofNode, isUnauthorized);
      assert.deepEqual(ofPod(), ['r', 'r1', 'm', 'm1']);
    });

    const rows: [string, object, object, number][] = [
      ['less than 600 s', { expirationSeconds: 599 }, {}, 422],
      ['more than 2^32 s', { expirationSeconds: 2 ** 32 + 1 }, {}, 422],
      ['an account that is not there', {}, { name: 'other' }, 404],
      ['an account of another workspace', {}, { workspace: workspaceOf('root:acme:other') }, 404],
      [
        'a bound object that is not there',
        { boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 'x' } },
        {},
        404,
      ],
      [
        'a bound object of another uid',
        { boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 's', uid: 'x' } },
        {},
        409,
      ],
      [
        'a bound object of another kind',
        { boundObjectRef: { kind: 'ConfigMap', apiVersion: 'v1', name: 's' } },
        {},
        400,
      ],
      ['a bound object without a name', { boundObjectRef: { kind: 'Pod', apiVersion: 'v1' } }, {}, 400],
      [
        'a Node that is not there',
        { boundObjectRef: { kind: 'Node', apiVersion: 'v1', name: 's' } },
        {},
        404,
      ],
    ];
    for (const [name, spec, changed, code] of rows) {
      it(`${name} → ${code}`, () =>
        assert.rejects(ask(spec, changed), (error) => error instanceof ApiError && error.code === code));
    }
  });
});

describe('component tokens', () => {
  const key = newKey();
  let now = 1_000_000;
  const tokens = new ComponentTokens([key], () => now);
  it('carry a component and its groups until they expire', () => {
    const token = tokens.issue({ name: 'system:cellplane:scheduler', groups: ['g'], expirationSeconds: 60 });
    assert.deepEqual(tokens.authenticateToken(token, [])?.user.groups, ['g', 'system:authenticated']);
    now += 60_000;
    assert.throws(() => tokens.authenticateToken(token, []), isUnauthorized);
  });
  it('are for components only', () => {
    assert.throws(() => tokens.issue({ name: 'jane', groups: [], expirationSeconds: 1 }), RangeError);
    const claims = { iss: 'cellplane', aud: 'cellplane', exp: now, sub: 'jane', groups: [] };
    assert.throws(() => tokens.authenticateToken(key.sign(claims), []), isUnauthorized);
    assert.equal(tokens.authenticateToken('opaque', []), undefined);
  });
});

describe('union (U1)', () => {
  const file = new TokenFileAuthenticator('t1,jane,1');
  const union = new UnionAuthenticator({ authenticators: [new X509Authenticator(() => 1)], tokens: [file] });
  const certificate = (verified: boolean): PeerCertificate => ({
    verified,
    commonName: 'cert',
    organizations: [],
    notBeforeMs: 0,
    notAfterMs: 2,
    fingerprint: '',
    chain: [],
  });
  const nameOf = async (certificateOrNone: PeerCertificate | undefined, bearerToken?: string) =>
    (await union.authenticate({ certificate: certificateOrNone, bearerToken })).name;

  it('nothing → anonymous; a good credential → its user', async () => {
    assert.equal(await nameOf(undefined), 'system:anonymous');
    assert.equal(await nameOf(undefined, 't1'), 'jane');
    assert.equal(await nameOf(certificate(true), 'wrong'), 'cert');
    assert.equal(await nameOf(certificate(false), 't1'), 'jane');
  });
  it('a bad credential → 401, never anonymous', () => {
    assert.throws(() => union.authenticate({ certificate: undefined, bearerToken: 'wrong' }), isUnauthorized);
    assert.throws(() => union.authenticate({ certificate: undefined, bearerToken: '' }), isUnauthorized);
    assert.throws(
      () => union.authenticate({ certificate: certificate(false), bearerToken: undefined }),
      isUnauthorized,
    );
  });
  it('anonymous can be switched off', () => {
    const strict = new UnionAuthenticator({ authenticators: [], tokens: [], allowsAnonymous: false });
    assert.throws(
      () => strict.authenticate({ certificate: undefined, bearerToken: undefined }),
      isUnauthorized,
    );
  });
  it('asynchronous kinds are tried in order, and a later success outweighs an earlier failure', async () => {
    const slow = new UnionAuthenticator({
      authenticators: [],
      tokens: [
        {
          authenticateToken: async () => {
            throw new ApiError('Unauthorized', 'x');
          },
        },
        file,
      ],
    });
    assert.equal((await slow.authenticate({ certificate: undefined, bearerToken: 't1' })).name, 'jane');
    await assert.rejects(
      async () => slow.authenticate({ certificate: undefined, bearerToken: 'z' }),
      isUnauthorized,
    );
  });
});

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

describe('parseServiceAccountUser', () => {
  for (const [name, expected] of [
    ['system:serviceaccount:n:sa', { namespace: 'n', name: 'sa' }],
    ['system:serviceaccount:n', undefined],
    ['system:serviceaccount:n:', undefined],
    ['system:serviceaccount:n:a:b', undefined],
    ['jane', undefined],
  ] as const) {
    it(name, () => assert.deepEqual(parseServiceAccountUser(name), expected));
  }
});
