import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
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
    certificateAuthority: |
      ${ca}
  claimMappings:
    username: {claim: sub, prefix: "oidc:"}
    groups: {claim: groups, prefix: ""}
    uid: {claim: id}
${more}`;
}

function open(): OidcAuthenticator {
  const [first] = parseAuthenticationConfiguration(configuration());
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
    [configuration('  userValidationRules: [{expression: "true"}]'), /userValidationRules/],
    [
      configuration('  claimValidationRules: [{expression: "true"}]'),
      /claimValidationRules\[0\]\.expression/,
    ],
    [configuration().replace('prefix: "oidc:"', 'x: y'), /username\.prefix/],
    [configuration().replace('https://', 'http://'), /issuer\.url/],
    [configuration().replace('[cellplane, other]', '[]'), /audiences/],
    [configuration('anonymous: {enabled: false}'), /anonymous/],
  ];
  for (const [text, message] of rows) assert.throws(() => parseAuthenticationConfiguration(text), message);
});
