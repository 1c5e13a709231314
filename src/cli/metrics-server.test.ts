import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMetricsAddress, startMetricsServer } from './metrics-server.ts';

test('addresses', () => {
  const rows = [
    ['127.0.0.1:9090', '127.0.0.1', 9090],
    [':9090', '127.0.0.1', 9090],
    ['0.0.0.0:0', '0.0.0.0', 0],
    ['[::1]:80', '::1', 80],
    ['localhost:1', 'localhost', 1],
  ] as const;
  for (const [text, host, port] of rows) assert.deepEqual(parseMetricsAddress(text), { host, port });
  for (const text of ['', '9090', 'host', 'host:', 'host:70000', 'a:b:1', '::1:80']) {
    assert.throws(() => parseMetricsAddress(text), /host:port/, text);
  }
});

test('metrics, health and readiness are served, and nothing else', async () => {
  let why: string | undefined = 'the Cells have not been listed yet';
  const server = await startMetricsServer(
    { host: '127.0.0.1', port: 0 },
    { write: (text) => text.gauge('own', 'Own.', 1), notReady: () => why },
  );
  const get = async (path: string, method = 'GET') => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return { code: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
  };
  try {
    const metrics = await get('/metrics');
    assert.equal(metrics.code, 200);
    assert.match(metrics.type ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(metrics.text, /^# HELP process_cpu_seconds_total/);
    assert.match(metrics.text, /\nown 1\n$/);
    assert.equal((await get('/healthz')).code, 200);
    assert.deepEqual(await get('/readyz').then(({ code, text }) => [code, text]), [
      503,
      'not ready: the Cells have not been listed yet\n',
    ]);
    why = undefined;
    assert.equal((await get('/readyz')).code, 200);
    assert.equal((await get('/')).code, 404);
    assert.equal((await get('/metrics', 'POST')).code, 405);
    await assert.rejects(
      startMetricsServer({ host: '127.0.0.1', port: server.port }, { write: () => {}, notReady: () => why }),
      /--metrics-address 127\.0\.0\.1:\d+ cannot be listened on/,
    );
  } finally {
    await server.stop();
  }
});
