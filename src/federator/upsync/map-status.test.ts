import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapStatus } from './map-status.ts';

const rows = [
  {
    name: 'observed and in sync counts the copy’s generation',
    observed: 7,
    edge: 7,
    copy: 3,
    inSync: true,
    want: 3,
  },
  { name: 'not yet observed at the edge', observed: 6, edge: 7, copy: 3, inSync: true, want: 2 },
  { name: 'observed, but not the present content', observed: 7, edge: 7, copy: 3, inSync: false, want: 2 },
  { name: 'never observed stays zero', observed: 0, edge: 1, copy: 1, inSync: true, want: 0 },
] as const;
for (const { name, observed, edge, copy, inSync, want } of rows) {
  test(`observedGeneration: ${name}`, () => {
    const edgeStatus = {
      observedGeneration: observed,
      readyReplicas: 1,
      conditions: [{ type: 'A', observedGeneration: observed }],
    };
    const status = mapStatus({ edgeStatus, edgeGeneration: edge, copyGeneration: copy, inSync });
    assert.deepEqual(status, {
      observedGeneration: want,
      readyReplicas: 1,
      conditions: [{ type: 'A', observedGeneration: want }],
    });
    assert.equal(edgeStatus.observedGeneration, observed, 'the argument is not changed');
  });
}

test('a status that is no object is none, and kinds without generations pass unchanged', () => {
  assert.equal(mapStatus({ edgeStatus: 'x', edgeGeneration: 1, copyGeneration: 1, inSync: true }), undefined);
  const status = { observedGeneration: 4 };
  assert.deepEqual(
    mapStatus({ edgeStatus: status, edgeGeneration: undefined, copyGeneration: 1, inSync: true }),
    status,
  );
});
