import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ApiError } from '#apimachinery/api-error.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { CachedStorage } from '#storage/cached-storage.ts';
import { object, openStore, removeStored, store, workspaceOf } from '../authz/testing/authz-fixtures.ts';
import type { ResourceContext } from '../request/context.ts';
import type { UserInfo } from '../request/user.ts';
import { ComponentTokens } from './component-tokens.ts';
import { parseServiceAccountUser, ServiceAccountTokens } from './service-account-tokens.ts';
import { isUnauthorized, newKey, shop } from './testing/authn-fixtures.ts';
import { tokenRequestHandler } from './token-request.ts';

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
      const twice = (await ask({ audiences: ['x', 'x'] })) as KubeObject & { spec: { audiences: string[] } };
      assert.deepEqual(twice.spec.audiences, ['x', 'x'], 'as they were asked for');
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
