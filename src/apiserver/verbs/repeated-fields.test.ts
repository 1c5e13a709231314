import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness } from './testing/harness.ts';

const apps = '/apis/apps/v1/namespaces/default';

/** What a POST warns of. */
async function warningsOf(harness: Harness, path: string, body: string): Promise<readonly string[]> {
  const { warnings } = await harness.send('POST', path, { body });
  return warnings;
}

test('C9: repeated fields are told wherever they are, also where the schema looks no further', async () => {
  await using harness = await Harness.open();
  const revision = (
    name: string,
    data: string,
    head = '"apiVersion":"apps/v1","kind":"ControllerRevision",',
  ) => `{${head}"metadata":{"name":"${name}"},"revision":1,"data":${data}}`;
  const rows: readonly (readonly [string, readonly string[]])[] = [
    [revision('plain', '{"a":{"b":[{"c":1},{"c":2}]}}'), []],
    [revision('open', '{"a":{"b":1,"b":2}}'), ['duplicate field "data.a.b"']],
    [revision('deep', '{"a":[{"b":1},{"b":1,"b":2}]}'), ['duplicate field "data.a[1].b"']],
    // Two of one and none of another come to as many members as each once.
    [revision('nameless', '{"a":1,"a":2}', ''), ['duplicate field "data.a"']],
    [revision('kindless', '{"a":1,"a":2}', '"apiVersion":"apps/v1",'), ['duplicate field "data.a"']],
  ];
  for (const [body, warnings] of rows) {
    assert.deepEqual(await warningsOf(harness, `${apps}/controllerrevisions`, body), warnings, body);
  }
});

test('C9: a repeated field beside nulls and absent fields is told', async () => {
  await using harness = await Harness.open();
  const map = (name: string, rest: string) =>
    `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}","creationTimestamp":null},${rest}}`;
  const path = '/api/v1/namespaces/default/configmaps';
  assert.deepEqual(await warningsOf(harness, path, map('none', '"data":{"a":"1"}')), []);
  assert.deepEqual(await warningsOf(harness, path, map('twice', '"data":{"a":"1","a":"2"}')), [
    'duplicate field "data.a"',
  ]);
  assert.deepEqual(await warningsOf(harness, path, map('whole', '"data":{"a":"1"},"data":{"b":"2"}')), [
    'duplicate field "data"',
  ]);
});
