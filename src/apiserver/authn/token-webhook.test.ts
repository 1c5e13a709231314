import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { silentLogger } from '#client/logger.ts';
import { MetricText } from '#client/metrics/metric-text.ts';
import { makePki } from '../http/testing/test-server.ts';
import { TokenCacheMetrics } from './token-cache-metrics.ts';
import { TokenWebhook } from './token-webhook.ts';

const pki = makePki();
const reviews: JsonObject[] = [];
let status: JsonObject | undefined;
const server = createServer(
  { cert: pki.serving.certificatePem, key: pki.serving.keyPem },
  async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    reviews.push(JSON.parse(Buffer.concat(chunks).toString()) as JsonObject);
    if (status === undefined) response.statusCode = 500;
    response.end(JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', status }));
  },
);

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => {
  server.close();
  server.closeAllConnections();
});

function open(metrics?: TokenCacheMetrics): TokenWebhook {
  reviews.length = 0;
  const { port } = server.address() as AddressInfo;
  const connection = { server: `https://localhost:${port}/authenticate`, caPem: pki.ca.certificatePem };
  return new TokenWebhook({ connection, logger: silentLogger, metrics });
}

test('a webhook tells whose a token is, once for many requests (U1)', async () => {
  const metrics = new TokenCacheMetrics();
  const webhook = open(metrics);
  try {
    status = { authenticated: true, user: { username: 'jane', uid: '1', groups: ['dev', 'system:masters'] } };
    const answers = await Promise.all([1, 2, 3].map(async () => webhook.authenticateToken('t', [])));
    for (const answer of answers) {
      assert.deepEqual(answer?.user, {
        name: 'jane',
        uid: '1',
        groups: ['dev', 'system:authenticated'],
        extra: new Map(),
      });
    }
    assert.ok(!(webhook.authenticateToken('t', []) instanceof Promise), 'from memory');
    assert.deepEqual(
      reviews.map(({ spec }) => spec),
      [{ token: 't' }],
    );
    const text = new MetricText();
    metrics.render(text);
    assert.deepEqual(text.toString().match(/^authentication_token_cache_\w+(?:total|count)\{.*$/gm), [
      'authentication_token_cache_request_total{status="hit"} 1',
      'authentication_token_cache_request_total{status="miss"} 3',
      'authentication_token_cache_request_duration_seconds_count{status="hit"} 1',
      'authentication_token_cache_request_duration_seconds_count{status="miss"} 3',
      'authentication_token_cache_fetch_total{status="ok"} 1',
      'authentication_token_cache_active_fetch_count{status="in_flight"} 0',
      'authentication_token_cache_active_fetch_count{status="blocked"} 0',
    ]);
  } finally {
    await webhook.close();
  }
});

test('a webhook that knows a token not, or names a user of the server’s own, lets nobody in (U1)', async () => {
  const webhook = open();
  try {
    const rows: [string, JsonObject][] = [
      ['unknown', { authenticated: false }],
      ['no user', { authenticated: true }],
      ['a name of ours', { authenticated: true, user: { username: 'system:apiserver' } }],
    ];
    for (const [name, answer] of rows) {
      status = answer;
      assert.equal(await webhook.authenticateToken(name, []), undefined, name);
    }
    status = { authenticated: true, user: { username: 'jane' }, audiences: ['a', 'b'] };
    assert.deepEqual((await webhook.authenticateToken('x', ['b', 'c']))?.audiences, ['b']);
    assert.equal(await webhook.authenticateToken('y', ['c']), undefined);
  } finally {
    await webhook.close();
  }
});

test('a webhook that fails is 401, and asked again (U1)', async () => {
  const webhook = open();
  try {
    status = undefined;
    await assert.rejects(async () => webhook.authenticateToken('t', []), { reason: 'Unauthorized' });
    status = { authenticated: true, user: { username: 'jane' } };
    assert.equal((await webhook.authenticateToken('t', []))?.user.name, 'jane');
  } finally {
    await webhook.close();
  }
});
