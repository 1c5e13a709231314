import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reschedule, RescheduleTrigger } from '#api/policy/reschedule.ts';
import { compileProfile } from '../algorithm/profile.ts';
import { cell, snapshotOf, template } from '../algorithm/testing/cells.ts';
import type { ResolvedPolicy } from '../policy/policy-index.ts';
import { rescheduleOf } from './reschedule-of.ts';
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
  return isTriggered(digests(...after), digests(a, b), snapshotOf(...after));
}

test('a cell that joins triggers, one that the placement may not use or that is unwell for a while does not', () => {
  assert.equal(triggered('CellJoined', a, b, cell('c', { labels: area, served })), true);
  assert.equal(triggered('CellJoined', a, b, cell('c', { served })), false);
  assert.equal(triggered('CellJoined', { ...a, ready: false }, b), false);
  assert.equal(triggered('CellJoined', a, b, cell('c', { labels: area, ready: false })), false, 'not yet');
  assert.equal(triggered('CellJoined', a, { ...b, labels: area }), true, 'as good as joined');
});

test('a cell that goes triggers nothing; one that comes in its place, or comes back, does', () => {
  for (const trigger of ['CellJoined', 'CellLabelsChanged', 'CellAPIsChanged'] as const) {
    assert.equal(triggered(trigger, b), false, trigger);
    assert.equal(triggered(trigger, { ...a, deleting: true }, b), false, trigger);
    assert.equal(triggered(trigger, cell('c', { labels: area, served }), b), true, trigger);
  }
  const digests = (...cells: Parameters<typeof snapshotOf>) =>
    triggerDigests(['CellJoined'], europe, snapshotOf(...cells), template());
  assert.equal(isTriggered(digests(a), digests(b), snapshotOf(a)), true);
  const earlier = { CellJoined: 'abcdefghijklmnop' };
  assert.equal(isTriggered(digests(a), earlier, snapshotOf(a)), false, 'as an earlier release wrote it');
});

test('labels trigger where the placement looks at them', () => {
  assert.equal(triggered('CellLabelsChanged', a, { ...b, labels: area }), true);
  assert.equal(triggered('CellLabelsChanged', { ...a, labels: { ...area, other: 'x' } }, b), false);
  assert.equal(triggered('CellLabelsChanged', { ...a, labels: {} }, b), true, 'it may be used no more');
});

test('kinds that a cell serves trigger when it is the kind at hand', () => {
  const both = new Set([...served, 'batch/v1/Job']);
  assert.equal(triggered('CellAPIsChanged', { ...a, served: both }, b), false);
  assert.equal(triggered('CellAPIsChanged', { ...a, served: new Set() }, b), true);
});

test('a policy triggers when its placement is another, and nothing that is asked for anew', () => {
  const snapshot = snapshotOf(a, b);
  const of = (policy: ResolvedPolicy) => triggerDigests(['PolicyChanged'], policy, snapshot, template());
  assert.equal(isTriggered(of(europe), of(policyOf(eu)), snapshot), false);
  assert.equal(isTriggered(of(europe), of(policyOf(undefined)), snapshot), true);
  assert.equal(isTriggered(of(europe), undefined, snapshot), false);
  assert.equal(isTriggered(of(europe), { CellJoined: 'x' }, snapshot), false);
});

test('what triggers is named by the policy, by either name of the field, else by its profile', () => {
  const profile = compileProfile({
    apiVersion: 'federation.cellplane.io/v1alpha1',
    kind: 'SchedulingProfile',
    metadata: { name: 'default' },
    spec: { reschedule: { triggers: ['PolicyChanged'] } },
  });
  const of = (reschedule: Reschedule | undefined) =>
    rescheduleOf(reschedule === undefined ? {} : { reschedule }, profile).triggers;
  assert.deepEqual(of(undefined), ['PolicyChanged']);
  assert.deepEqual(of({ unschedulable: {} }), ['PolicyChanged']);
  assert.deepEqual(of({ triggers: ['CellJoined'] }), ['CellJoined']);
  assert.deepEqual(of({ on: ['CellJoined'] }), ['CellJoined']);
  assert.deepEqual(of({ triggers: ['CellAPIsChanged'], on: ['CellJoined', 'CellAPIsChanged'] }), [
    'CellAPIsChanged',
    'CellJoined',
  ]);
});
