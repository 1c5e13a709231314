import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { after, before, describe, it } from 'node:test';
import {
  BatchDecoder,
  batchAnswerOf,
  batchBytesOf,
  batchMediaType,
  batchPath,
} from '#api/federation/batch.ts';
import { ApiError } from '#apimachinery/api-error.ts';
import { isJsonObject, type JsonObject } from '#apimachinery/json.ts';
import { until } from '#test/harness/until.ts';
import { Auditor } from '../../audit/audit.ts';
import { AuditPolicy } from '../../audit/audit-policy.ts';
import { bootstrapPriorityLevels } from '../../flow-control/bootstrap-objects.ts';
import { flowConfigurationOf } from '../../flow-control/flow-configurations.ts';
import { FlowController } from '../../flow-control/flow-controller.ts';
import type { ResourceContext } from '../../request/context.ts';
import { decodeDocument } from '../../verbs/decode-body.ts';
import type { VerbRequest } from '../../verbs/request.ts';
import type { VerbResult } from '../../verbs/result.ts';
import {
  definition,
  http2Call,
  mastersOnly,
  resolverOf,
  schemeOf,
  startServer,
  type TestServer,
} from '../testing/test-server.ts';

const widgets = '/apis/example.org/v1/namespaces/n/widgets';
const json = 'application/json';

interface ItemOf {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: string;
  readonly accept?: string;
}

interface ItemAnswer {
  readonly item: number;
  readonly code: number;
  readonly header: JsonObject;
  readonly text: string;
}

function textOf(items: readonly ItemOf[]): string {
  const asked = items.map(({ method = 'GET', path, body, accept }) => ({
    method,
    path,
    accept,
    contentType: body === undefined ? undefined : json,
    body,
  }));
  return batchBytesOf(asked).toString();
}

function answersIn(bytes: Buffer): ItemAnswer[] {
  return new BatchDecoder().push(bytes).map((frame) => {
    const { item, code, body } = batchAnswerOf(frame);
    return { item, code, header: frame.header, text: body.toString() };
  });
}

