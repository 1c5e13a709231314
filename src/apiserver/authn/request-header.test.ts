import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isApiError } from '#apimachinery/api-error.ts';
import { makePki } from '../http/testing/test-server.ts';
import type { PeerCertificate } from './authenticator.ts';
import { CertificateAuthorities } from './certificate-authorities.ts';
import { ForeignUsers } from './foreign-users.ts';
import { defaultRequestHeaders, RequestHeaderAuthenticator } from './request-header.ts';
import { peerOf } from './testing/peer-certificate.ts';
import { X509Authenticator } from './x509.ts';

const front = makePki();
const own = makePki();

const proxy = peerOf(front, 'front');
const unbound = new ForeignUsers(() => undefined);

function authenticator(allowedNames: readonly string[] = ['front'], users = unbound) {
  return new RequestHeaderAuthenticator(
    {
      clientCaPem: front.ca.certificatePem,
      allowedNames,
      ...defaultRequestHeaders,
      uidHeaders: ['X-Remote-Uid'],
    },
    users,
  );
}

const ask = (certificate: PeerCertificate | undefined, rawHeaders: string[], one = authenticator()) =>
  one.authenticate({ certificate, bearerToken: undefined, rawHeaders });

describe('identity in request headers (U1)', () => {
  it('is read as it was sent', () => {
    const user = ask(proxy, [
      ...['X-Remote-User', 'j\u00c3\u00a4ne', 'x-remote-user', 'second'],
      ...['X-Remote-Group', 'a, system:masters', 'X-Remote-Group', 'b', 'X-Remote-Uid', 'u'],
      ...['X-Remote-Extra-Example.org%2fKey', 'x', 'x-remote-extra-example.org%2Fkey', 'y'],
    ]);
    assert.equal(user?.name, 'jäne');
    assert.equal(user?.uid, 'u');
    assert.deepEqual(user?.groups, ['a, system:masters', 'b', 'system:authenticated']);
    assert.deepEqual([...(user?.extra ?? [])], [['example.org/key', ['x', 'y']]]);
  });

  it('needs a certificate of the proxies’ authority, under an allowed name', () => {
    const headers = ['X-Remote-User', 'jane'];
    assert.equal(ask(undefined, headers), undefined);
    assert.equal(ask(peerOf(own, 'front'), headers), undefined);
    assert.equal(ask({ ...proxy, verified: false }, headers), undefined);
    assert.equal(ask(proxy, []), undefined);
    assert.throws(
      () => ask(peerOf(front, 'other'), headers),
      (error) => isApiError(error, 'Unauthorized'),
    );
    assert.equal(ask(peerOf(front, 'other'), headers, authenticator([]))?.name, 'jane');
    assert.throws(
      () => ask({ ...proxy, notAfterMs: 1 }, headers),
      (error) => isApiError(error, 'Unauthorized'),
    );
  });

  it('makes the proxy itself no user', () => {
    const x509 = new X509Authenticator(Date.now, new CertificateAuthorities(own.ca.certificatePem));
    const one = { certificate: proxy, bearerToken: undefined };
    assert.throws(
      () => x509.authenticate(one),
      (error) => isApiError(error, 'Unauthorized'),
    );
    assert.equal(x509.authenticate({ ...one, certificate: peerOf(own, 'jane') })?.name, 'jane');
  });

  it('follows authorities that are replaced', () => {
    const one = authenticator();
    const config = { allowedNames: [], ...defaultRequestHeaders };
    one.replace({ ...config, clientCaPem: own.ca.certificatePem });
    assert.equal(ask(proxy, ['X-Remote-User', 'jane'], one), undefined);
    assert.equal(ask(peerOf(own, 'x'), ['X-Remote-User', 'jane'], one)?.name, 'jane');
    assert.throws(() => one.replace({ ...config, clientCaPem: 'nothing' }));
  });

  it('counts in one workspace alone where it is bound to it', () => {
    const bound = new ForeignUsers(() => ({ id: 'abc', path: 'root:x' }));
    const one = authenticator([], bound);
    const user = ask(proxy, ['X-Remote-User', 'jane'], one);
    assert.deepEqual(user?.extra.get('authentication.kcp.io/scopes'), ['cluster:abc']);
    assert.equal(user && bound.homeOf(user), 'root:x');
    const headers = [
      ...['X-Remote-User', 'system:serviceaccount:a:b'],
      ...['X-Remote-Extra-authentication.kcp.io%2fcluster-name', 'abc'],
    ];
    const account = ask(proxy, headers, one);
    assert.deepEqual(account?.extra.get('authentication.kcp.io/scopes'), ['cluster:']);
    assert.equal(account?.extra.get('authentication.kcp.io/cluster-name'), undefined);
    // Where it is not bound, a front proxy may name the home.
    assert.equal(ask(proxy, headers)?.extra.get('authentication.kcp.io/scopes'), undefined);
    for (const name of ['system:cellplane:scheduler', 'system:apiserver']) {
      assert.throws(
        () => ask(proxy, ['X-Remote-User', name], one),
        (error) => isApiError(error, 'Unauthorized'),
      );
    }
  });
});
