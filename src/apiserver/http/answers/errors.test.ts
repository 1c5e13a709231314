import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parse as parseYaml } from 'yaml';
import { ApiError, type StatusReason } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import { StorageError } from '#storage/errors.ts';
import type { TestServer } from '../testing/test-server.ts';
import { type Execute, single, startWidgetServer, widgetPath } from '../testing/widget-server.ts';

describe('errors over HTTP (E1–E4)', () => {
  let server: TestServer;
  let execute: Execute = single;
  before(async () => {
    server = await startWidgetServer((context, request) => execute(context, request));
  });
  after(() => server.stop());

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

  it('E2: each reason has its code', async () => {
    const codes: readonly [StatusReason, number][] = [
      ['BadRequest', 400],
      ['Unauthorized', 401],
      ['Forbidden', 403],
      ['NotFound', 404],
      ['MethodNotAllowed', 405],
      ['NotAcceptable', 406],
      ['AlreadyExists', 409],
      ['Conflict', 409],
      ['Gone', 410],
      ['Expired', 410],
      ['RequestEntityTooLarge', 413],
      ['UnsupportedMediaType', 415],
      ['Invalid', 422],
      ['TooManyRequests', 429],
      ['InternalError', 500],
      ['ServerTimeout', 500],
      ['ServiceUnavailable', 503],
      ['Timeout', 504],
    ];
    for (const [reason, code] of codes) {
      failWith(new ApiError(reason, 'x'));
      const answer = await server.get(widgetPath);
      const { code: told, reason: given } = answer.json();
      assert.deepEqual([answer.code, told, given], [code, code, reason]);
    }
  });

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
});
