import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parse as parseYaml } from 'yaml';
import { ApiError } from '#apimachinery/api-error.ts';
import type { JsonObject } from '#apimachinery/json.ts';
import type { KubeObject } from '#apimachinery/object.ts';
import type { VerbResult } from '../../verbs/result.ts';
import { http2Call, type TestServer, widget } from '../testing/test-server.ts';
import { type Execute, served, single, startWidgetServer, widgetPath } from '../testing/widget-server.ts';

describe('forms of one object (N1–N6)', () => {
  let server: TestServer;
  let execute: Execute = single;
  before(async () => {
    server = await startWidgetServer((context, request) => execute(context, request));
  });
  after(() => server.stop());

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
      ((await get(accept, `?includeObject=${include}`)).json()['rows'] as { object: JsonObject | null }[])[0]
        ?.object;
    assert.equal(await rowOf('None'), null);
    assert.equal((await rowOf('Object'))?.['kind'], 'Widget');
    assert.equal((await rowOf(''))?.['kind'], 'PartialObjectMetadata');
    const wrong = await get(accept, '?includeObject=none');
    assert.equal(wrong.code, 400);
    assert.equal(
      wrong.json()['message'],
      `Unable to convert to Table as requested: includeObject: Invalid value: "none": must be 'Metadata', 'Object', 'None', or empty`,
    );
    // What is wrong with the read itself comes before the form of its answer.
    execute = () => {
      throw new ApiError('NotFound', 'there is none');
    };
    assert.equal((await get(accept, '?includeObject=none')).code, 404);
    execute = single;
    assert.equal((await get(undefined, '?includeObject=none')).code, 200);
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
    assert.equal((await get(`${list},application/json`)).code, 406, 'the first that is acceptable decides');
    assert.equal((await get(`application/json,${list}`)).json()['kind'], 'Widget');
  });

  it('N5: pretty when asked for, or for people', async () => {
    assert.match((await get(undefined, '?pretty=true')).text, /^\{\n {2}"apiVersion"/);
    for (const agent of ['curl/8.0', 'Wget/1.21', 'Mozilla/5.0 (X11)'])
      assert.match((await get(undefined, '', { 'user-agent': agent })).text, /^\{\n/, agent);
    assert.doesNotMatch((await get(undefined, '?pretty=false', { 'user-agent': 'curl/8.0' })).text, /^\{\n/);
    assert.doesNotMatch((await get(undefined, '', { 'user-agent': 'kubectl/v1.36' })).text, /^\{\n/);
  });

  it('what is in one line ends with one, what is indented does not (serializer/json Encode)', async () => {
    const table = 'application/json;as=Table;g=meta.k8s.io;v=v1';
    for (const accept of [undefined, table, 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'])
      assert.match((await get(accept)).text, /\}\n$/, accept);
    assert.match((await get(undefined, '?pretty=true')).text, /\n\}$/);
    // Who takes no plain form is told errors as WriteRawJSON has them.
    const nonsense = await get('application/json;as=Nonsense;g=meta.k8s.io;v=v1');
    assert.equal(nonsense.code, 406);
    assert.match(nonsense.text, /^\{\n {2}"kind": "Status",\n(?:.*\n)*\}$/);
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
      [{ type: 'encoded', code: 200, served, body: Buffer.from(JSON.stringify(widget('c'))) }, 200, 'Widget'],
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
