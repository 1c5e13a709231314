import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanDuration } from '#api/builtin/columns/human-duration.ts';
import { builtinDefinitions } from '#api/builtin/definitions.ts';
import type { JsonObject, JsonValue } from '#apimachinery/json.ts';
import type { Column } from '#apimachinery/resource-definition.ts';
import { renderTable } from './table.ts';
import { ago, now, served, table } from './testing/cells.ts';

test('durations read as kubectl prints them (duration.HumanDuration)', () => {
  const minute = 60;
  const hour = 3600;
  const day = 24 * hour;
  const rows: [number, string][] = [
    [-2, '<invalid>'],
    [-1, '0s'],
    [0, '0s'],
    [119, '119s'],
    [2 * minute, '2m'],
    [9 * minute + 5, '9m5s'],
    [10 * minute + 5, '10m'],
    [179 * minute, '179m'],
    [3 * hour, '3h'],
    [7 * hour + 59 * minute, '7h59m'],
    [47 * hour, '47h'],
    [2 * day, '2d'],
    [7 * day + 23 * hour, '7d23h'],
    [8 * day + 5 * hour, '8d'],
    [729 * day, '729d'],
    [2 * 365 * day + 3 * day, '2y3d'],
    [8 * 365 * day, '8y'],
  ];
  for (const [seconds, text] of rows) assert.equal(humanDuration(seconds * 1000), text, String(seconds));
});

test('a Table carries definitions, cells, and as much of the object as asked (KUBERNETES.md N3)', () => {
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'c', creationTimestamp: ago(5) },
    data: { a: 'b' },
  };
  const one = served('', 'configmaps');
  const full = table(one, object, 'Object');
  assert.equal(full['apiVersion'], 'meta.k8s.io/v1');
  assert.deepEqual(full['metadata'], { resourceVersion: '7' });
  assert.deepEqual(full['rows'], [{ cells: ['c', 1, '5s'], object }]);
  const [nameColumn] = full['columnDefinitions'] as JsonObject[];
  assert.equal(nameColumn?.['format'], 'name');
  assert.deepEqual((table(one, object, 'Metadata')['rows'] as JsonObject[])[0]?.['object'], {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: object.metadata,
  });
  assert.equal((table(one, object)['rows'] as JsonObject[])[0]?.['object'], null);
  const rest = renderTable({
    served: one,
    objects: [],
    includeObject: 'None',
    apiVersion: 'v1beta1',
    listMetadata: {},
    now,
    withColumns: false,
  });
  assert.deepEqual(rest, {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1beta1',
    metadata: {},
    columnDefinitions: [],
    rows: [],
  });
});

test('FlowSchemas stand in the order in which requests are matched (printers, printFlowSchemaList)', () => {
  const schema = (name: string, matchingPrecedence: number) => ({
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: { name },
    spec: { matchingPrecedence, priorityLevelConfiguration: { name: 'exempt' } },
  });
  const { rows } = renderTable({
    served: served('flowcontrol.apiserver.k8s.io', 'flowschemas'),
    objects: [schema('b', 20), schema('c', 9), schema('a', 20), schema('d', 100)],
    includeObject: 'None',
    apiVersion: 'v1',
    listMetadata: {},
    now,
    withColumns: false,
  });
  const names = (rows as JsonObject[]).map(({ cells }) => (cells as JsonValue[])[0]);
  assert.deepEqual(names, ['c', 'a', 'b', 'd']);
});

test('date columns become ages (apiextensions tableconvertor)', () => {
  const values: JsonValue[] = [ago(60), null, 'yesterday', '', 5];
  const columns: Column[] = values.map((value, i) => ({
    name: `c${i}`,
    type: 'date',
    priority: 0,
    value: () => value,
  }));
  const one = served('', 'configmaps');
  const rendered = table({ ...one, version: { ...one.version, columns } }, { metadata: {} });
  assert.deepEqual((rendered['rows'] as JsonObject[])[0]?.['cells'], [
    '60s',
    null,
    '<invalid>',
    '<unknown>',
    '<invalid>',
  ]);
});

test('every built-in kind renders an object with nothing in it', () => {
  for (const definition of builtinDefinitions()) {
    if (definition.virtual === true) continue;
    for (const version of definition.versions) {
      const rendered = table(
        { definition, version },
        {
          apiVersion: `${definition.group}/${version.version}`,
          kind: definition.kind,
          metadata: { name: 'x' },
        },
      );
      assert.equal((rendered['rows'] as { cells: JsonValue[] }[])[0]?.cells.length, version.columns.length);
    }
  }
});
