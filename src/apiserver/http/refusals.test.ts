import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { until } from '#test/harness/until.ts';
import { bootstrapPriorityLevels } from '../flow-control/bootstrap-objects.ts';
import type { ResourceContext } from '../request/context.ts';
import type { VerbRequest } from '../verbs/request.ts';
import type { VerbResult } from '../verbs/result.ts';
import { http2Call, rawConnection, resolverOf, startServer, type TestServer } from './testing/test-server.ts';
import { type Execute, flowControlOf, parkMs, scheme, single, widgetPath } from './testing/widget-server.ts';

/** Everybody is in one level, which queues nothing. */
const rejectingLevels = bootstrapPriorityLevels.map((level) => {
  const isTheOne = level.metadata.name === 'global-default';
  const limited = { nominalConcurrencyShares: isTheOne ? 1 : 0, limitResponse: { type: 'Reject' } };
  return level.metadata.name === 'exempt' ? level : { ...level, spec: { type: 'Limited', limited } };
});

describe('refusals', () => {
  it('O2: too many at once → 429 with Retry-After; one workspace alone cannot use all up', async () => {
    const waiting: ((result: VerbResult) => void)[] = [];
    let isAdmin = false;
    let execute: Execute = (context) => {
      isAdmin = context.user.name === 'admin';
      return new Promise((resolve) => waiting.push(resolve));
    };
    const limited = await startServer({
      resolver: resolverOf(scheme, 'root:acme', 'root:b', 'root:c'),
      authorizer: { authorize: () => ({ decision: 'allow', reason: '' }) },
      verbs: { execute: (context, request) => execute(context, request) },
      flowControl: flowControlOf(rejectingLevels, 4),
    });
    try {
      const ask = (path: string, token = 'jane-token') =>
        limited.get(`/clusters/${path}${widgetPath}`, {}, { token });
      const first = [ask('root:acme'), ask('root:acme')];
      await until('two are at work', () => waiting.length === 2);
      const refused = await ask('root:acme');
      assert.equal(refused.code, 429);
      assert.equal(refused.text, 'Too many requests, please try again later.');
      assert.equal(refused.headers['retry-after'], '1');
      const others = [ask('root:b'), ask('root:b')];
      await until('four are at work', () => waiting.length === 4);
      assert.equal((await ask('root:b')).code, 429);
      // All seats are taken: whoever holds less than an equal part is let in (O2).
      others.push(ask('root:c'));
      await until('five are at work', () => waiting.length === 5);
      assert.equal((await ask('root:c')).code, 429);
      const admin = ask('root:acme', 'admin-token');
      await until('six are at work', () => waiting.length === 6);
      assert.ok(isAdmin);
      assert.equal((await limited.get('/livez', {}, { token: '' })).code, 200);
      await leavesUnread(limited);
      for (const resolve of waiting) resolve(await single({} as ResourceContext, {} as VerbRequest));
      for (const answer of await Promise.all([...first, ...others, admin])) assert.equal(answer.code, 200);
      execute = single;
      assert.equal((await ask('root:acme')).code, 200);
    } finally {
      await limited.stop();
    }
  });
});

/** O2: a refused connection is read again after a while, and nothing that it sent is lost. */
async function leavesUnread(limited: TestServer): Promise<void> {
  const path = `/clusters/root:acme${widgetPath}`;
  const head = `Host: x\r\nAuthorization: Bearer jane-token\r\n`;
  for (const refused of [
    `GET ${path} HTTP/1.1\r\n${head}\r\n`,
    `PUT ${path} HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
  ]) {
    const socket = await rawConnection(limited);
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    // Taken before the refusal, from which the server counts: that it lasts long on a slow machine cannot matter.
    const askedMs = performance.now();
    socket.write(refused);
    await until('refused', () => received.includes('please try again later.'));
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal((await limited.get('/livez', {}, { token: '' })).code, 200, 'another connection is read');
    await until('read again', () => /HTTP\/1\.1 200 OK[\s\S]*ok$/.test(received));
    assert.ok(performance.now() - askedMs > parkMs / 2, 'not at once');
    socket.write(refused);
    await until('refused again', () => received.split('please try again later.').length === 3);
    // Whoever leaves meanwhile leaves nothing behind.
    socket.destroy();
  }
  const session = await limited.http2();
  const allowed: number[] = [];
  session.on('remoteSettings', ({ maxConcurrentStreams }) =>
    allowed.push(maxConcurrentStreams ?? Number.POSITIVE_INFINITY),
  );
  const ask = (url: string) => http2Call(session, url, { authorization: 'Bearer jane-token' });
  assert.equal((await ask(path)).code, 429);
  assert.equal((await ask('/livez')).code, 200);
  await until('few streams are allowed', () => allowed.some((streams) => streams < 10));
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask('/livez')));
  assert.ok(answers.every(({ code }) => code === 200));
  session.close();
}
