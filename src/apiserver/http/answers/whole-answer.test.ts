import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { badRequest } from '#apimachinery/api-error.ts';
import { until } from '#test/harness/until.ts';
import { type Answer, http2Call, type TestServer, widget } from '../testing/test-server.ts';
import {
  type Execute,
  entryFor,
  served,
  single,
  startWidgetServer,
  widgetPath,
} from '../testing/widget-server.ts';
import { dateText } from './date-text.ts';

const path = `/clusters/root:acme${widgetPath}`;

/** All that an answer says, save what is of the moment or of its protocol. */
function told({ code, headers, text }: Answer) {
  const {
    ':status': status,
    'audit-id': auditId,
    date,
    connection: _,
    'keep-alive': __,
    ...others
  } = headers;
  assert.ok(status === undefined || Number(status) === code);
  assert.match(String(auditId), /^[\da-f-]{36}$/);
  assert.ok(Math.abs(Date.parse(String(date)) - Date.now()) < 60_000, String(date));
  return { code, headers: Object.fromEntries(Object.entries(others)), text };
}

describe('answers over HTTP/2', () => {
  let execute: Execute = single;
  let server: TestServer;
  before(async () => {
    server = await startWidgetServer((context, request) => execute(context, request));
  });
  after(() => server.stop());

  const cases: { readonly [name: string]: { readonly path: string; readonly execute?: Execute } } = {
    'an object': { path },
    'an object with warnings': {
      path,
      execute: (context, request) => {
        context.warnings.push('old', 'older');
        return single(context, request);
      },
    },
    'an object that is compressed': {
      path,
      execute: () => ({
        type: 'entry',
        code: 201,
        served,
        entry: entryFor(widget('a', { text: 'x'.repeat(200_000) })),
      }),
    },
    'a refusal': {
      path,
      execute: () => {
        throw badRequest('not so');
      },
    },
    'a path that nobody knows': { path: '/nowhere' },
    health: { path: '/livez' },
    'a document': { path: '/version' },
  };
  for (const [name, { path: asked, execute: how = single }] of Object.entries(cases)) {
    it(`${name}: as over HTTP/1 (N6)`, async () => {
      execute = how;
      const session = await server.http2();
      const headers = { 'accept-encoding': 'gzip' };
      const http1 = await server.get(asked, headers);
      const http2 = await http2Call(session, asked, headers);
      assert.deepEqual(told(http2), told(http1));
      assert.equal(http2.headers['content-encoding'] === 'gzip', name.endsWith('compressed'));
      session.close();
    });
  }

  it('HEAD has no body, and leaves the connection as it was', async () => {
    execute = single;
    const session = await server.http2();
    for (const asked of ['/livez', path, '/nowhere']) {
      const answer = await http2Call(session, asked, { ':method': 'HEAD' });
      assert.equal(answer.text, '', asked);
    }
    assert.equal((await http2Call(session, path)).code, 200);
    session.close();
  });

  it('a client that has gone meanwhile costs nobody else an answer', async () => {
    let finish = () => {};
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let begun = 0;
    execute = async (context, request) => {
      begun++;
      await gate;
      return single(context, request);
    };
    const session = await server.http2();
    const gone = session.request({ ':path': path, authorization: 'Bearer admin-token' });
    gone.on('error', () => {});
    const stays = http2Call(session, path);
    await until('both are at work', () => begun === 2);
    gone.close(8);
    await once(gone, 'close');
    finish();
    assert.equal((await stays).code, 200);
    execute = single;
    assert.equal((await http2Call(session, path)).code, 200);
    session.close();
  });

  it('the date is that of now', () => {
    assert.match(dateText(), /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
    assert.ok(Math.abs(Date.parse(dateText()) - Date.now()) <= 1_000);
  });
});
