import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { type Condition, withCondition } from './conditions.ts';

const [before, now] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'];
const scheduled = { type: 'Scheduled', status: 'True', reason: 'Success', message: '' } as const;

test('a condition keeps every member that it is given, and its time while its status stays', () => {
  const wanted = { ...scheduled, severity: 'Error', observedGeneration: 3 } as const;
  const first = withCondition(undefined, wanted, before);
  assert.deepEqual(first, [{ ...wanted, lastTransitionTime: before }]);
  assert.equal(withCondition(first, wanted, now), first);
  const plain = withCondition(first, scheduled, now);
  assert.deepEqual(plain, [{ ...scheduled, lastTransitionTime: before }]);
  const failed = { ...scheduled, status: 'False' } as const;
  const applied = { type: 'FullyApplied', status: 'False' } as const;
  assert.deepEqual(withCondition(withCondition(plain, failed, now), applied, now), [
    { ...failed, lastTransitionTime: now },
    { ...applied, lastTransitionTime: now },
  ]);
});

test('conditions share a hidden class: a binding has several, and they are kept', () => {
  setFlagsFromString('--allow-natives-syntax');
  const haveSameMap = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (
    a: object,
    b: object,
  ) => boolean;
  const made: Condition[] = [];
  for (let at = 0; at < 100; at++) {
    made.push(...withCondition(undefined, { ...scheduled, type: `Type${at % 3}`, message: `${at}` }, now));
  }
  const [first] = made;
  assert.ok(first !== undefined && made.every((one) => haveSameMap(one, first)));
});
