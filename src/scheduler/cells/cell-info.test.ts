import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cell, CellStatus } from '#api/federation/cell.ts';
import { replicasThatFit } from '../algorithm/capacity.ts';
import { nodeDemandOf } from '../algorithm/node-demand.ts';
import { cellInfoOf } from './cell-info.ts';

const onSsd = nodeDemandOf({ nodeSelector: { disk: 'ssd' } });
const free = { cpu: '2', pods: '10' };

/** How many replicas of one CPU on an SSD fit. */
function fit(status: Pick<CellStatus, 'nodeRoom' | 'nodeKinds'>): number {
  const cell: Cell = {
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'Cell',
    metadata: { name: 'a' },
    status: { allocatable: { cpu: '100', pods: '100' }, ...status },
  };
  return replicasThatFit(cellInfoOf(cell, true), [['cpu', 1]], onSsd);
}

test('labels of all nodes and of a kind count together', () => {
  const kinds = [{ labels: { disk: 'ssd' } }, {}];
  const nodeRoom = [0, 1].map((kind) => ({ nodes: 1, free, kind }));
  assert.equal(fit({ nodeRoom, nodeKinds: { kinds } }), 2);
  assert.equal(fit({ nodeRoom, nodeKinds: { kinds: [{}, {}], labels: { disk: 'ssd' } } }), 4);
  assert.equal(fit({ nodeRoom, nodeKinds: { kinds, untoldLabels: ['disk'] } }), 4);
});

test('nodes of which nobody says what they are count for any pod', () => {
  const kinds = [{}];
  assert.equal(fit({ nodeRoom: [{ nodes: 1, free, kind: 0 }], nodeKinds: { kinds } }), 0);
  assert.equal(fit({ nodeRoom: [{ nodes: 1, free }], nodeKinds: { kinds } }), 2, 'an older federator');
  assert.equal(
    fit({ nodeRoom: [{ nodes: 1, free, kind: 1 }], nodeKinds: { kinds } }),
    2,
    'none of the kinds',
  );
  assert.equal(fit({ nodeRoom: [{ nodes: 1, free, kind: 0 }] }), 2);
});
