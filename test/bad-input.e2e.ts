// Bad bodies, patches, paths, queries and media types, against a server in a process of its own: each gets the error
// that Kubernetes gives (KUBERNETES.md E1–E4, N1, O4), and nothing that stands in the store changes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { jsonBodies, mediaTypes, names, protobufBodies, yamlBodies } from './bad-input/bodies.ts';
import { inheritedNames, pollutions } from './bad-input/inherited.ts';
import { applies, jsonPatches, mergePatches, replacementsAndDeletions } from './bad-input/patches.ts';
import { foreignLists, pathsAndMethods, queries, unknownPaths } from './bad-input/queries.ts';
import {
  bodyBytesMax,
  maps,
  mapText,
  patch,
  post,
  postWith,
  type Row,
  root,
  widgets,
  widgetText,
} from './bad-input/requests.ts';
import { type LoneServer, startLoneServer } from './harness/lone-server.ts';
import type { RawAnswer, RawRequest } from './harness/raw-http.ts';
import { type Standing, standIn } from './harness/standing.ts';

const residentMiBMax = 600;

/** KUBERNETES.md E2. */
const reasons: { readonly [status: number]: readonly string[] } = {
  400: ['BadRequest'],
  404: ['NotFound'],
  405: ['MethodNotAllowed'],
  406: ['NotAcceptable'],
  409: ['AlreadyExists', 'Conflict'],
  413: ['RequestEntityTooLarge'],
  415: ['UnsupportedMediaType'],
  422: ['Invalid'],
  // Kubernetes gives no reason for a configuration that does not fit its kind.
  500: ['InternalError', 'undefined'],
  504: ['Timeout'],
};

const tables: { readonly [name: string]: readonly Row[] } = {
  'JSON bodies': jsonBodies,
  'YAML bodies': yamlBodies,
  'protobuf bodies': protobufBodies,
  names,
  'media types': mediaTypes,
  'JSON patches': jsonPatches,
  'merge patches': mergePatches,
  'server-side applies': applies,
  'replacements and deletions': replacementsAndDeletions,
  'query parameters': queries,
  'paths and methods': pathsAndMethods,
};

