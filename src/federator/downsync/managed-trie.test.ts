import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '#apimachinery/json.ts';
import { fieldsNotOwned } from './managed-trie.ts';

const applied: JsonObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'x', uid: 'u', labels: { app: 'x' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'x' } },
    template: {
      spec: { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80 }] }], nodeSelector: {} },
    },
  },
};
const owned: JsonObject = {
  'f:metadata': { 'f:labels': { 'f:app': {} } },
  'f:spec': {
    'f:replicas': {},
    'f:selector': {},
    'f:template': {
      'f:spec': {
        'f:containers': {
          'k:{"name":"c"}': {
            '.': {},
            'f:name': {},
            'f:image': {},
            'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
          },
        },
      },
    },
  },
};

function without(path: readonly string[]): JsonObject {
  const copy = structuredClone(owned);
  let at = copy;
  for (const key of path.slice(0, -1)) at = at[key] as JsonObject;
  delete at[path.at(-1) ?? ''];
  return copy;
}

const containers = ['f:spec', 'f:template', 'f:spec', 'f:containers'];
const rows: readonly (readonly [string, JsonObject, string[]])[] = [
  ['everything is ours', owned, []],
  ['a scalar was taken', without(['f:spec', 'f:replicas']), ['spec.replicas']],
  ['an atomic map was taken whole', without(['f:spec', 'f:selector']), ['spec.selector.matchLabels.app']],
  ['the labels were taken', without(['f:metadata', 'f:labels']), ['metadata.labels.app']],
  [
    'a field of a list item was taken',
    without([...containers, 'k:{"name":"c"}', 'f:image']),
    ['spec.template.spec.containers[0].image'],
  ],
  [
    'nothing is ours',
    {},
    [
      'metadata.labels.app',
      'spec.replicas',
      'spec.selector.matchLabels.app',
      'spec.template.spec.containers',
    ],
  ],
];
for (const [name, fields, want] of rows) {
  test(`fields not owned: ${name}`, () => assert.deepEqual(fieldsNotOwned(applied, fields), want));
}

test('a defaulted key does not make a list item look foreign, and names are never owned', () => {
  assert.deepEqual(fieldsNotOwned({ metadata: { name: 'x', namespace: 'n' } }, {}), []);
});
