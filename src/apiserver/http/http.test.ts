import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { parse as parseYaml } from 'yaml';
import { ApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import { StorageError } from '#storage/errors.ts';
import { clusterNameExtra } from '../authz/effective-users.ts';
import { bootstrapPriorityLevels } from '../flow-control/bootstrap-objects.ts';
import { flowConfigurationOf } from '../flow-control/flow-configurations.ts';
import { FlowController } from '../flow-control/flow-controller.ts';
import { encodeStored, entryOf } from '../registry/stored-object.ts';
import type { ResourceContext } from '../request/context.ts';
import type { VerbRequest } from '../verbs/request.ts';
import type { VerbResult } from '../verbs/result.ts';
import type { PreparedResponse } from './dependencies.ts';
import type { HealthCheck } from './health.ts';
import { createHttpServer, ListenError } from './server.ts';
import {
  clientCertificate,
  definition,
  http2Call,
  makePki,
  resolverOf,
  schemeOf,
  startServer,
  type TestServer,
  widget,
} from './testing/test-server.ts';

const widgets = definition();
const reviews = definition({ kind: 'Review', namespaced: false, virtual: true });
const customs = definition({ kind: 'Custom', group: 'custom.example.org', origin: 'custom' });
const scheme = schemeOf(widgets, reviews, customs);
const served = scheme.lookupResource('example.org', 'v1', 'widgets')!;
const widgetPath = '/apis/example.org/v1/namespaces/n/widgets/a';

function entryFor(object: KubeObject, revision = 7) {
  const key = `/example.org/widgets/root/n/${object.metadata.name}`;
  return entryOf({ key: key as never, value: encodeStored(object, widgets), revision: revision as never });
}

/** Everybody is in one level, which queues nothing. */
const rejectingLevels = bootstrapPriorityLevels.map((level) => {
  const isTheOne = level.metadata.name === 'global-default';
  const limited = { nominalConcurrencyShares: isTheOne ? 1 : 0, limitResponse: { type: 'Reject' } };
  return level.metadata.name === 'exempt' ? level : { ...level, spec: { type: 'Limited', limited } };
});

/** How long the connection of a refused request is left unread here. */
const parkMs = 150;

function flowControlOf(levels: readonly KubeObject[], seatsMax: number): FlowController {
  const server = flowConfigurationOf([], levels);
  return new FlowController({
    configurations: { server, of: () => undefined },
    seatsOf: () => 1,
    limits: { seatsMax, refusalDelayMs: 10, parkMs },
    // On a slow machine a workspace would be charged for what the machine takes, and have fewer seats.
    now: () => 0,
  });
}

type Execute = (context: ResourceContext, request: VerbRequest) => VerbResult | Promise<VerbResult>;

describe('HTTP', () => {
  let server: TestServer;
  let execute: Execute;
  let touched: string[] = [];
  const checks: HealthCheck[] = [];
  const single: Execute = () => ({
    type: 'entry',
    code: 200,
    served,
    entry: entryFor(widget('a', { size: 3, flag: 'no' })),
  });
  const listOf =
    (objects: KubeObject[]): Execute =>
    () => ({
      type: 'list',
      served,
      entries: objects.map((one) => entryFor(one)),
      revision: 9 as never,
      page: () => ({ continue: 'next', remainingItemCount: 5 }),
    });

  before(async () => {
    server = await startServer({
      resolver: resolverOf(scheme, 'root:acme', 'root:acme:shop'),
      verbs: { execute: (context, request) => execute(context, request) },
      touch: (workspace) => {
        touched.push(workspace.path);
        return workspace.path === 'root:acme' ? Promise.resolve() : undefined;
      },
      discovery: (_scheme, path) =>
        path === '/api'
          ? {
              code: 200,
              headers: { 'Content-Type': 'application/json', ETag: '"x"' },
              body: '{"kind":"APIVersions"}',
            }
          : undefined,
      openapi: (_scheme, path, query, { ifNoneMatch }): PreparedResponse =>
        ifNoneMatch === '"y"'
          ? { code: 304, headers: { ETag: '"y"' }, body: undefined }
          : {
              code: 200,
              headers: { 'Content-Type': 'application/json' },
              body: Buffer.from(JSON.stringify({ path, hash: query.get('hash'), pad: 'x'.repeat(200_000) })),
            },
      openId: {
        jwks: () => ({ keys: [] }),
        openidConfiguration: (base) => ({ jwks_uri: `${base}/openid/v1/jwks` }),
      },
      healthChecks: checks,
      limits: { bodyBytesMax: 1000 },
      flowControl: flowControlOf([], 600),
    });
  });
  after(() => server.stop());

  describe('forms of one object (N1–N6)', () => {
    before(() => {
      execute = single;
    });
    const get = (accept: string | undefined, query = '', headers = {}) =>
      server.get(`${widgetPath}${query}`, { ...(accept === undefined ? {} : { accept }), ...headers });

    for (const accept of [
      undefined,
      '*/*',
      'application/json',
      'application/*',
      'application/vnd.kubernetes.protobuf,application/json',
      'text/html;q=0.9, application/json;q=0.1',
    ]) {
      it(`N1: Accept ${accept} → JSON`, async () => {
        const answer = await get(accept);
        assert.equal(answer.code, 200);
        assert.equal(answer.headers['content-type'], 'application/json');
        const { metadata } = answer.json() as unknown as KubeObject;
        assert.equal(metadata.resourceVersion, '7');
        assert.equal(Number(answer.headers['content-length']), answer.raw.length);
      });
    }

    it('N6: headers of every answer', async () => {
      const { headers } = await get(undefined, '', { 'audit-id': 'mine' });
      assert.equal(headers['audit-id'], 'mine');
      assert.equal(headers['cache-control'], 'no-cache, private');
      assert.match(String(headers['x-kubernetes-pf-flowschema-uid']), /^[0-9a-f-]{36}$/);
      assert.match(String(headers['x-kubernetes-pf-prioritylevel-uid']), /^[0-9a-f-]{36}$/);
      assert.match(String((await get(undefined)).headers['audit-id']), /^[0-9a-f-]{36}$/);
    });

    for (const accept of [
      'text/html',
      'application/json;as=Table;g=meta.k8s.io;v=v2',
      'application/json;q=0',
    ]) {
      it(`N1: Accept ${accept} → 406`, async () => {
        const answer = await get(accept);
        assert.equal(answer.code, 406);
        assert.equal(answer.json()['reason'], 'NotAcceptable');
        assert.match(
          String(answer.json()['message']),
          /only the following media types are accepted: application\/json/,
        );
      });
    }

    it('N2: YAML', async () => {
      const answer = await get('application/yaml');
      assert.equal(answer.headers['content-type'], 'application/yaml');
      const object = parseYaml(answer.text, { version: '1.1' }) as KubeObject;
      assert.deepEqual(object['spec'], { size: 3, flag: 'no' });
      assert.equal((await get('application/yaml')).text, answer.text);
    });

    it('N3: Table, in both versions', async () => {
      for (const version of ['v1', 'v1beta1']) {
        const table = (
          await get(`application/json;as=Table;v=${version};g=meta.k8s.io,application/json`)
        ).json();
        assert.equal(table['kind'], 'Table');
        assert.equal(table['apiVersion'], `meta.k8s.io/${version}`);
        assert.equal((table['columnDefinitions'] as JsonObject[])[0]!['name'], 'Name');
        const [row] = table['rows'] as { cells: unknown[]; object: JsonObject }[];
        assert.deepEqual(row?.cells, ['a', 3]);
        assert.equal(row?.object['kind'], 'PartialObjectMetadata');
      }
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
      const rowOf = async (include: string) =>
        (
          (await get(accept, `?includeObject=${include}`)).json()['rows'] as { object: JsonObject | null }[]
        )[0]?.object;
      assert.equal(await rowOf('None'), null);
      assert.equal((await rowOf('Object'))?.['kind'], 'Widget');
    });

    it('N4: PartialObjectMetadata', async () => {
      for (const version of ['v1', 'v1beta1']) {
        const object = (
          await get(`application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=${version}`)
        ).json();
        assert.equal(object['kind'], 'PartialObjectMetadata');
        assert.equal(object['apiVersion'], `meta.k8s.io/${version}`);
        assert.equal((object['metadata'] as JsonObject)['name'], 'a');
        assert.equal(object['spec'], undefined);
      }
      const list = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
      assert.equal((await get(list)).code, 406);
      assert.equal((await get(`${list},application/json`)).json()['kind'], 'Widget');
    });

    it('N5: pretty when asked for, or for people', async () => {
      assert.match((await get(undefined, '?pretty=true')).text, /^\{\n {2}"apiVersion"/);
      assert.match((await get(undefined, '', { 'user-agent': 'curl/8.0' })).text, /^\{\n/);
      assert.doesNotMatch(
        (await get(undefined, '?pretty=false', { 'user-agent': 'curl/8.0' })).text,
        /^\{\n/,
      );
      assert.doesNotMatch((await get(undefined, '', { 'user-agent': 'kubectl/v1.36' })).text, /^\{\n/);
    });

    it('N5: gzip above 128 KiB, when taken', async () => {
      execute = () => ({
        type: 'object',
        code: 200,
        served,
        object: widget('big', { pad: 'x'.repeat(200_000) }),
      });
      const answer = await get(undefined, '', { 'accept-encoding': 'deflate, gzip;q=0.5' });
      assert.equal(answer.headers['content-encoding'], 'gzip');
      assert.equal((JSON.parse(gunzipSync(answer.raw).toString()) as KubeObject).metadata.name, 'big');
      for (const encoding of ['identity', 'gzip;q=0', 'br']) {
        assert.equal(
          (await get(undefined, '', { 'accept-encoding': encoding })).headers['content-encoding'],
          undefined,
        );
      }
      execute = single;
    });

    it('N3: Table of a review → 406', async () => {
      const answer = await server.call('POST', '/apis/example.org/v1/reviews', '{}', {
        accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
      });
      assert.equal(answer.code, 406);
    });

    it('Warning headers, once each, harmless whatever the text (N6)', async () => {
      execute = (context, request) => {
        context.warnings.push('old "API"', 'old "API"', 'läuft\r\nX-Evil: 1');
        return single(context, request);
      };
      const session = await server.http2();
      for (const answer of [await get(undefined), await http2Call(session, widgetPath)]) {
        const text = Buffer.from(String(answer.headers['warning']), 'latin1').toString('utf8');
        assert.equal(text, '299 - "old \\"API\\"", 299 - "läuft X-Evil: 1"');
        assert.equal(answer.headers['x-evil'], undefined);
      }
      session.close();
      execute = single;
    });

    it('results that are objects, encoded or Status', async () => {
      const rows: [VerbResult, number, string][] = [
        [{ type: 'object', code: 201, served, object: widget('b') }, 201, 'Widget'],
        [
          { type: 'encoded', code: 200, served, body: Buffer.from(JSON.stringify(widget('c'))) },
          200,
          'Widget',
        ],
        [
          { type: 'status', code: 200, body: { kind: 'Status', apiVersion: 'v1', status: 'Success' } },
          200,
          'Status',
        ],
      ];
      for (const [result, code, kind] of rows) {
        execute = () => result;
        assert.equal((await get(undefined)).code, code);
        assert.equal((await get(undefined)).json()['kind'], kind);
        assert.equal((parseYaml((await get('application/yaml')).text) as JsonObject)['kind'], kind);
        const table = (await get('application/json;as=Table;v=v1;g=meta.k8s.io')).json();
        assert.equal(table['kind'], kind === 'Status' ? 'Status' : 'Table');
      }
      execute = single;
    });

    it('HEAD sends headers alone', async () => {
      const answer = await server.call('HEAD', widgetPath, undefined);
      assert.equal(answer.code, 200);
      assert.equal(answer.raw.length, 0);
      assert.ok(Number(answer.headers['content-length']) > 0);
    });
  });

  describe('lists', () => {
    const many = Array.from({ length: 3000 }, (_, i) => widget(`w${i}`, { size: i, pad: 'x'.repeat(300) }));
    const path = '/apis/example.org/v1/widgets';

    it('a short one is sent with its length', async () => {
      execute = listOf([widget('a'), widget('b')]);
      const answer = await server.get(path);
      const list = answer.json();
      assert.equal(list['kind'], 'WidgetList');
      assert.equal(list['apiVersion'], 'example.org/v1');
      assert.deepEqual(list['metadata'], { resourceVersion: '9', continue: 'next', remainingItemCount: 5 });
      assert.deepEqual(
        (list['items'] as KubeObject[]).map((one) => one.metadata.name),
        ['a', 'b'],
      );
      assert.equal(Number(answer.headers['content-length']), answer.raw.length);
    });

    it('L5: an empty one has items: []', async () => {
      execute = listOf([]);
      assert.deepEqual((await server.get(path)).json()['items'], []);
      const table = (
        await server.get(path, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
      ).json();
      assert.deepEqual(table['rows'], []);
      assert.equal((table['columnDefinitions'] as unknown[]).length, 2);
      assert.deepEqual(
        (parseYaml((await server.get(path, { accept: 'application/yaml' })).text) as JsonObject)['items'],
        [],
      );
    });

    const forms: [string, string, (list: JsonObject) => unknown[]][] = [
      ['JSON', 'application/json', (list) => list['items'] as unknown[]],
      [
        'PartialObjectMetadataList',
        'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
        (list) => list['items'] as unknown[],
      ],
      ['Table', 'application/json;as=Table;g=meta.k8s.io;v=v1', (list) => list['rows'] as unknown[]],
    ];
    for (const [name, accept, items] of forms) {
      it(`a long one streams, in both protocols and compressed: ${name}`, async () => {
        execute = listOf(many);
        const plain = await server.get(path, { accept });
        assert.equal(items(plain.json()).length, many.length);
        assert.equal((plain.json()['metadata'] as JsonObject)['continue'], 'next');
        const zipped = await server.get(path, { accept, 'accept-encoding': 'gzip' });
        assert.equal(zipped.headers['content-encoding'], 'gzip');
        assert.equal(gunzipSync(zipped.raw).toString(), plain.text);
        const session = await server.http2();
        assert.equal((await http2Call(session, path, { accept })).text, plain.text);
        session.close();
      });
    }

    it('YAML', async () => {
      execute = listOf(many.slice(0, 50));
      const list = parseYaml((await server.get(path, { accept: 'application/yaml' })).text) as JsonObject;
      assert.equal((list['items'] as unknown[]).length, 50);
      assert.equal(list['kind'], 'WidgetList');
      assert.equal((list['metadata'] as JsonObject)['resourceVersion'], '9');
    });

    it('lets others have their turn', async () => {
      execute = listOf(Array.from({ length: 10 }, () => many).flat());
      // Turns are counted, not times: how long one takes depends on what else the machine does.
      let turns = 0;
      let over = false;
      const turn = () => {
        turns++;
        if (!over) setImmediate(turn);
      };
      setImmediate(turn);
      await server.get(path, { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' });
      over = true;
      assert.ok(turns > 10, `${turns} turns of the event loop while ${many.length * 10} rows were made`);
    });

    it('a client that goes away ends the work', async () => {
      let taken = 0;
      let finished = false;
      execute = () => ({
        type: 'list',
        served,
        entries: (function* () {
          try {
            for (let i = 0; i < 1_000_000; i++) {
              taken++;
              yield entryFor(many[i % many.length]!);
            }
          } finally {
            finished = true;
          }
        })(),
        revision: 9 as never,
        page: () => ({}),
      });
      const session = await server.http2();
      const stream = session.request({ ':path': path, authorization: 'Bearer admin-token' });
      await once(stream, 'response');
      session.destroy();
      await until(() => finished);
      assert.ok(taken < 1_000_000);
    });

    it('an error in its middle breaks the stream, so that half a list is never taken for a whole', async () => {
      execute = () => ({
        type: 'list',
        served,
        entries: (function* () {
          yield* many.map((one) => entryFor(one));
          throw new Error('broken');
        })(),
        revision: 9 as never,
        page: () => ({}),
      });
      await assert.rejects(server.get(path));
    });
  });

  describe('errors (E1–E5)', () => {
    const failWith = (error: unknown): void => {
      execute = () => {
        throw error;
      };
    };
    const rows: [string, unknown, number, string][] = [
      ['an ApiError as it is', new ApiError('Conflict', 'c', { details: { name: 'a' } }), 409, 'Conflict'],
      ['compacted', new StorageError('compacted', 'x'), 410, 'Expired'],
      ['unavailable', new StorageError('unavailable', 'x'), 503, 'ServiceUnavailable'],
      ['closed', new StorageError('closed', 'x'), 503, 'ServiceUnavailable'],
      ['outcome unknown', new StorageError('outcome-unknown', 'x'), 504, 'Timeout'],
      ['timeout', new StorageError('timeout', 'x'), 504, 'Timeout'],
      ['a fault of ours', new TypeError('secret detail'), 500, 'InternalError'],
      ['no error at all', 'text', 500, 'InternalError'],
    ];
    for (const [name, error, code, reason] of rows) {
      it(`${name} → ${code} ${reason}, thrown or rejected`, async () => {
        failWith(error);
        const thrown = await server.get(widgetPath);
        execute = () => Promise.reject(error);
        const rejected = await server.get(widgetPath);
        for (const answer of [thrown, rejected]) {
          assert.equal(answer.code, code);
          const status = answer.json();
          assert.equal(status['kind'], 'Status');
          assert.equal(status['status'], 'Failure');
          assert.equal(status['reason'], reason);
          assert.equal(status['code'], code);
          assert.deepEqual(status['metadata'], {});
          assert.doesNotMatch(answer.text, /secret detail/);
        }
      });
    }

    it('a Status in YAML for who reads YAML; Retry-After from its details', async () => {
      failWith(new ApiError('TooManyRequests', 'slow', { details: { retryAfterSeconds: 7 } }));
      const answer = await server.get(widgetPath, { accept: 'application/yaml' });
      assert.equal((parseYaml(answer.text) as JsonObject)['code'], 429);
      assert.equal(answer.headers['retry-after'], '7');
    });

    it('E4: what nobody knows is 404 in plain text', async () => {
      execute = single;
      const paths = [
        '/nope',
        '/apis/example.org/v2/widgets',
        '/apis/example.org/v1/widgets/a',
        '/apis/example.org/v1/namespaces/n/reviews',
        '/apis/absent.example.org',
        '/clusters/root:acme/clusters/root/api/v1/pods',
        '/clusters/root:acme/nope',
        '/livez/absent',
        '/openid/v2',
      ];
      for (const path of paths) {
        const answer = await server.get(path);
        assert.equal(answer.code, 404, path);
        assert.equal(answer.text, '404 page not found\n', path);
        assert.match(String(answer.headers['content-type']), /^text\/plain/);
      }
    });

    it('E4: below a group of Kubernetes it is a Status, whatever the method', async () => {
      for (const path of ['/api/v1/nope', '/api/v1/namespaces/default/nope/x', '/api/v9']) {
        for (const method of ['GET', 'DELETE', 'OPTIONS']) {
          const answer = await server.call(method, path, undefined);
          assert.equal(answer.code, 404, `${method} ${path}`);
          const { message, details } = answer.json();
          assert.equal(message, 'the server could not find the requested resource');
          assert.deepEqual(details, {});
        }
      }
    });

    it('E4: 403 names user, verb and resource', async () => {
      const answer = await server.get(widgetPath, {}, { token: 'jane-token' });
      assert.equal(answer.code, 403);
      assert.equal(
        answer.json()['message'],
        'widgets.example.org "a" is forbidden: User "jane" cannot get resource "widgets" in API group "example.org" in the namespace "n"',
      );
      const plain = await server.get('/metrics', {}, { token: '' });
      assert.match(String(plain.json()['message']), /User "system:anonymous" cannot get path "\/metrics"/);
    });

    it('addresses of workspaces (KCP.md, Addressing)', async () => {
      const codes: [string, number][] = [
        [`/clusters/root:acme:shop${widgetPath}`, 200],
        [`/clusters/rootacmeshop${widgetPath}`, 200],
        [`/clusters/root:absent${widgetPath}`, 404],
        [`/clusters/BAD%20ref${widgetPath}`, 400],
        [`/clusters/${widgetPath}`, 400],
        ['/clusters/root:acme/livez', 200],
        ['/clusters/root:acme/metrics', 501],
        ['/clusters/root:absent/livez', 404],
      ];
      execute = single;
      for (const [path, code] of codes) assert.equal((await server.get(path)).code, code, path);
    });

    it('wildcard: list and watch only; custom resources by metadata only (KCP.md, Wildcard)', async () => {
      execute = listOf([widget('a')]);
      assert.equal((await server.get('/clusters/*/apis/example.org/v1/widgets')).code, 200);
      assert.equal((await server.get(`/clusters/*${widgetPath}`)).code, 405);
      assert.equal(
        (await server.call('DELETE', '/clusters/*/apis/example.org/v1/widgets', undefined)).code,
        405,
      );
      const path = '/clusters/*/apis/custom.example.org/v1/customs';
      assert.equal((await server.get(path)).code, 400);
      const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
      assert.equal((await server.get(path, { accept })).code, 200);
    });

    /** A server of its own: of one that all tests ask, a slow machine would not answer in these times. */
    const impatientServer = () =>
      startServer({
        resolver: resolverOf(scheme, 'root:acme'),
        verbs: { execute: (context, request) => execute(context, request) },
        limits: { requestTimeoutMs: 300, writeTimeoutMs: 100 },
      });
    const impatientPath = `/clusters/root:acme${widgetPath}`;

    it('E5: 504 when the verb takes too long, and its signal fires', async () => {
      let aborted = false;
      const impatient = await impatientServer();
      execute = (context) =>
        new Promise((_, reject) => {
          context.signal.addEventListener('abort', () => {
            aborted = true;
            reject(new Error('aborted'));
          });
        });
      try {
        const answer = await impatient.get(impatientPath);
        assert.equal(answer.code, 504);
        assert.equal(answer.json()['reason'], 'Timeout');
        assert.ok(aborted);
        const early = await impatient.get(`${impatientPath}?timeout=20ms`);
        assert.equal(early.code, 504);
        assert.equal((await impatient.get(`${impatientPath}?timeout=abc`)).code, 400);
      } finally {
        await impatient.stop();
      }
    });

    it('E5: a write of one object has less time than other requests', async () => {
      execute = (context) =>
        new Promise((_, reject) => {
          context.signal.addEventListener('abort', () => reject(new Error('aborted')));
        });
      const impatient = await impatientServer();
      const collection = impatientPath.slice(0, impatientPath.lastIndexOf('/'));
      const json = { 'content-type': 'application/json' };
      const own = 'Timeout: request did not complete within requested timeout - context deadline exceeded';
      const general = 'Timeout: request did not complete within the allotted timeout';
      const rows: [string, string, string, string][] = [
        ['POST', collection, '{}', own],
        ['PUT', impatientPath, '{}', own],
        ['PATCH', impatientPath, '{}', own],
        ['DELETE', impatientPath, '', own],
        ['DELETE', collection, '', general],
        ['POST', `${collection}?timeout=30ms`, '{}', general],
      ];
      try {
        for (const [method, path, body, message] of rows) {
          const answer = await impatient.call(method, path, body === '' ? undefined : body, json);
          assert.equal(answer.code, 504, `${method} ${path}`);
          assert.equal(answer.json()['message'], message, `${method} ${path}`);
        }
      } finally {
        await impatient.stop();
      }
    });

    it('the signal fires when the client goes away', async () => {
      for (const protocol of ['http1', 'http2']) {
        let aborted = false;
        let started = false;
        execute = (context) =>
          new Promise((_, reject) => {
            started = true;
            context.signal.addEventListener('abort', () => {
              aborted = true;
              reject(new Error('aborted'));
            });
          });
        if (protocol === 'http2') {
          const session = await server.http2();
          session.request({ ':path': widgetPath, authorization: 'Bearer admin-token' }).on('error', () => {});
          await until(() => started);
          session.destroy();
        } else {
          const socket = await rawConnection(server);
          socket.write(`GET ${widgetPath} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`);
          await until(() => started);
          socket.destroy();
        }
        await until(() => aborted);
      }
    });

    it('O2: too many at once → 429 with Retry-After; one workspace alone cannot use all up', async () => {
      const waiting: ((result: VerbResult) => void)[] = [];
      let isAdmin = false;
      execute = (context) => {
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
        await until(() => waiting.length === 2);
        const refused = await ask('root:acme');
        assert.equal(refused.code, 429);
        assert.equal(refused.text, 'Too many requests, please try again later.');
        assert.equal(refused.headers['retry-after'], '1');
        const others = [ask('root:b'), ask('root:b')];
        await until(() => waiting.length === 4);
        assert.equal((await ask('root:b')).code, 429);
        // All seats are taken: whoever holds less than an equal part is let in (O2).
        others.push(ask('root:c'));
        await until(() => waiting.length === 5);
        assert.equal((await ask('root:c')).code, 429);
        const admin = ask('root:acme', 'admin-token');
        await until(() => waiting.length === 6);
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
      await until(() => received.includes('please try again later.'));
      socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
      assert.equal((await limited.get('/livez', {}, { token: '' })).code, 200, 'another connection is read');
      await until(() => /HTTP\/1\.1 200 OK[\s\S]*ok$/.test(received));
      assert.ok(performance.now() - askedMs > parkMs / 2, 'not at once');
      socket.write(refused);
      await until(() => received.split('please try again later.').length === 3);
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
    await until(() => allowed.some((streams) => streams < 10));
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask('/livez')));
    assert.ok(answers.every(({ code }) => code === 200));
    session.close();
  }

  describe('connections over HTTP/2', () => {
    it('that nobody is known on take no more after what they have', async () => {
      const session = await server.http2();
      const asked = [1, 2].map(() => http2Call(session, widgetPath, { authorization: 'Bearer nobody' }));
      const gone = once(session, 'goaway');
      for (const { code } of await Promise.all(asked)) assert.equal(code, 401);
      assert.equal((await gone)[0], 0);
      await until(() => session.destroyed);
    });

    it('are closed when nothing happens on them, and when their client only takes requests back (CVE-2023-44487)', async () => {
      const impatient = await startServer({
        resolver: resolverOf(scheme, 'root:acme'),
        verbs: { execute: (context, request) => execute(context, request) },
        limits: { http2IdleMs: 100 },
      });
      try {
        const idle = await impatient.http2();
        await once(idle, 'close');
        const resetting = connectTls({
          host: 'localhost',
          port: impatient.port,
          ca: impatient.pki.ca.certificatePem,
          ALPNProtocols: ['h2'],
        });
        let isOver = false;
        resetting.on('error', () => {});
        resetting.once('close', () => {
          isOver = true;
        });
        await once(resetting, 'secureConnect');
        resetting.resume();
        resetting.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
        for (let stream = 1; stream < 4_000 && !isOver; stream += 2) {
          resetting.write(takenBack(stream));
          if (stream % 200 === 1) await new Promise((resolve) => setImmediate(resolve));
        }
        await until(() => isOver);
        assert.equal((await impatient.get('/livez', {}, { token: '' })).code, 200);
      } finally {
        await impatient.stop();
      }
    });
  });

  describe('bodies (O4)', () => {
    before(() => {
      execute = (context, { body }) => ({
        type: 'status',
        code: 200,
        body: {
          verb: context.info.verb,
          ...(body !== undefined && 'bytes' in body
            ? { bytes: body.bytes.toString(), contentType: body.contentType }
            : {}),
          manager: context.defaultFieldManager,
        },
      });
    });
    const path = '/apis/example.org/v1/namespaces/n/widgets';

    it('is handed over as it came, with its type, in both protocols', async () => {
      const session = await server.http2();
      const headers = { 'content-type': 'application/yaml', 'user-agent': 'kubectl/v1.36 (linux)' };
      for (const answer of [
        await server.call('POST', path, 'a: 1', headers),
        await http2Call(session, path, { ...headers, ':method': 'POST' }, 'a: 1'),
      ]) {
        assert.deepEqual(answer.json(), {
          verb: 'create',
          bytes: 'a: 1',
          contentType: 'application/yaml',
          manager: 'kubectl',
        });
      }
      const none = await http2Call(session, widgetPath, { ':method': 'DELETE' });
      assert.equal(none.json()['bytes'], undefined);
      session.close();
      assert.equal((await server.call('DELETE', widgetPath, undefined)).json()['bytes'], undefined);
      assert.equal(
        (await server.call('DELETE', widgetPath, '{}', { 'content-length': 2 })).json()['bytes'],
        '{}',
      );
      const chunked = await server.call('PUT', widgetPath, 'abc', { 'transfer-encoding': 'chunked' });
      assert.equal(chunked.json()['bytes'], 'abc');
    });

    it('413 beyond the limit, with and without a length', async () => {
      const big = 'x'.repeat(1001);
      for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
        const answer = await server.call('POST', path, big, headers);
        assert.equal(answer.code, 413);
        assert.equal(answer.json()['message'], 'Request entity too large: limit is 1000');
      }
      const session = await server.http2();
      assert.equal((await http2Call(session, path, { ':method': 'POST' }, big)).code, 413);
      assert.equal((await http2Call(session, path, { ':method': 'POST' }, 'x')).code, 200);
      session.close();
      assert.equal((await server.call('POST', path, 'x'.repeat(1000))).code, 200);
    });

    it('415 for a content encoding', async () => {
      assert.equal((await server.call('POST', path, 'x', { 'content-encoding': 'gzip' })).code, 415);
    });

    it('a body that ends early reaches no verb', async () => {
      let called = false;
      const before = execute;
      execute = (context, request) => {
        called = true;
        return before(context, request);
      };
      const socket = await rawConnection(server);
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\nContent-Length: 100\r\n\r\nabc`,
      );
      socket.resume().end();
      await once(socket, 'close');
      execute = before;
      assert.equal(called, false);
    });

    it('methods that no verb stands for → 405', async () => {
      assert.equal((await server.call('OPTIONS', path, undefined)).code, 405);
      assert.equal((await server.call('POST', '/api', '{}')).code, 405);
    });
  });

  describe('who asks (U1, U3)', () => {
    before(() => {
      execute = ({ user }) => ({
        type: 'status',
        code: 200,
        body: { name: user.name, groups: [...user.groups] },
      });
    });

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

  describe('plain paths', () => {
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
      const { text } = await server.get('/metrics');
      assert.match(
        text,
        /apiserver_request_total\{verb="GET",group="example\.org",version="v1",resource="widgets",code="200"\} \d+/,
      );
      assert.match(text, /apiserver_request_duration_seconds_bucket\{verb="LIST",le="\+Inf"\} \d+/);
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

  it('first touch comes before the verb, for resources alone', async () => {
    execute = (context) => {
      touched.push(`verb ${context.workspace?.path}`);
      return { type: 'status', code: 200, body: {} };
    };
    touched = [];
    await server.get(`/clusters/root:acme${widgetPath}`);
    await server.get(`/clusters/root:acme:shop${widgetPath}`);
    await server.get('/clusters/root:acme/api');
    await server.get(`/clusters/root:acme${widgetPath}`, {}, { token: 'jane-token' });
    assert.deepEqual(touched, ['root:acme', 'verb root:acme', 'root:acme:shop', 'verb root:acme:shop']);
  });

  describe('bad input', () => {
    before(() => {
      execute = single;
    });

    it('never breaks on any URL', async () => {
      const piece = fc.constantFrom(
        'api',
        'apis',
        'v1',
        'example.org',
        'namespaces',
        'n',
        'widgets',
        'a',
        'watch',
        'clusters',
        'root',
        '*',
        '',
        '.',
        '..',
        '%2e',
        '%',
        '%00',
        '%ff',
        '%2F',
        ';',
        'ü',
        '?x=%zz',
        '#',
        '\\',
      );
      const session = await server.http2();
      await fc.assert(
        fc.asyncProperty(
          fc.array(piece, { maxLength: 8 }),
          fc.constantFrom('GET', 'HEAD', 'DELETE'),
          async (parts, method) => {
            const path = `/${parts.join('/')}`;
            const answer = await http2Call(session, encodeURI(path).replaceAll('%25', '%'), {
              ':method': method,
            });
            assert.ok([200, 400, 403, 404, 405, 501].includes(answer.code), `${path}: ${answer.code}`);
          },
        ),
        { numRuns: 150 },
      );
      session.close();
    });

    for (const [name, text, expected] of [
      ['no HTTP', 'garbage\r\n\r\n', /^HTTP\/1\.1 400 /],
      ['a header without a colon', 'GET / HTTP/1.1\r\nHost x\r\n\r\n', /^HTTP\/1\.1 400 /],
      [
        'an error, and what was sent behind it',
        'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
        /^HTTP\/1\.1 40\d [\s\S]*HTTP\/1\.1 200 /,
      ],
      [
        'a refused body, and what was sent behind it',
        'POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nGET /livez HTTP/1.1\r\nHost:GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
        /^HTTP\/1\.1 40\d [\s\S]*HTTP\/1\.1 200 /,
      ],
      [
        'headers within the limit',
        `GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Big: ${'x'.repeat(60_000)}\r\n\r\n`,
        /^HTTP\/1\.1 200 /,
      ],
      [
        'headers beyond the limit',
        `GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(100_000)}\r\n\r\n`,
        /^HTTP\/1\.1 431 /,
      ],
      [
        'malformed percent-encoding',
        'GET /api/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
        /^HTTP\/1\.1 400 /,
      ],
      [
        'two lengths',
        'POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
        /^HTTP\/1\.1 400 /,
      ],
      [
        'a length and chunks',
        'POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        /^HTTP\/1\.1 400 /,
      ],
    ] as const) {
      it(`${name}: ${expected}`, async () => {
        const socket = await rawConnection(server);
        let received = '';
        socket.on('data', (chunk) => {
          received += String(chunk);
        });
        socket.write(text);
        await once(socket, 'close');
        assert.match(received, expected);
      });
    }

    it('plain text on the TLS port is cut off, the server lives on', async () => {
      const { connect } = await import('node:net');
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write('GET / HTTP/1.1\r\n\r\n');
      await once(socket, 'close');
      assert.equal((await server.get('/livez')).code, 200);
    });

    it('TLS below 1.2 is refused', async () => {
      const socket = connectTls({
        port: server.port,
        host: 'localhost',
        ca: server.pki.ca.certificatePem,
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1',
      });
      await assert.rejects(once(socket, 'secureConnect'));
    });
  });

  it('a port in use is told as such', async () => {
    const second = createHttpServer({
      listen: { port: server.port },
      tls: { ...server.pki.serving, clientCaPem: server.pki.ca.certificatePem },
      authenticator: { authenticate: () => undefined },
      authorizer: { authorize: () => ({ decision: 'noOpinion', reason: '' }) },
      resolver: resolverOf(scheme),
      verbs: { execute: single },
      discovery: () => undefined,
      openapi: () => undefined,
      healthChecks: [],
      version: '0',
      logger: { debug() {}, info() {}, warn() {}, error() {} },
    });
    await assert.rejects(
      second.listen(),
      (error) =>
        error instanceof ListenError &&
        error.message === `port ${server.port} on 127.0.0.1 is already in use by another process`,
    );
    await second.stop();
  });

  it('a renewed certificate is used for new connections', async () => {
    const renewed = makePki();
    const own = await startServer({ resolver: resolverOf(scheme), verbs: { execute: single } });
    try {
      own.server.renewCertificate({ ...renewed.serving, clientCaPem: renewed.ca.certificatePem });
      const socket = connectTls({ port: own.port, host: 'localhost', ca: renewed.ca.certificatePem });
      await once(socket, 'secureConnect');
      assert.equal(socket.authorized, true);
      socket.destroy();
    } finally {
      await own.stop();
    }
  });
});

async function rawConnection(server: TestServer): Promise<TLSSocket> {
  const socket = connectTls({ port: server.port, host: 'localhost', ca: server.pki.ca.certificatePem });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

/** HEADERS for `GET /livez` and RST_STREAM (RFC 9113, 6.2 and 6.4). */
function takenBack(stream: number): Buffer {
  const block = Buffer.from('\x82\x87\x44\x06/livez\x41\x01x', 'latin1');
  const bytes = Buffer.alloc(9 + block.length + 9 + 4);
  bytes.writeUIntBE(block.length, 0, 3);
  bytes[3] = 1;
  bytes[4] = 5;
  bytes.writeUInt32BE(stream, 5);
  block.copy(bytes, 9);
  const at = 9 + block.length;
  bytes.writeUIntBE(4, at, 3);
  bytes[at + 3] = 3;
  bytes.writeUInt32BE(stream, at + 5);
  bytes.writeUInt32BE(8, at + 9);
  return bytes;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the condition did not come true');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
