import assert from 'node:assert/strict';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createTestPki } from '#test/harness/test-pki.ts';
import { until } from '#test/harness/until.ts';
import { defaultConnectionLimits } from './connection.ts';
import { WatchSessions } from './watch-sessions.ts';

/** A server that allows as many streams as anybody likes, on which each stream stays open. */
async function startGenerousServer() {
  const pki = await createTestPki();
  const server = http2.createSecureServer({
    key: pki.serving.keyPem,
    cert: pki.serving.certificatePem,
    settings: { maxConcurrentStreams: 2 ** 31 - 1 },
  });
  const streams = new Map<http2.Http2Session, number>();
  server.on('session', (session) => {
    streams.set(session, 0);
    session.on('error', () => {});
    session.on('close', () => streams.delete(session));
  });
  server.on('stream', (stream) => {
    const { session } = stream;
    if (session === undefined) return;
    streams.set(session, (streams.get(session) ?? 0) + 1);
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    connection: {
      server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      caPem: pki.ca.certificatePem,
    },
    streams,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

test('streams that one session does not take go to another, asked for together too', async () => {
  const server = await startGenerousServer();
  const limits = { ...defaultConnectionLimits, connectTimeoutMs: 120_000, requestTimeoutMs: 120_000 };
  const sessions = new WatchSessions(server.connection, limits);
  // A watch has a signal of its own.
  const open = () => sessions.open('/watch', {}, new AbortController().signal);
  try {
    const asked = Array.from({ length: 1_001 }, open);
    for (const answer of await Promise.all(asked)) assert.equal(answer?.status, 200);
    assert.deepEqual([...server.streams.values()], [1_000, 1]);
  } finally {
    sessions.close();
    await until('the connections are closed', () => server.streams.size === 0);
    await server.close();
  }
});
