import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { ApiError } from '#apimachinery/api-error.ts';
import type { PeerCertificate } from './authenticator.ts';
import { verifiedClaims } from './jwt.ts';
import { isUnauthorized, newKey } from './testing/authn-fixtures.ts';
import { TokenFileAuthenticator, TokenFileError } from './token-file.ts';
import { UnionAuthenticator } from './union-authenticator.ts';
import { X509Authenticator } from './x509.ts';

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
