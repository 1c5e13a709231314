import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { JsonObject } from '#apimachinery/json.ts';
import { until } from '#test/harness/until.ts';
import type { HealthCheck } from './health.ts';
import { http2Call, type TestServer } from './testing/test-server.ts';
import { single, startWidgetServer, widgetPath } from './testing/widget-server.ts';

describe('plain paths', () => {
  const checks: HealthCheck[] = [];
  let server: TestServer;
  before(async () => {
    server = await startWidgetServer(single, { healthChecks: checks });
  });
  after(() => server.stop());

  it('D7: /version has digits only in major and minor', async () => {
    const session = await server.http2();
    for (const answer of [
      await server.get('/version', {}, { token: '' }),
      await http2Call(session, '/version'),
    ]) {
      const { major, minor, gitVersion } = answer.json();
      assert.match(String(major), /^\d+$/);
      assert.match(String(minor), /^\d+$/);
      assert.match(String(gitVersion), /^v1\.36\.0\+cellplane-0\.1\.0$/);
    }
    session.close();
  });

  it('D8: health', async () => {
    const get = (path: string) => server.get(path, {}, { token: '' });
    for (const path of ['/healthz', '/livez', '/readyz', '/livez/ping']) {
      const answer = await get(path);
      assert.deepEqual([answer.code, answer.text], [200, 'ok'], path);
    }
    assert.match(
      (await get('/readyz?verbose')).text,
      /\[\+\]ping ok\n\[\+\]shutdown ok\nreadyz check passed\n$/,
    );
    checks.push({ name: 'store', kind: 'readyz', check: () => Promise.reject(new Error('secret')) });
    const failing = await get('/readyz');
    assert.equal(failing.code, 500);
    assert.match(failing.text, /\[\+\]ping ok\n\[-\]store failed: reason withheld\n/);
    assert.doesNotMatch(failing.text, /secret/);
    assert.equal((await get('/livez')).code, 200);
    assert.equal((await get('/readyz?exclude=store')).code, 200);
    assert.equal((await get('/readyz/store')).code, 500);
    assert.equal((await get('/livez/store')).code, 404);
    checks.pop();
  });

  it('/metrics for who may', async () => {
    assert.equal((await server.get('/metrics', {}, { token: '' })).code, 403);
    await server.get(widgetPath);
    await server.get('/apis/example.org/v1/widgets');
    let text = '';
    // A request is counted when its answer has been sent, which its client may have read before.
    await until('both are counted', async () => {
      ({ text } = await server.get('/metrics'));
      return text.includes('verb="LIST"') && text.includes('resource="widgets"');
    });
    assert.match(
      text,
      /apiserver_request_total\{verb="GET",group="example\.org",version="v1",resource="widgets",subresource="",scope="resource",component="apiserver",dry_run="",code="200"\} \d+/,
    );
    assert.match(
      text,
      /apiserver_request_duration_seconds_bucket\{verb="LIST",[^}]*scope="cluster",[^}]*le="\+Inf"\} \d+/,
    );
    assert.match(text, /apiserver_current_inflight_requests\{request_kind="readOnly"\} \d+/);
    assert.doesNotMatch(text, /root:acme/);
  });

  it('U2: keys and their discovery; / lists the paths', async () => {
    assert.deepEqual((await server.get('/openid/v1/jwks')).json(), { keys: [] });
    const { jwks_uri } = (await server.get('/.well-known/openid-configuration')).json();
    assert.equal(jwks_uri, `https://localhost:${server.port}/openid/v1/jwks`);
    assert.ok(((await server.get('/')).json()['paths'] as string[]).includes('/openapi/v3'));
  });

  it('D3, D4: documents keep their own headers and are compressed', async () => {
    const api = await server.get('/api');
    assert.equal(api.headers['etag'], '"x"');
    assert.equal((await server.get('/clusters/root:acme/api/')).code, 200);
    const openapi = await server.get('/openapi/v3/apis/g/v1?hash=H', { 'accept-encoding': 'gzip' });
    assert.equal(openapi.headers['content-encoding'], 'gzip');
    const document = JSON.parse(gunzipSync(openapi.raw).toString()) as JsonObject;
    assert.deepEqual([document['path'], document['hash']], ['/openapi/v3/apis/g/v1', 'H']);
    const unchanged = await server.get('/openapi/v2', { 'if-none-match': '"y"' });
    assert.deepEqual([unchanged.code, unchanged.raw.length], [304, 0]);
  });
});
