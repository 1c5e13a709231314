import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RescheduleTrigger } from '#api/policy/reschedule.ts';
import { cell, snapshotOf, template } from '../algorithm/testing/cells.ts';
import type { ResolvedPolicy } from '../policy/policy-index.ts';
import { isTriggered, triggerDigests } from './triggers.ts';

const policyOf = (placement: ResolvedPolicy['spec']['placement']): ResolvedPolicy => ({
  key: 'p',
  cluster: 'c',
  namespace: 'default',
  name: 'p',
  uid: 'u',
  spec: { resourceSelectors: [], ...(placement === undefined ? {} : { placement }) },
  selectors: [],
});
const eu = { clusterAffinity: { labelSelector: { matchLabels: { area: 'eu' } } } };
const europe = policyOf(eu);
const area = { area: 'eu' };
const served = new Set(['apps/v1/Deployment']);
const a = cell('a', { labels: area, served });
const b = cell('b', { labels: { area: 'us' }, served });

function triggered(trigger: RescheduleTrigger, ...after: Parameters<typeof snapshotOf>): boolean {
  const digests = (...cells: Parameters<typeof snapshotOf>) =>
    triggerDigests([trigger], europe, snapshotOf(...cells), template());
  return isTriggered(digests(...after), digests(a, b));
}

test('a cell that joins triggers, one that the placement may not use or that is unwell for a while does not', () => {
  assert.equal(triggered('CellJoined', a, b, cell('c', { labels: area, served })), true);
  assert.equal(triggered('CellJoined', a, b, cell('c', { served })), false);
  assert.equal(triggered('CellJoined', { ...a, ready: false }, b), false);
  assert.equal(triggered('CellJoined', a, b, cell('c', { labels: area, ready: false })), false, 'not yet');
  assert.equal(triggered('CellJoined', a, { ...b, labels: area }), true, 'as good as joined');
});

test('labels trigger where the placement looks at them', () => {
  assert.equal(triggered('CellLabelsChanged', a, { ...b, labels: area }), true);
  assert.equal(triggered('CellLabelsChanged', { ...a, labels: { ...area, other: 'x' } }, b), false);
});

test('kinds that a cell serves trigger when it is the kind at hand', () => {
  const both = new Set([...served, 'batch/v1/Job']);
  assert.equal(triggered('CellAPIsChanged', { ...a, served: both }, b), false);
  assert.equal(triggered('CellAPIsChanged', { ...a, served: new Set() }, b), true);
});

test('a policy triggers when its placement is another, and nothing that is asked for anew', () => {
  const snapshot = snapshotOf(a, b);
  const of = (policy: ResolvedPolicy) => triggerDigests(['PolicyChanged'], policy, snapshot, template());
  assert.equal(isTriggered(of(europe), of(policyOf(eu))), false);
  assert.equal(isTriggered(of(europe), of(policyOf(undefined))), true);
  assert.equal(isTriggered(of(europe), undefined), false);
  assert.equal(isTriggered(of(europe), { CellJoined: 'x' }), false);
});
