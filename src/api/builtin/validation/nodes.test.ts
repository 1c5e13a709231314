import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#apimachinery/object.ts';
import { nodeRule } from './nodes.ts';

test('ranges of a node, of which some cannot be read (ValidateNode)', () => {
  const rows: readonly (readonly [readonly string[], readonly string[]])[] = [
    [['10.0.0.0/24', 'fd00::/64'], []],
    [['10.0.0.0/24', '10.0.1.0/24'], ['FieldValueInvalid spec.podCIDRs']],
    [['x'], ['FieldValueInvalid spec.podCIDRs[0]']],
    [
      ['10.0.0.0/24', 'fd00::/640'],
      [
        'FieldValueInvalid spec.podCIDRs[1]',
        'InternalError spec.podCIDRs',
        'FieldValueInvalid spec.podCIDRs',
      ],
    ],
  ];
  for (const [podCIDRs, told] of rows) {
    const node: KubeObject = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'a' },
      spec: { podCIDRs: [...podCIDRs] },
    };
    const errors = nodeRule.validate?.(node) ?? [];
    assert.deepEqual(
      errors.map(({ type, field }) => `${type} ${field}`),
      told,
    );
  }
});