describe('batches', () => {
  let server: TestServer;
  let execute: (context: ResourceContext, request: VerbRequest) => VerbResult | Promise<VerbResult>;
  const audited: JsonObject[] = [];
  const users: string[] = [];
  let flowMs = 0;
  /** Two requests at once in one level that queues. */
  const flowControl = new FlowController({
    configurations: {
      server: flowConfigurationOf(
        [],
        bootstrapPriorityLevels.map((level) => {
          const shares = level.metadata.name === 'global-default' ? 1 : 0;
          const queuing = { queues: 1, handSize: 1, queueLengthLimit: 40 };
          const limited = {
            nominalConcurrencyShares: shares,
            limitResponse: { type: 'Queue', queuing },
          };
          return level.metadata.name === 'exempt' ? level : { ...level, spec: { type: 'Limited', limited } };
        }),
      ),
      of: () => undefined,
    },
    seatsOf: () => 1,
    limits: { seatsMax: 2, refusalDelayMs: 0 },
    // What is let in must not depend on how long the machine takes: each look at the clock costs the same.
    now: () => (flowMs += 0.1),
  });

  const send = async (
    items: readonly ItemOf[] | string,
    options: { path?: string; token?: string; headers?: { [name: string]: string } } = {},
  ) => {
    const { path = batchPath, token, headers } = options;
    const body = typeof items === 'string' ? items : textOf(items);
    const answer = await server.call(
      'POST',
      path,
      body,
      { 'content-type': batchMediaType, 'user-agent': 'tester/1', ...headers },
      token === undefined ? {} : { token },
    );
    return { ...answer, items: answer.code === 200 ? answersIn(answer.raw) : [] };
  };
  const status = (code: number, body: JsonObject = {}): VerbResult => ({ type: 'status', code, body });

  before(async () => {
    server = await startServer({
      resolver: resolverOf(schemeOf(definition()), 'root:acme', 'root:shut'),
      verbs: { execute: (context, request) => execute(context, request) },
      authorizer: {
        authorize: (attributes) => {
          users.push(attributes.user.name);
          if (attributes.workspace?.path === 'root:shut') return { decision: 'deny', reason: 'shut' };
          if (attributes.path === batchPath && attributes.user.name === 'jane') {
            return { decision: 'allow', reason: 'batches' };
          }
          return mastersOnly.authorize(attributes);
        },
      },
      audit: new Auditor(
        AuditPolicy.parse('apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]'),
        {
          write: (event) => audited.push(event),
          losses: () => [],
          close: () => {},
        },
      ),
      flowControl,
      limits: { bodyBytesMax: 100_000 },
    });
  });
  after(() => server.stop());

  it('each item is answered as if it had come by itself', async () => {
    execute = (context, request) => {
      if (context.name === 'absent') throw new ApiError('NotFound', 'not there');
      if (context.name === 'slow') return Promise.resolve(status(200, { slow: true }));
      const { value } = decodeDocument(request.body, false);
      return status(context.info.verb === 'create' ? 201 : 200, {
        verb: context.info.verb,
        at: context.workspace?.path ?? '',
        agent: context.defaultFieldManager,
        body: isJsonObject(value) ? value : null,
      });
    };
    const { code, headers, items } = await send([
      { path: `/clusters/root:acme${widgets}/a` },
      { method: 'POST', path: `/clusters/root:acme${widgets}`, body: '{"a":"ü"}' },
      { path: `${widgets}/absent` },
      { path: `${widgets}/slow` },
      { path: `/clusters/root:shut${widgets}/a` },
      { path: `/clusters/root:nowhere${widgets}/a` },
      { path: '/apis/example.org/v1/namespaces/n/gadgets/a' },
      { path: `${widgets}/a`, accept: 'text/html' },
      { method: 'PUT', path: `${widgets}/a`, body: '{' },
    ]);
    assert.equal(code, 200);
    assert.equal(headers['content-type'], batchMediaType);
    const byItem = new Map(items.map((answer) => [answer.item, answer]));
    assert.equal(byItem.size, 9);
    const codes = Array.from({ length: 9 }, (_, at) => byItem.get(at)?.code);
    assert.deepEqual(codes, [200, 201, 404, 200, 403, 404, 404, 406, 400]);
    const created = JSON.parse(byItem.get(1)?.text ?? '') as JsonObject;
    assert.deepEqual(created, { verb: 'create', at: 'root:acme', agent: 'tester', body: { a: 'ü' } });
    assert.equal(byItem.get(1)?.header['contentType'], json);
    assert.match(String(byItem.get(1)?.header['auditId']), /^[0-9a-f-]{36}$/);
    assert.match(byItem.get(4)?.text ?? '', /widgets.example.org \\?"a\\?" is forbidden/);
    const missing = JSON.parse(byItem.get(2)?.text ?? '') as JsonObject;
    assert.equal(missing['reason'], 'NotFound');
  });

  it('items are done for who sent the batch, each with its own rights', async () => {
    execute = () => status(200);
    users.length = 0;
    const { items } = await send([{ path: `${widgets}/a` }], { token: 'jane-token' });
    assert.deepEqual(
      items.map(({ code }) => code),
      [403],
    );
    assert.deepEqual(users, ['jane', 'jane']);
    assert.equal((await send([{ path: `${widgets}/a` }], { token: '' })).code, 403);
  });

  it('below a workspace, paths are in that workspace', async () => {
    execute = ({ workspace }) => status(200, { at: workspace?.path ?? '' });
    const { items } = await send([{ path: `${widgets}/a` }, { path: `/clusters/root:acme${widgets}/a` }], {
      path: `/clusters/root:acme${batchPath}`,
    });
    const answers = new Map(items.map((one) => [one.item, one]));
    assert.equal(answers.get(0)?.text.trim(), '{"at":"root:acme"}');
    assert.equal(answers.get(1)?.code, 421);
  });

  it('what is not about one object has to come by itself', async () => {
    let isExecuted = false;
    execute = () => {
      isExecuted = true;
      return status(200);
    };
    const { items } = await send([
      { path: widgets },
      { path: `${widgets}?watch=true` },
      { method: 'DELETE', path: widgets },
      { path: '/version' },
      { path: '/apis' },
      { method: 'POST', path: batchPath, body: textOf([{ path: `${widgets}/a` }]) },
    ]);
    assert.deepEqual(
      items.map(({ code }) => code),
      items.map(() => 421),
    );
    assert.equal(items.length, 6);
    assert.equal(isExecuted, false);
  });

  it('each item is audited as a request of its own', async () => {
    execute = (context) => {
      if (context.name === 'b') throw new ApiError('Conflict', 'no');
      return status(200);
    };
    const { items } = await send(
      [{ path: `${widgets}/a` }, { method: 'PUT', path: `${widgets}/b`, body: '{}' }],
      // No other test's requests, of which some may still be told.
      { headers: { 'user-agent': 'audited/1' } },
    );
    // A request is told when its answer has been sent, which its client may have read before.
    const complete = await until('the batch is told', () => {
      const told = audited.filter(
        ({ stage, userAgent }) => stage === 'ResponseComplete' && userAgent === 'audited/1',
      );
      return told.some(({ requestURI }) => requestURI === batchPath) ? told : undefined;
    });
    const told = complete.map(({ requestURI, verb, responseStatus, user, userAgent }) => [
      requestURI,
      verb,
      isJsonObject(responseStatus) ? responseStatus['code'] : undefined,
      isJsonObject(user) ? user['username'] : undefined,
      userAgent,
    ]);
    assert.deepEqual(
      told.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)),
      [
        [`${widgets}/a`, 'get', 200, 'admin', 'audited/1'],
        [`${widgets}/b`, 'update', 409, 'admin', 'audited/1'],
        [batchPath, 'post', 200, 'admin', 'audited/1'],
      ],
    );
    const ids = new Set(complete.map(({ auditID }) => auditID));
    assert.equal(ids.size, 3);
    for (const { header } of items) assert.ok(ids.has(header['auditId']));
  });

  it('items take seats in fair order, and the batch none meanwhile; what finds no room is told so', async () => {
    let atOnce = 0;
    let most = 0;
    execute = async () => {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce--;
      return status(200);
    };
    // `admin` is exempt: `jane` may send batches, and read nothing; her items are refused after they got their seats.
    const few = await send(
      Array.from({ length: 30 }, () => ({ path: `${widgets}/a` })),
      { token: 'jane-token' },
    );
    assert.equal(few.items.length, 30);
    assert.deepEqual(new Set(few.items.map(({ code }) => code)), new Set([403]));
    const many = await send(
      Array.from({ length: 200 }, () => ({ path: `${widgets}/a` })),
      { token: 'jane-token' },
    );
    assert.equal(many.items.length, 200);
    const codes = new Set(many.items.map(({ code }) => code));
    assert.deepEqual([...codes].sort(), [403, 429]);
    assert.equal(flowControl.queued, 0);
    assert.equal(most, 0);
    await send(Array.from({ length: 100 }, () => ({ path: `${widgets}/a` })));
    assert.ok(most > 1);
  });

  it('a slow item holds up no other', async () => {
    let finish = (): void => {};
    execute = (context) =>
      context.name === 'slow' ? new Promise((resolve) => (finish = () => resolve(status(200)))) : status(200);
    const request = httpsRequest({
      host: 'localhost',
      port: server.port,
      method: 'POST',
      path: batchPath,
      ca: server.pki.ca.certificatePem,
      headers: { authorization: 'Bearer admin-token', 'content-type': batchMediaType },
    });
    request.end(textOf([{ path: `${widgets}/slow` }, { path: `${widgets}/fast` }]));
    const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
    const [first] = (await once(response, 'data')) as [Buffer];
    assert.deepEqual(
      answersIn(first).map(({ item }) => item),
      [1],
    );
    finish();
    const rest: Buffer[] = [];
    for await (const chunk of response) rest.push(chunk as Buffer);
    assert.deepEqual(
      answersIn(Buffer.concat(rest)).map(({ item }) => item),
      [0],
    );
    request.destroy();
  });

  // Whether a write is held back depends on the kernel's clock: what Node was told is looked at, not how long it takes.
  it('an answer in several writes does not wait for the client to acknowledge each', async () => {
    const accepted: { readonly server?: { readonly noDelay?: boolean } }[] = [];
    const take = (message: unknown) => accepted.push((message as { socket: object }).socket);
    subscribe('net.server.socket', take);
    try {
      const { port, pki } = server;
      const anew = { host: 'localhost', port, ca: pki.ca.certificatePem, agent: false } as const;
      const [response] = await once(httpsRequest(anew).end(), 'response');
      (response as import('node:http').IncomingMessage).destroy();
    } finally {
      unsubscribe('net.server.socket', take);
    }
    assert.deepEqual(
      accepted.map((socket) => socket.server?.noDelay),
      [true],
    );
  });

  it('items end with the client, and each has its own time', async () => {
    const reasons: unknown[] = [];
    let waiting = 0;
    execute = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          reject(new Error('given up'));
        });
        waiting++;
      });
    const request = httpsRequest({
      host: 'localhost',
      port: server.port,
      method: 'POST',
      path: batchPath,
      ca: server.pki.ca.certificatePem,
      headers: { authorization: 'Bearer admin-token', 'content-type': batchMediaType },
    });
    request.on('error', () => {});
    request.end(textOf([{ path: `${widgets}/a` }, { path: `${widgets}/b` }]));
    await until('both are at work', () => waiting === 2);
    request.destroy();
    await until('both were told', () => reasons.length === 2);

    execute = ({ name, signal }) =>
      name === 'fast'
        ? status(200)
        : new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))));
    const { items } = await send([{ path: `${widgets}/slow?timeout=30ms` }, { path: `${widgets}/fast` }]);
    assert.deepEqual(
      items.map(({ item, code }) => [item, code]),
      [
        [1, 200],
        [0, 504],
      ],
    );
  });

  it('what is no batch is refused, and nothing of it happens', async () => {
    let isExecuted = false;
    execute = () => {
      isExecuted = true;
      return status(200);
    };
    const good = textOf([{ method: 'POST', path: widgets, body: '{}' }]);
    assert.equal((await send(`${good}{"method":"GET"`)).code, 400);
    assert.equal((await send('')).code, 400);
    assert.equal((await send(good, { headers: { 'content-type': json } })).code, 415);
    assert.equal((await send(good, { headers: { 'impersonate-user': 'jane' } })).code, 400);
    assert.equal((await send(`${good}${' '.repeat(100_000)}`)).code, 413);
    assert.equal((await server.get(batchPath)).code, 404);
    assert.equal(isExecuted, false);
  });

  it('a stopping server does not wait for a batch that is still on its way', async () => {
    let onCome = (): void => {};
    const come = new Promise<void>((resolve) => {
      onCome = resolve;
    });
    const stopping = await startServer({
      resolver: resolverOf(schemeOf(definition())),
      verbs: { execute: () => status(200) },
      authorizer: {
        authorize: () => {
          onCome();
          return { decision: 'allow', reason: 'a test' };
        },
      },
    });
    const request = httpsRequest({
      host: 'localhost',
      port: stopping.port,
      method: 'POST',
      path: batchPath,
      ca: stopping.pki.ca.certificatePem,
      headers: {
        authorization: 'Bearer admin-token',
        'content-type': batchMediaType,
        'content-length': '1000',
      },
    });
    request.on('error', () => {});
    const answered = once(request, 'response') as Promise<[import('node:http').IncomingMessage]>;
    request.write('{');
    await come;
    const stopped = stopping.stop();
    const [response] = await answered;
    assert.equal(response.statusCode, 429);
    response.resume();
    await stopped;
  });

  it('batches come over HTTP/2 as well', async () => {
    execute = ({ name }) => status(200, { name });
    const session = await server.http2();
    try {
      const answer = await http2Call(
        session,
        batchPath,
        { ':method': 'POST', 'content-type': batchMediaType },
        textOf([{ path: `${widgets}/a` }, { path: `${widgets}/b` }]),
      );
      assert.equal(answer.code, 200);
      assert.deepEqual(
        answersIn(answer.raw).map(({ item, text }) => [item, text.trim()]),
        [
          [0, '{"name":"a"}'],
          [1, '{"name":"b"}'],
        ],
      );
    } finally {
      session.close();
    }
  });
});
