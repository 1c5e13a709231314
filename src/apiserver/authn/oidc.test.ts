import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { silentLogger } from '#client/logger.ts';
import { makePki } from '../http/testing/test-server.ts';
import { parseAuthenticationConfiguration } from './authentication-configuration.ts';
import { OidcAuthenticator } from './oidc.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pki = makePki();
let issuer = '';
let asked = 0;
let now = 1_800_000_000_000;
const server = createServer(
  { cert: pki.serving.certificatePem, key: pki.serving.keyPem },
  (request, response) => {
    asked++;
    const keys = [
      { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'r', use: 'sig' },
      { ...ec.publicKey.export({ format: 'jwk' }), kid: 'e' },
    ];
    const isKeys = request.url === '/keys';
    response.end(JSON.stringify(isKeys ? { keys } : { issuer, jwks_uri: `${issuer}/keys` }));
  },
);

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.close();
  server.closeAllConnections();
});

function configuration(more = ''): string {
  const ca = pki.ca.certificatePem.trim().split('\n').join('\n      ');
  return `apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: ${issuer}
    audiences: [cellplane, other]
    audienceMatchPolicy: MatchAny
    certificateAuthority: |
      ${ca}
  claimMappings:
    username: {claim: sub, prefix: "oidc:"}
    groups: {claim: groups, prefix: ""}
    uid: {claim: id}
${more}`;
}

function open(): OidcAuthenticator {
  const [first] = parseAuthenticationConfiguration(configuration()).issuers;
  return new OidcAuthenticator({ issuer: first!, logger: silentLogger, now: () => now });
}

