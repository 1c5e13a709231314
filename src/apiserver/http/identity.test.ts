import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TokenFileAuthenticator } from '../authn/token-file.ts';
import { UnionAuthenticator } from '../authn/union-authenticator.ts';
import { clusterNameExtra } from '../authz/effective-users.ts';
import {
  clientCertificate,
  http2Call,
  makePki,
  resolverOf,
  startServer,
  type TestServer,
  tokens,
} from './testing/test-server.ts';
import { type Execute, scheme, startWidgetServer, widgetPath } from './testing/widget-server.ts';

describe('who asks (U1, U3)', () => {
  let server: TestServer;
  const execute: Execute = ({ user }) => ({
    type: 'status',
    code: 200,
    body: { name: user.name, groups: [...user.groups] },
  });
  before(async () => {
    server = await startWidgetServer(execute);
  });
  after(() => server.stop());

  it('client certificate', async () => {
    const certificate = clientCertificate(server.pki, 'carol', ['system:masters', 'ops']);
    const answer = await server.get(widgetPath, {}, { certificate, token: '' });
    assert.deepEqual(answer.json(), {
      name: 'carol',
      groups: ['system:masters', 'ops', 'system:authenticated'],
    });
    assert.equal((await server.get(widgetPath, {}, { certificate, token: '' })).json()['name'], 'carol');
  });

  it('a certificate of a foreign authority → 401, not anonymous', async () => {
    const foreign = makePki();
    const certificate = clientCertificate(foreign, 'mallory', ['system:masters']);
    for (const path of [widgetPath, '/healthz']) {
      const answer = await server.get(path, {}, { certificate, token: '' });
      assert.equal(answer.code, 401);
      assert.equal(answer.json()['reason'], 'Unauthorized');
    }
  });

  it('bad tokens → 401; another scheme or an empty token is none', async () => {
    assert.equal((await server.get(widgetPath, {}, { token: 'wrong' })).code, 401);
    for (const authorization of ['Basic YTpi', 'Bearer ', 'bearer']) {
      assert.equal((await server.get(widgetPath, { authorization }, { token: '' })).code, 403);
    }
    assert.equal(
      (await server.get(widgetPath, { authorization: 'bEARER admin-token' }, { token: '' })).code,
      200,
    );
  });

  it('an authentication configuration may open some paths alone to requests without credentials', async () => {
    const authenticator = new UnionAuthenticator({
      authenticators: [],
      tokens: [new TokenFileAuthenticator(tokens)],
      anonymousPaths: new Set(['/livez']),
    });
    const strict = await startWidgetServer(execute, { authenticator });
    try {
      const codeOf = async (path: string, token: string) => (await strict.get(path, {}, { token })).code;
      assert.equal(await codeOf('/livez?verbose', ''), 200);
      for (const path of ['/livez/ping', '/readyz', '/clusters/root/livez', widgetPath]) {
        assert.equal(await codeOf(path, ''), 401, path);
      }
      assert.equal(await codeOf(widgetPath, 'admin-token'), 200);
    } finally {
      await strict.stop();
    }
  });

  it('a connection that changes its token is told apart at every request', async () => {
    assert.equal((await server.get(widgetPath)).json()['name'], 'admin');
    assert.equal((await server.get(widgetPath, {}, { token: 'jane-token' })).code, 403);
    assert.equal((await server.get(widgetPath, {}, { token: '' })).code, 403);
    assert.equal((await server.get(widgetPath)).json()['name'], 'admin');
  });

  it('identity headers of a proxy mean nothing (GHSA-c8w2-fgvx-vhv4)', async () => {
    const headers = { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' };
    assert.equal((await server.get(widgetPath, headers, { token: '' })).code, 403);
  });

  it('impersonation, over both protocols', async () => {
    const headers = { 'impersonate-user': 'joe', 'impersonate-group': ['system:masters', 'dev'] };
    const session = await server.http2();
    for (const answer of [
      await server.get(widgetPath, headers),
      await http2Call(session, widgetPath, headers),
    ]) {
      assert.deepEqual(answer.json(), {
        name: 'joe',
        groups: ['system:masters', 'dev', 'system:authenticated'],
      });
    }
    session.close();
    assert.equal(
      (await server.get(widgetPath, { 'impersonate-user': 'joe' }, { token: 'jane-token' })).code,
      403,
    );
  });

  it('a service account without prefix means its own workspace (KCP.md, Addressing)', async () => {
    const account = {
      name: 'system:serviceaccount:n:sa',
      groups: ['system:masters'],
      extra: new Map([[clusterNameExtra, ['rootacmeshop']]]),
    };
    const own = await startServer({
      resolver: resolverOf(scheme, 'root:acme:shop'),
      authenticator: { authenticate: () => account },
      verbs: {
        execute: ({ workspace }) => ({ type: 'status', code: 200, body: { path: workspace?.path } }),
      },
    });
    try {
      assert.equal((await own.get(widgetPath)).json()['path'], 'root:acme:shop');
      assert.equal((await own.get(`/clusters/root${widgetPath}`)).json()['path'], 'root');
    } finally {
      await own.stop();
    }
  });
});
