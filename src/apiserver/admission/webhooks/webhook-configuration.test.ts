import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ruleMatches } from './webhook-configuration.ts';

test('rules (A2)', () => {
  const pods = {
    operation: 'CREATE',
    group: '',
    version: 'v1',
    resource: 'pods',
    subresource: '',
    namespaced: true,
  };
  const rule = (more: object) => ({
    operations: ['CREATE'],
    apiGroups: [''],
    apiVersions: ['v1'],
    resources: ['pods'],
    scope: '*',
    ...more,
  });
  const rows: [object, object, boolean][] = [
    [{}, {}, true],
    [{}, { subresource: 'status' }, false],
    [{ resources: ['pods/*'] }, { subresource: 'status' }, true],
    [{ resources: ['pods/*'] }, {}, true],
    [{ resources: ['*'] }, {}, true],
    [{ resources: ['*'] }, { subresource: 'status' }, false],
    [{ resources: ['*/*'] }, { subresource: 'status' }, true],
    [{ resources: ['*/scale'] }, { subresource: 'scale' }, true],
    [{ operations: ['*'] }, { operation: 'DELETE' }, true],
    [{ operations: ['UPDATE'] }, {}, false],
    [{ apiGroups: ['*'], apiVersions: ['*'] }, { group: 'x', version: 'v2' }, true],
    [{ apiVersions: ['v1beta1'] }, {}, false],
    [{ scope: 'Cluster' }, {}, false],
    [{ scope: 'Namespaced' }, {}, true],
  ];
  for (const [more, question, expected] of rows) {
    assert.equal(
      ruleMatches(rule(more), { ...pods, ...question }),
      expected,
      JSON.stringify([more, question]),
    );
  }
});
