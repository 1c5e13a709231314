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
    { write: (text) => [text.gauge('own', 'Own.', 1)], notReady: () => why },
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
      startMetricsServer({ host: '127.0.0.1', port: server.port }, { write: () => [], notReady: () => why }),
      /--metrics-address 127\.0\.0\.1:\d+ cannot be listened on/,
    );
  } finally {
    await server.stop();
  }
});

test('other work has its turns while much is told', async () => {
  const pieces = 40;
  let turns = 0;
  const server = await startMetricsServer(
    { host: '127.0.0.1', port: 0 },
    {
      *write(text) {
        setImmediate(function again() {
          turns++;
          if (turns < 10 * pieces) setImmediate(again);
        });
        for (let piece = 0; piece < pieces; piece++) {
          const endMs = performance.now() + 1.1;
          while (performance.now() < endMs);
          text.gauge('own', 'Own.', piece, { piece: String(piece) });
          yield;
        }
        text.gauge('turns', 'Turns of the event loop meanwhile.', turns);
      },
      notReady: () => undefined,
    },
  );
  try {
    const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
    assert.equal(text.match(/^own\{/gm)?.length, pieces);
    // All in one stretch it would be 0.
    assert.ok(Number(/^turns (\d+)$/m.exec(text)?.[1]) >= pieces - 2, text.slice(-40));
  } finally {
    await server.stop();
  }
});