function token(
  claims: JsonObject,
  key: KeyObject = rsa.privateKey,
  header: JsonObject = { alg: 'RS256', kid: 'r' },
) {
  const part = (value: JsonObject) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const all = { iss: issuer, aud: 'cellplane', sub: 'jane', exp: now / 1000 + 60, ...claims };
  const text = `${part(header)}.${part(all)}`;
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

test('claims become user, groups and uid (U1)', async () => {
  const oidc = open();
  try {
    const one = token({ groups: ['dev', 'system:masters'], id: 'u1', aud: ['x', 'other'] });
    const found = await oidc.authenticateToken(one, []);
    assert.deepEqual(found?.user, {
      name: 'oidc:jane',
      uid: 'u1',
      groups: ['dev', 'system:authenticated'],
      extra: new Map(),
    });
    assert.deepEqual(found?.audiences, ['other']);
    assert.ok(!(oidc.authenticateToken(one, []) instanceof Promise), 'the second time from memory');
    const es = await oidc.authenticateToken(token({}, ec.privateKey, { alg: 'ES256', kid: 'e' }), []);
    assert.equal(es?.user.name, 'oidc:jane');
    assert.equal(oidc.authenticateToken(token({ iss: 'https://elsewhere' }), []), undefined);
    assert.equal(oidc.authenticateToken('opaque', []), undefined);
  } finally {
    await oidc.close();
  }
});

test('whatever is wrong with a token is 401 (U1)', async () => {
  const oidc = open();
  try {
    const [head, body] = token({}).split('.');
    const hmac = Buffer.from('{"alg":"HS256","kid":"r"}').toString('base64url');
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
    const forged = createHmac('sha256', pem).update(`${hmac}.${body}`).digest('base64url');
    const rows: [string, string][] = [
      ['expired', token({ exp: now / 1000 - 60 })],
      ['not yet valid', token({ nbf: now / 1000 + 60 })],
      ['without an end', token({ exp: null })],
      ['another audience', token({ aud: 'elsewhere' })],
      ['no subject', token({ sub: '' })],
      ['a stranger’s key', token({}, stranger.privateKey)],
      ['another kind of key', token({}, ec.privateKey, { alg: 'RS256', kid: 'e' })],
      ['no signature', `${head}.${body}.`],
      ['alg none', `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`],
      ['public key as a secret', `${hmac}.${body}.${forged}`],
    ];
    for (const [name, bad] of rows) {
      await assert.rejects(async () => oidc.authenticateToken(bad, []), { reason: 'Unauthorized' }, name);
    }
    await assert.rejects(async () => oidc.authenticateToken(token({}), ['elsewhere']), {
      reason: 'Unauthorized',
    });
  } finally {
    await oidc.close();
  }
});

test('an issuer is not asked for every made-up key (U1)', async () => {
  const oidc = open();
  try {
    await oidc.authenticateToken(token({}), []);
    const before = asked;
    for (let i = 0; i < 20; i++) {
      const bad = token({ n: i }, stranger.privateKey, { alg: 'RS256', kid: `made-up-${i}` });
      await assert.rejects(async () => oidc.authenticateToken(bad, []), { reason: 'Unauthorized' });
    }
    assert.equal(asked, before);
    now += 11_000;
    const late = token({}, stranger.privateKey, { alg: 'RS256', kid: 'made-up' });
    await assert.rejects(async () => oidc.authenticateToken(late, []), { reason: 'Unauthorized' });
    assert.equal(asked, before + 2);
  } finally {
    await oidc.close();
  }
});

test('what cannot be honoured is refused, naming the field (U1)', () => {
  const rows: [string, RegExp][] = [
    ['kind: X', /kind/],
    [configuration('  userValidationRules: [{expression: "user.x"}]'), /userValidationRules/],
    [configuration('  claimValidationRules: [{expression: "7"}]'), /claimValidationRules\[0\]\.expression/],
    [configuration().replace(', prefix: "oidc:"', ''), /username\.prefix/],
    [configuration().replace('https://', 'http://'), /issuer\.url/],
    [configuration().replace('[cellplane, other]', '[]'), /audiences/],
    [configuration('anonymous: {enabled: false, conditions: [{path: /livez}]}'), /anonymous\.conditions/],
    // Misspelt, a rule would be none.
    [configuration('  claimValidationRule: [{claim: a}]'), /jwt\[0\]\.claimValidationRule: unknown field/],
    [configuration('  userValidationRules: [{expresion: "true"}]'), /userValidationRules\[0\]\.expresion/],
    [configuration('  claimValidationRules: [{claim: a, message: m}]'), /rules\[0\]\.message/i],
    [configuration('  claimValidationRules: [{claim: a}, {claim: a}]'), /rules\[1\]\.claim/i],
    [configuration('  claimValidationRules: [{expression: "true", requiredValue: x}]'), /requiredValue/],
    [configuration().replace('audienceMatchPolicy: MatchAny', ''), /audienceMatchPolicy/],
    [configuration().replace('[cellplane, other]', '[other, other]'), /audiences/],
    [
      configuration().replace('audienceMatchPolicy', 'egressSelectorType: cluster\n    audienceMatchPolicy'),
      /egress/,
    ],
    [
      configuration().replace('audienceMatchPolicy', `discoveryURL: ${issuer}/\n    audienceMatchPolicy`),
      /discoveryURL/,
    ],
    [configuration().replace(`url: ${issuer}`, `url: ${issuer}?a=b`), /issuer\.url/],
    [configuration().replace('BEGIN CERTIFICATE', 'BEGIN'), /certificateAuthority/],
  ];
  for (const [text, message] of rows) assert.throws(() => parseAuthenticationConfiguration(text), message);
});

test('the example of Kubernetes’ documentation is taken as it is (U1)', () => {
  const text = `
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: https://example.com
    discoveryURL: https://discovery.example.com/.well-known/openid-configuration
    certificateAuthority: ${JSON.stringify(pki.ca.certificatePem)}
    audiences:
    - my-app
    - my-other-app
    audienceMatchPolicy: MatchAny
  claimValidationRules:
  - claim: hd
    requiredValue: example.com
  - expression: 'claims.hd == "example.com"'
    message: the hd claim must be set to example.com
  - expression: 'claims.exp - claims.nbf <= 86400'
    message: total token lifetime must not exceed 24 hours
  claimMappings:
    username:
      expression: 'claims.username + ":external-user"'
    groups:
      expression: 'claims.roles.split(",")'
    uid:
      expression: 'claims.sub'
    extra:
    - key: 'example.com/tenant'
      valueExpression: 'claims.tenant'
  userValidationRules:
  - expression: "!user.username.startsWith('system:')"
    message: 'username cannot used reserved system: prefix'
  - expression: "user.groups.all(group, !group.startsWith('system:'))"
    message: 'groups cannot used reserved system: prefix'
anonymous:
  enabled: true
  conditions:
  - path: "/livez"
  - path: "/readyz"
  - path: "/healthz"
`;
  const { issuers, allowsAnonymous, anonymousPaths } = parseAuthenticationConfiguration(text);
  assert.deepEqual(issuers[0]?.audiences, ['my-app', 'my-other-app']);
  assert.equal(issuers[0]?.requiredClaims.get('hd'), 'example.com');
  assert.equal(issuers[0]?.claimRules.length, 2);
  assert.equal(issuers[0]?.userRules.length, 2);
  assert.equal(allowsAnonymous, true);
  assert.deepEqual([...(anonymousPaths ?? [])], ['/livez', '/readyz', '/healthz']);
});

test('expressions over claims make the user, and rules refuse it (KEP-3331)', async () => {
  const text = `
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous: {enabled: false}
jwt:
- issuer:
    url: ${issuer}
    audiences: [cellplane]
    certificateAuthority: ${JSON.stringify(pki.ca.certificatePem)}
  claimValidationRules:
  - expression: claims.exp - claims.nbf <= 3600
    message: tokens live for an hour
  - expression: claims.?email_verified.orValue(true) == true
  claimMappings:
    username: {expression: '"oidc:" + claims.email'}
    groups: {expression: 'claims.roles.split(",").map(role, "oidc:" + role)'}
    uid: {expression: claims.sub}
    extra:
    - {key: example.org/tenant, valueExpression: claims.tenant}
    - {key: example.org/none, valueExpression: '""'}
  userValidationRules:
  - expression: "!user.username.startsWith('oidc:root')"
    message: root is nobody
  - expression: user.groups.all(group, group != 'oidc:banned')
`;
  const configuration = parseAuthenticationConfiguration(text);
  assert.equal(configuration.allowsAnonymous, false);
  const oidc = new OidcAuthenticator({
    issuer: configuration.issuers[0]!,
    logger: silentLogger,
    now: () => now,
  });
  const claims = { email: 'j@x', roles: 'a,b', tenant: ['t1', 't2'], nbf: now / 1000 };
  const refused = (changed: JsonObject) =>
    assert.rejects(
      async () => oidc.authenticateToken(token({ ...claims, ...changed }), []),
      (error) => isApiError(error, 'Unauthorized'),
      JSON.stringify(changed),
    );
  try {
    const found = await oidc.authenticateToken(token(claims), []);
    assert.deepEqual(found?.user, {
      name: 'oidc:j@x',
      uid: 'jane',
      groups: ['oidc:a', 'oidc:b', 'system:authenticated'],
      extra: new Map([['example.org/tenant', ['t1', 't2']]]),
    });
    await refused({ nbf: now / 1000 - 7200 });
    await refused({ email_verified: false });
    await refused({ email: 'root' });
    await refused({ roles: 'a,banned' });
    await refused({ roles: 7 });
    await refused({ email: 7 });
    await refused({ tenant: { a: 1 } });
  } finally {
    await oidc.close();
  }
  const rows: readonly (readonly [string, string, RegExp])[] = [
    ['\'"oidc:" + claims.email\'', 'claims.', /username\.expression/],
    ['\'"oidc:" + claims.email\'', '1 + 1', /username\.expression/],
    ['  - expression: claims.?email_verified.orValue(true) == true', '', /email_verified/],
    ['example.org/tenant', 'authentication.kcp.io/scopes', /reserved/],
    ['example.org/tenant', 'Example', /domain/],
    ['claims.exp - claims.nbf <= 3600', "'7'", /bool/],
    [
      '{expression: \'"oidc:" + claims.email\'}',
      '{claim: sub, prefix: "", expression: claims.sub}',
      /prefix/,
    ],
  ];
  for (const [from, to, message] of rows) {
    assert.throws(() => parseAuthenticationConfiguration(text.replace(from, to)), message, to);
  }
});