describe('bad input', { timeout: 600_000 }, () => {
  let server: LoneServer;
  let standing: Standing;

  before(async () => {
    server = await startLoneServer();
    standing = await standIn(server);
  });
  after(() => server?.[Symbol.asyncDispose]());

  const send = (request: RawRequest): Promise<RawAnswer> => server.raw.send(request);

  for (const [table, rows] of Object.entries(tables)) {
    test(table, async () => {
      for (const [name, request, status, message] of rows) {
        const answer = await send(request);
        const told = `${name}: ${answer.status} ${answer.text.slice(0, 500)}`;
        assert.equal(answer.status, status, told);
        // E1: every error is a Status.
        const { kind, apiVersion, status: outcome, reason, message: said, code } = answer.json ?? {};
        assert.deepEqual([kind, apiVersion, outcome, code], ['Status', 'v1', 'Failure', status], told);
        assert.ok(reasons[status]?.includes(String(reason)), told);
        assert.match(String(said), message, told);
        assert.doesNotMatch(answer.text, /\bat .*\.(ts|js):\d+|node:internal/, `${name} shows a stack`);
      }
      await standing.assertUnharmed();
    });
  }

  test('paths that are not there', async () => {
    for (const path of unknownPaths) {
      assert.equal((await send({ path })).status, 404, path);
      const { status } = await send(post(mapText(), path));
      assert.ok(status === 404 || status === 405, `POST ${path}: ${status}`);
    }
    await standing.assertUnharmed();
  });

  test('a body of 3 MiB is read to its end', async () => {
    const data = 'x'.repeat(900 * 1024);
    const body = mapText(`,"data":{"a":"${data}"}`, 'large').padEnd(bodyBytesMax);
    assert.equal((await send(post(body))).status, 201);
    const { json } = await send({ path: `${maps}/large` });
    assert.deepEqual(json?.['data'], { a: data });
    assert.equal((await send({ method: 'DELETE', path: `${maps}/large` })).status, 200);
  });

  test('unknown and duplicate fields: Warn tells, Ignore does not (C9)', async () => {
    const body = mapText(',"zzz":1,"data":{"a":"1","a":"2"}');
    for (const [validation, warns] of [
      ['Warn', true],
      ['', true],
      ['Ignore', false],
    ] as const) {
      const answer = await send(postWith(`dryRun=All&fieldValidation=${validation}`, body));
      assert.equal(answer.status, 201, answer.text);
      const said = [answer.headers['warning'] ?? []].flat().join(', ');
      const expected = '299 - "unknown field \\"zzz\\"", 299 - "duplicate field \\"data.a\\""';
      assert.equal(said, warns ? expected : '');
      assert.equal('zzz' in (answer.json ?? {}), false);
      assert.deepEqual(answer.json?.['data'], { a: '2' }, 'the last one stands');
    }
  });

  test('continue tokens are bound to their list and cannot be altered (L4)', async () => {
    const namespaces = `${root}/api/v1/namespaces?limit=1`;
    const { json = {} } = await send({ path: namespaces });
    const { continue: token = '' } = json['metadata'] as { continue?: string };
    assert.equal((await send({ path: `${namespaces}&continue=${token}` })).status, 200);
    const wrong = foreignLists.map(([name, path]) => [name, `${path}&continue=${token}`] as const);
    const altered = [token.slice(0, -4), token + token, 'a'.repeat(30_000)];
    const bytes = Buffer.from(token, 'base64url');
    for (let at = 0; at < bytes.length; at += 7) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (bytes[at] ?? 0) ^ 1;
      altered.push(flipped.toString('base64url'));
    }
    for (const text of altered) wrong.push(['altered', `${namespaces}&continue=${text}`]);
    for (const [name, path] of wrong) {
      const answer = await send({ path });
      assert.equal(answer.status, 400, `${name}: ${answer.text}`);
      assert.match(answer.text, /continue key is not valid/, name);
    }
  });

  test('__proto__ is refused wherever a name can stand', async () => {
    for (const [name, request] of pollutions) {
      const { status, text } = await send(request);
      assert.ok(status === 400 || status === 422, `${name}: ${status} ${text}`);
    }
    const clean = await send(postWith('dryRun=All'));
    assert.equal(clean.status, 201);
    assert.equal(clean.text.includes('polluted'), false);
    await standing.assertUnharmed();
  });

  test('names that JavaScript objects inherit are ordinary names', async () => {
    const data = Object.fromEntries(inheritedNames.map((name) => [name, `value of ${name}`]));
    const labels = Object.fromEntries(inheritedNames.map((name) => [name, name]));
    const meta = `"labels":${JSON.stringify(labels)},"annotations":${JSON.stringify(data)},`;
    const path = `${maps}/constructor`;
    const created = await send(post(mapText(`,"data":${JSON.stringify(data)}`, 'constructor', meta)));
    assert.equal(created.status, 201, created.text);
    assert.deepEqual(created.json?.['data'], data);
    for (const [selector, count] of [
      ['constructor', 2],
      ['toString=toString', 1],
      ['constructor,!valueOf', 1],
      ['propertyIsEnumerable', 0],
      ['constructor,toLocaleString notin (x)', 2],
    ] as const) {
      const answer = await send({ path: `${maps}?labelSelector=${encodeURIComponent(selector)}` });
      assert.equal(itemsOf(answer).length, count, selector);
    }
    for (const [type, body] of [
      ['merge', '{"data":{"constructor":null}}'],
      ['json', '[{"op":"remove","path":"/data/toString"}]'],
      ['strategic', '{"data":{"valueOf":null}}'],
    ] as const) {
      assert.equal((await send(patch(type, body, path))).status, 200, type);
    }
    const { json } = await send({ path });
    assert.deepEqual(Object.keys(json?.['data'] as object).sort(), [
      'hasOwnProperty',
      'isPrototypeOf',
      'prototype',
    ]);
    const made = await send(post(widgetText(',"spec":{"size":1,"valueOf":1}'), widgets));
    assert.deepEqual(
      made.json?.['spec'],
      { size: 1, constructor: 'made by default' },
      'defaulted, and pruned',
    );
    assert.equal((await send({ method: 'DELETE', path })).status, 200);
    assert.equal((await send({ method: 'DELETE', path: `${widgets}/new` })).status, 200);
    await standing.assertUnharmed();
  });

  test('memory stays bounded', () => {
    const resident = server.residentMiB();
    assert.ok(resident < residentMiBMax, `${resident.toFixed(0)} MiB resident`);
  });
});

function itemsOf({ json = {} }: RawAnswer): unknown[] {
  return json['items'] as unknown[];
}
